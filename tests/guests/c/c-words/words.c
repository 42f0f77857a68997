/* Each path shows one word of wasgi.h; tests/e2e/c.rs says what must come of it. */

#include "words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const wasgi_pair PLAIN[1] = {{"Content-Type", "text/plain"}};

static int prepared;
static int calls;

static const char *prepare(void)
{
    prepared++;
    puts("prepared");
    const char *text = getenv("REFUSE");
    return text;
}
WASGI_INITIALIZE(prepare)

static void environ_all(wasgi_request *request)
{
    size_t count;
    const wasgi_pair *pairs = wasgi_environ(request, &count);
    wasgi_start(request, "200 OK", PLAIN, 1, NULL);
    for (size_t at = 0; at < count; at++)
        wasgi_printf(request, "%s=%s\n", pairs[at].name, pairs[at].value);
}

static void environ_one(wasgi_request *request)
{
    const char *name = wasgi_get(request, "HTTP_X_NAME");
    const char *value = wasgi_get(request, name);
    wasgi_start(request, "200 OK", PLAIN, 1, NULL);
    wasgi_return(request, value == NULL ? "absent" : value, value == NULL ? 6 : strlen(value));
}

/* A head that is refused: the error, and why, under another head. */
static void refused(wasgi_request *request, const char *status, wasgi_pair header)
{
    int error = wasgi_start(request, status, &header, 1, NULL);
    char reason[512];
    snprintf(reason, sizeof reason, "%s", wasgi_reason(request));
    wasgi_start(request, "200 OK", PLAIN, 1, "the first head was refused");
    wasgi_printf(request, "%d %s", error, reason);
}

static void replaced(wasgi_request *request)
{
    wasgi_pair first = {"X-Head", "first"}, second = {"X-Head", "s\xe9" "cond"};
    wasgi_start(request, "200 OK", &first, 1, NULL);
    int error = wasgi_start(request, "200 OK", &first, 1, NULL);
    wasgi_start(request, "503 Replaced", &second, 1, "the first was wrong");
    wasgi_printf(request, "%d,", error);
    error = wasgi_start(request, "500 Late", &second, 1, "too late");
    wasgi_printf(request, "%d", error);
}

void wasgi_application(wasgi_request *request)
{
    const char *path = wasgi_get(request, "PATH_INFO");
    calls++;
    if (strcmp(path, "/environ") == 0)
        environ_all(request);
    else if (strcmp(path, "/get") == 0)
        environ_one(request);
    else if (strcmp(path, "/calls") == 0) {
        wasgi_start(request, "200 OK", PLAIN, 1, NULL);
        wasgi_printf(request, "%d prepared, %d calls, %s, %s", prepared, calls, WORD, getenv("COLOUR") ? getenv("COLOUR") : "none");
    } else if (strcmp(path, "/bad-status") == 0)
        refused(request, "oops", PLAIN[0]);
    else if (strcmp(path, "/bad-header") == 0)
        refused(request, "200 OK", (wasgi_pair){"X-Bad", "a\nb"});
    else if (strcmp(path, "/replaced") == 0)
        replaced(request);
    else if (strcmp(path, "/log") == 0) {
        wasgi_log("snowman \xe2\x98\x83, Latin-1 \xe9, number %d\n", 7);
        printf("to stdout\n");
        fprintf(stderr, "to stderr\n");
        wasgi_start(request, "200 OK", PLAIN, 1, NULL);
    } else if (strcmp(path, "/no-start") == 0)
        wasgi_return(request, "lost", 4);
    else if (strcmp(path, "/abort") == 0) {
        wasgi_start(request, "200 OK", PLAIN, 1, NULL);
        wasgi_printf(request, "begun\n");
        abort();
    } else if (!answer_input(request, path) && !answer_body(request, path)) {
        wasgi_start(request, "404 Not Found", PLAIN, 1, NULL);
    }
}
