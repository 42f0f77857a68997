/* A CGI program, as the manuals have it: compiled for WASI it is served as it is, and compiled for this machine by any
   other server of CGI. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    const char *method = getenv("REQUEST_METHOD");
    if (method != NULL && strcmp(method, "POST") == 0) {
        printf("Content-Type: application/octet-stream\n\n");
        for (int byte = getchar(); byte != EOF; byte = getchar())
            putchar(byte);
    } else {
        printf("Content-Type: text/plain\nContent-Length: 14\n\nHello, world!\n");
    }
    return 0;
}
