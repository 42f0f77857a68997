#include "words.h"

#include <stdlib.h>
#include <string.h>

static void endless(wasgi_request *request)
{
    int error;
    wasgi_start(request, "200 OK", PLAIN, 1, NULL);
    while ((error = wasgi_printf(request, "more and more and more\n")) == WASGI_OK)
        ;
    wasgi_log("ended by %d\n", error);
}

/* Three megabytes in one call. */
static void large(wasgi_request *request)
{
    size_t size = 3000000;
    char *bytes = malloc(size);
    memset(bytes, 'x', size);
    wasgi_start(request, "200 OK", PLAIN, 1, NULL);
    if (wasgi_write(request, bytes, size) != WASGI_OK)
        wasgi_log("not written\n");
    free(bytes);
}

static void past_length(wasgi_request *request)
{
    wasgi_pair headers[] = {PLAIN[0], {"Content-Length", "5"}};
    wasgi_start(request, "200 OK", headers, 2, NULL);
    int before = wasgi_write(request, "abc", 3);
    int past = wasgi_write(request, "def", 3);
    wasgi_log("writes: %d %d\n", before, past);
    wasgi_return(request, "de", 2);
}

static void no_body(wasgi_request *request)
{
    wasgi_log("before: %d\n", wasgi_write(request, "x", 1));
    wasgi_start(request, "204 No Content", NULL, 0, NULL);
    wasgi_log("after: %d\n", wasgi_write(request, "x", 1));
}

int answer_body(wasgi_request *request, const char *path)
{
    if (strcmp(path, "/endless") == 0)
        endless(request);
    else if (strcmp(path, "/large") == 0)
        large(request);
    else if (strcmp(path, "/past-length") == 0)
        past_length(request);
    else if (strcmp(path, "/no-body") == 0)
        no_body(request);
    else if (strcmp(path, "/file") == 0) {
        wasgi_start(request, "200 OK", PLAIN, 1, NULL);
        wasgi_return_file(request, "/app/page.html", 3, 6);
    } else if (strcmp(path, "/file/rest") == 0) {
        wasgi_start(request, "200 OK", PLAIN, 1, NULL);
        wasgi_return_file(request, "/app/page.html", 3, UINT64_MAX);
    } else
        return 0;
    return 1;
}
