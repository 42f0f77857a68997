/* The contract of wit/gateway.wit over the canonical ABI of components:
 * https://github.com/WebAssembly/component-model/blob/main/design/mvp/CanonicalABI.md. Each function of the host's is a wasm
 * import; results that are more than a number are written where its last argument points to. `wasgi build` checks the types
 * of all of them against the contract. */

#include "wasgi.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wasi/api.h>

#define HOST(name) __attribute__((import_module("wasgi:gateway/gateway@0.1.0"), import_name(name)))
#define EXPORT(name) __attribute__((export_name(name)))

/* === the host's side === */

typedef struct {
    uint8_t *bytes;
    size_t length;
} wit_list;

typedef struct {
    wit_list name;
    wit_list value;
} wit_pair;

/* option<string>, and result<list<u8>, input-error> and result<own, input-error> likewise. */
typedef struct {
    uint8_t tag;
    union {
        wit_list list;
        int32_t handle;
        uint8_t error;
    } of;
} wit_tagged;

/* result<own<writer>, start-error>. */
typedef struct {
    uint8_t failed;
    union {
        int32_t writer;
        struct {
            uint8_t tag;
            wit_list text;
        } error;
    } of;
} wit_started;

/* result<_, write-error>. */
typedef struct {
    uint8_t failed;
    struct {
        uint8_t tag;
        uint64_t limit;
    } error;
} wit_written;

/* variant body. */
typedef struct {
    uint8_t is_file;
    union {
        wit_list bytes;
        struct {
            wit_list path;
            uint64_t offset;
            uint8_t has_length;
            uint64_t length;
        } file;
    } of;
} wit_body;

/* result<_, string>. */
typedef struct {
    uint8_t failed;
    wit_list text;
} wit_initialized;

HOST("[method]environ.get") void host_environ_get(int32_t, const char *, size_t, wit_tagged *);
HOST("[method]environ.entries") void host_environ_entries(int32_t, wit_list *);
HOST("[method]environ.input") void host_environ_input(int32_t, wit_tagged *);
HOST("[method]input.read") void host_input_read(int32_t, uint64_t, wit_tagged *);
HOST("[method]start-response.call")
void host_start(int32_t, const char *, size_t, const wit_pair *, size_t, int32_t, const char *, size_t, wit_started *);
HOST("[method]writer.write") void host_write(int32_t, const uint8_t *, size_t, wit_written *);
HOST("write-errors") void host_write_errors(const char *, size_t);
HOST("[resource-drop]environ") void host_drop_environ(int32_t);
HOST("[resource-drop]input") void host_drop_input(int32_t);
HOST("[resource-drop]start-response") void host_drop_start(int32_t);
HOST("[resource-drop]writer") void host_drop_writer(int32_t);

/* Where the host puts what it returns. */
EXPORT("cabi_realloc") void *wasgi_cabi_realloc(void *old, size_t old_size, size_t align, size_t size)
{
    (void)old_size;
    if (size == 0)
        return (void *)align;
    void *new = realloc(old, size);
    if (new == NULL)
        abort();
    return new;
}

/* === one request === */

/* What belongs to the request: freed with it. */
typedef struct kept {
    struct kept *next;
    max_align_t bytes[];
} kept;

struct wasgi_request {
    int32_t environ;
    int32_t start;
    int32_t input;  /* 0: not taken; handles begin at 1 */
    int32_t writer; /* of the last head; 0: none */
    kept *kept;
    char *reason;
    wit_body body;
};

/* Bytes of one write; lowered as the host asks, for all requests of this instance. */
static size_t chunk_max = 256 * 1024;

static void *keep(wasgi_request *request, size_t size)
{
    kept *memory = size > SIZE_MAX - sizeof(kept) ? NULL : malloc(sizeof(kept) + size);
    if (memory == NULL)
        return NULL;
    memory->next = request->kept;
    request->kept = memory;
    return memory->bytes;
}

static void give_back(wit_list list)
{
    if (list.length > 0)
        free(list.bytes);
}

/* Native strings (rule 20 of PEP 3333) are characters that each stand for a byte: UTF-8 of U+0000 to U+00FF. */
static char *bytes_of(wasgi_request *request, wit_list text)
{
    char *bytes = keep(request, text.length + 1);
    if (bytes == NULL)
        return NULL;
    size_t length = 0;
    for (size_t at = 0; at < text.length; at++) {
        uint8_t byte = text.bytes[at];
        if (byte >= 0xc2 && at + 1 < text.length)
            byte = (uint8_t)(byte << 6) | (text.bytes[++at] & 0x3f);
        bytes[length++] = (char)byte;
    }
    bytes[length] = 0;
    return bytes;
}

/* The other way round: at most twice as long. */
static bool text_of(wasgi_request *request, const char *bytes, wit_list *text)
{
    size_t length = strlen(bytes);
    text->bytes = keep(request, 2 * length + 1);
    text->length = 0;
    if (text->bytes == NULL)
        return false;
    for (size_t at = 0; at < length; at++) {
        uint8_t byte = (uint8_t)bytes[at];
        if (byte >= 0x80) {
            text->bytes[text->length++] = 0xc0 | (byte >> 6);
            byte = 0x80 | (byte & 0x3f);
        }
        text->bytes[text->length++] = byte;
    }
    return true;
}

/* === environ === */

const char *wasgi_get(wasgi_request *request, const char *name)
{
    wit_tagged found;
    host_environ_get(request->environ, name, strlen(name), &found);
    if (!found.tag)
        return NULL;
    const char *value = bytes_of(request, found.of.list);
    give_back(found.of.list);
    return value;
}

const wasgi_pair *wasgi_environ(wasgi_request *request, size_t *count)
{
    wit_list entries;
    host_environ_entries(request->environ, &entries);
    wit_pair *pairs = (wit_pair *)(void *)entries.bytes;
    wasgi_pair *found = keep(request, (entries.length + 1) * sizeof(wasgi_pair));
    bool is_whole = found != NULL;
    for (size_t at = 0; at < entries.length; at++) {
        if (is_whole) {
            found[at].name = bytes_of(request, pairs[at].name);
            found[at].value = bytes_of(request, pairs[at].value);
            is_whole = found[at].name != NULL && found[at].value != NULL;
        }
        give_back(pairs[at].name);
        give_back(pairs[at].value);
    }
    give_back(entries);
    *count = is_whole ? entries.length : 0;
    return is_whole ? found : NULL;
}

/* === wsgi.input === */

static long input_error(uint8_t tag)
{
    switch (tag) {
    case 2:
        return WASGI_INPUT_TOO_LARGE;
    case 3:
        return WASGI_INPUT_TIMED_OUT;
    default:
        return WASGI_CLOSED;
    }
}

long wasgi_read(wasgi_request *request, void *buffer, size_t max)
{
    wit_tagged result;
    if (request->input == 0) {
        host_environ_input(request->environ, &result);
        if (result.tag)
            return input_error(result.of.error);
        request->input = result.of.handle;
    }
    if (max == 0)
        return 0;
    /* The host copies at most this much, and a long holds it. */
    host_input_read(request->input, max < (1 << 20) ? max : 1 << 20, &result);
    if (result.tag)
        return input_error(result.of.error);
    size_t length = result.of.list.length;
    if (length > 0)
        memcpy(buffer, result.of.list.bytes, length);
    give_back(result.of.list);
    return (long)length;
}

/* === start_response === */

static int start_error(wasgi_request *request, const wit_started *result)
{
    static const int errors[] = {WASGI_ALREADY_CALLED, WASGI_HEAD_SENT,      WASGI_BAD_STATUS,
                                 WASGI_BAD_HEADER,     WASGI_HEAD_TOO_LARGE, WASGI_CLOSED};
    uint8_t tag = result->of.error.tag;
    if (tag >= 2 && tag <= 4) {
        request->reason = keep(request, result->of.error.text.length + 1);
        if (request->reason != NULL) {
            memcpy(request->reason, result->of.error.text.bytes, result->of.error.text.length);
            request->reason[result->of.error.text.length] = 0;
        }
        give_back(result->of.error.text);
    }
    return tag < sizeof errors / sizeof *errors ? errors[tag] : WASGI_CLOSED;
}

int wasgi_start(wasgi_request *request, const char *status, const wasgi_pair *headers, size_t count, const char *error)
{
    wit_list line, text = {0};
    wit_pair *pairs = keep(request, count * sizeof(wit_pair));
    bool is_whole = pairs != NULL && text_of(request, status, &line) && (error == NULL || text_of(request, error, &text));
    for (size_t at = 0; at < count && is_whole; at++)
        is_whole = text_of(request, headers[at].name, &pairs[at].name) && text_of(request, headers[at].value, &pairs[at].value);
    if (!is_whole)
        return WASGI_NO_MEMORY;
    request->reason = NULL;
    wit_started result;
    host_start(request->start, (const char *)line.bytes, line.length, pairs, count, error != NULL, (const char *)text.bytes,
               text.length, &result);
    if (result.failed)
        return start_error(request, &result);
    if (request->writer != 0)
        host_drop_writer(request->writer);
    request->writer = result.of.writer;
    return WASGI_OK;
}

const char *wasgi_reason(const wasgi_request *request)
{
    return request->reason == NULL ? "" : request->reason;
}

/* === write === */

int wasgi_write(wasgi_request *request, const void *bytes, size_t length)
{
    static const int errors[] = {WASGI_CLOSED, WASGI_PAST_CONTENT_LENGTH, WASGI_NO_BODY_ALLOWED};
    if (request->writer == 0)
        return WASGI_NOT_STARTED;
    const uint8_t *next = bytes;
    while (length > 0) {
        size_t size = length < chunk_max ? length : chunk_max;
        wit_written result;
        host_write(request->writer, next, size, &result);
        if (!result.failed) {
            next += size;
            length -= size;
        } else if (result.error.tag == 3 && result.error.limit > 0 && result.error.limit < chunk_max) {
            chunk_max = (size_t)result.error.limit;
        } else {
            return result.error.tag < sizeof errors / sizeof *errors ? errors[result.error.tag] : WASGI_CLOSED;
        }
    }
    return WASGI_OK;
}

/* A format's text, which is to be freed; NULL without memory. */
static char *formatted(const char *format, va_list given, int *length)
{
    char *text = NULL;
    *length = vasprintf(&text, format, given);
    return *length < 0 ? NULL : text;
}

int wasgi_printf(wasgi_request *request, const char *format, ...)
{
    va_list given;
    int length;
    va_start(given, format);
    char *text = formatted(format, given, &length);
    va_end(given);
    if (text == NULL)
        return WASGI_NO_MEMORY;
    int result = wasgi_write(request, text, (size_t)length);
    free(text);
    return result;
}

/* === the rest of the body === */

int wasgi_return(wasgi_request *request, const void *bytes, size_t length)
{
    uint8_t *copy = keep(request, length);
    if (copy == NULL)
        return WASGI_NO_MEMORY;
    if (length > 0)
        memcpy(copy, bytes, length);
    request->body = (wit_body){.of.bytes = {copy, length}};
    return WASGI_OK;
}

int wasgi_return_file(wasgi_request *request, const char *path, uint64_t offset, uint64_t length)
{
    size_t size = strlen(path);
    uint8_t *copy = keep(request, size);
    if (copy == NULL)
        return WASGI_NO_MEMORY;
    memcpy(copy, path, size);
    request->body = (wit_body){.is_file = 1,
                               .of.file = {.path = {copy, size},
                                           .offset = offset,
                                           .has_length = length != UINT64_MAX,
                                           .length = length}};
    return WASGI_OK;
}

/* === wsgi.errors === */

/* The length of the character that begins here in UTF-8, or 0 if none does: RFC 3629, section 4. */
static size_t utf_8(const uint8_t *text, size_t left)
{
    uint8_t first = text[0];
    size_t length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
    if (length > left)
        return 0;
    for (size_t at = 1; at < length; at++)
        if ((text[at] & 0xc0) != 0x80)
            return 0;
    if (length < 3)
        return length;
    /* Neither longer than need be, nor half of a pair of surrogates, nor past the last character. */
    bool is_none = (first == 0xe0 && text[1] < 0xa0) || (first == 0xed && text[1] > 0x9f) || (first == 0xf0 && text[1] < 0x90) ||
                   (first == 0xf4 && text[1] > 0x8f);
    return is_none ? 0 : length;
}

void wasgi_log(const char *format, ...)
{
    va_list given;
    int length;
    va_start(given, format);
    char *text = formatted(format, given, &length);
    va_end(given);
    uint8_t *whole = text == NULL ? NULL : malloc(2 * (size_t)length + 1);
    size_t size = 0;
    for (size_t at = 0; whole != NULL && at < (size_t)length;) {
        const uint8_t *next = (const uint8_t *)text + at;
        size_t count = utf_8(next, (size_t)length - at);
        if (count == 0) {
            whole[size++] = 0xc0 | (*next >> 6);
            whole[size++] = 0x80 | (*next & 0x3f);
            at++;
        } else {
            memcpy(whole + size, next, count);
            size += count;
            at += count;
        }
    }
    host_write_errors((const char *)whole, whole == NULL ? 0 : size);
    free(whole);
    free(text);
}

/* === what the host calls === */

/* One call at a time: what is returned lives until the host has taken it. */
static wasgi_request current;

EXPORT("application") const wit_body *wasgi_export_application(int32_t environ, int32_t start)
{
    current = (wasgi_request){.environ = environ, .start = start};
    wasgi_application(&current);
    fflush(stdout);
    /* Here, since nothing of the host's may be called once this has returned. */
    if (current.writer != 0)
        host_drop_writer(current.writer);
    if (current.input != 0)
        host_drop_input(current.input);
    host_drop_start(current.start);
    host_drop_environ(current.environ);
    return &current.body;
}

EXPORT("cabi_post_application") void wasgi_post_application(const wit_body *body)
{
    (void)body;
    for (kept *next, *memory = current.kept; memory != NULL; memory = next) {
        next = memory->next;
        free(memory);
    }
    current = (wasgi_request){0};
}

/* The adapter for WASI 0.1 keeps handles that mean nothing in the instances which start from the snapshot. */
__attribute__((import_module("wasi_snapshot_preview1"), import_name("reset_adapter_state"))) void reset_adapter_state(void);

const void *wasgi_run_initialize(const char *(*function)(void))
{
    static wit_initialized result;
    const char *error = function();
    /* What is begun here would be printed by every request. */
    fflush(stdout);
    result.failed = error != NULL;
    if (error != NULL)
        result.text = (wit_list){(uint8_t *)error, strlen(error)};
    /* Closed properly first, so that what the host still sees open is what the author forgot to close. */
    for (__wasi_fd_t fd = 0;; fd++) {
        __wasi_prestat_t prestat;
        if (fd > 2 && __wasi_fd_prestat_get(fd, &prestat) != 0)
            break;
        (void)!__wasi_fd_close(fd);
    }
    reset_adapter_state();
    return &result;
}
