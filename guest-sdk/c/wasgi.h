/* Web applications in C: the contract of wit/gateway.wit, in the words of PEP 3333.
 *
 * An application defines `wasgi_application`, which the host calls once for each request and never twice at a time.
 * `wasgi build` compiles wasgi.c beside it.
 *
 * Text is bytes that end with a zero. What a function here returns belongs to the request and is gone with it. */

#ifndef WASGI_H
#define WASGI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One request and its response. */
typedef struct wasgi_request wasgi_request;

/* What went wrong; 0 is nothing. All are negative, so that they differ from every count of bytes. */
typedef enum wasgi_error {
    WASGI_OK = 0,
    WASGI_CLOSED = -1,              /* the client has gone: clean up and return */
    WASGI_INPUT_TOO_LARGE = -2,     /* the body, streamed without a length, passed the host's body-max */
    WASGI_INPUT_TIMED_OUT = -3,     /* the client sent nothing for longer than body-idle-max */
    WASGI_ALREADY_CALLED = -4,      /* start_response was called before, and no error was given now */
    WASGI_HEAD_SENT = -5,           /* an error was given, but the head is with the client */
    WASGI_BAD_STATUS = -6,          /* see wasgi_reason */
    WASGI_BAD_HEADER = -7,          /* see wasgi_reason */
    WASGI_HEAD_TOO_LARGE = -8,      /* see wasgi_reason */
    WASGI_PAST_CONTENT_LENGTH = -9, /* nothing of the chunk was sent */
    WASGI_NO_BODY_ALLOWED = -10,    /* a 204 or 304 response has no body */
    WASGI_NOT_STARTED = -11,        /* start_response comes before a body */
    WASGI_NO_MEMORY = -12           /* nothing was done */
} wasgi_error;

/* A variable of the environ, or a header. */
typedef struct wasgi_pair {
    const char *name;
    const char *value;
} wasgi_pair;

/* The application's own. */
void wasgi_application(wasgi_request *request);

/* === environ === */

/* A variable, such as "PATH_INFO"; NULL if it is absent. */
const char *wasgi_get(wasgi_request *request, const char *name);

/* All of them, and how many they are; NULL without memory. */
const wasgi_pair *wasgi_environ(wasgi_request *request, size_t *count);

/* === wsgi.input === */

/* Reads 1 to `max` bytes of the request body into `buffer`: as many as the host has, and at least one. Returns how
 * many; 0 at the end and ever after; or an error. */
long wasgi_read(wasgi_request *request, void *buffer, size_t max);

/* === start_response and write === */

/* Sets status ("200 OK") and headers. Nothing is sent before the first byte of the body is, or the application
 * returns: until then a call with `error`, a text for the log, replaces the head. `error` is NULL otherwise. */
int wasgi_start(wasgi_request *request, const char *status, const wasgi_pair *headers, size_t count, const char *error);

/* Why the last call of wasgi_start was refused; "" if the error says all there is. */
const char *wasgi_reason(const wasgi_request *request);

/* Sends bytes on their way before it returns; waits while the client is slower. Large ones are cut as the host asks. */
int wasgi_write(wasgi_request *request, const void *bytes, size_t length);

/* The same, by a format of printf. */
int wasgi_printf(wasgi_request *request, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* === what the application returns: the rest of the body, after all writes === */

/* These bytes, which are copied. The host tells the client their length, if nothing was written before. */
int wasgi_return(wasgi_request *request, const void *bytes, size_t length);

/* A file of the app's own bundle, such as "/app/page.html", sent by the host: `length` bytes from `offset`, or, if
 * `length` is UINT64_MAX, all from there. */
int wasgi_return_file(wasgi_request *request, const char *path, uint64_t offset, uint64_t length);

/* === wsgi.errors === */

/* Appends to the application's log; a line ends with "\n". Bytes that are not UTF-8 are shown as such of Latin-1. */
void wasgi_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* === initialize === */

/* Has the host call `function` once, when the app is deployed; every instance starts from the memory it leaves. It returns
 * NULL, or a text that refuses the deployment. Files that it opens must be closed before it returns. Once, at file level:
 *
 *     static const char *prepare(void) { ...; return NULL; }
 *     WASGI_INITIALIZE(prepare)
 */
#define WASGI_INITIALIZE(function)                                                                                   \
    __attribute__((export_name("initialize"))) const void *wasgi_export_initialize(void)                             \
    {                                                                                                                \
        return wasgi_run_initialize(function);                                                                       \
    }

/* For the macro. */
const void *wasgi_run_initialize(const char *(*function)(void));
const void *wasgi_export_initialize(void);

#ifdef __cplusplus
}
#endif

#endif
