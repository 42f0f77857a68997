#include <stdint.h>
#include <string.h>
#include <wasgi.h>

static const wasgi_pair PLAIN[] = {{"Content-Type", "text/plain"}};

static uint32_t table[256];

/* Once, at deployment: the table of CRC-32. */
static const char *prepare(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        table[byte] = byte;
        for (int bit = 0; bit < 8; bit++)
            table[byte] = table[byte] >> 1 ^ (table[byte] & 1 ? 0xedb88320 : 0);
    }
    return NULL;
}
WASGI_INITIALIZE(prepare)

static void count(wasgi_request *request)
{
    static uint8_t piece[65536];
    unsigned long bytes = 0, lines = 0;
    uint32_t checksum = 0xffffffff;
    long length;
    while ((length = wasgi_read(request, piece, sizeof piece)) > 0) {
        bytes += (unsigned long)length;
        for (long at = 0; at < length; at++) {
            lines += piece[at] == '\n';
            checksum = checksum >> 8 ^ table[(checksum ^ piece[at]) & 0xff];
        }
    }
    if (length < 0) {
        wasgi_log("the body cannot be read: error %ld\n", length);
        wasgi_start(request, "400 Bad Request", PLAIN, 1, NULL);
        return;
    }
    wasgi_start(request, "200 OK", PLAIN, 1, NULL);
    wasgi_printf(request, "%lu bytes, %lu lines, checksum %08x\n", bytes, lines, (unsigned)~checksum);
}

void wasgi_application(wasgi_request *request)
{
    const char *path = wasgi_get(request, "PATH_INFO");
    if (path != NULL && strcmp(path, "/count") == 0) {
        count(request);
        return;
    }
    wasgi_start(request, "200 OK", PLAIN, 1, NULL);
    wasgi_return(request, "Hello, world!\n", 14);
}
