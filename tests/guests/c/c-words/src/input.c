#include "words.h"

#include <string.h>

static char piece[4096];

/* Each piece is answered before the next is read. */
static void echo(wasgi_request *request)
{
    long length;
    wasgi_start(request, "200 OK", PLAIN, 1, NULL);
    while ((length = wasgi_read(request, piece, sizeof piece)) > 0)
        if (wasgi_write(request, piece, (size_t)length) != WASGI_OK)
            return;
    wasgi_log("input ended with %ld\n", length);
}

static void ends(wasgi_request *request)
{
    unsigned long total = 0;
    long length = wasgi_read(request, piece, 0);
    wasgi_start(request, "200 OK", PLAIN, 1, NULL);
    wasgi_printf(request, "%ld,", length);
    while ((length = wasgi_read(request, piece, 5)) > 0)
        total += (unsigned long)length;
    wasgi_printf(request, "%lu,%ld,%ld", total, length, wasgi_read(request, piece, 5));
}

int answer_input(wasgi_request *request, const char *path)
{
    if (strcmp(path, "/echo") == 0)
        echo(request);
    else if (strcmp(path, "/ends") == 0)
        ends(request);
    else
        return 0;
    return 1;
}
