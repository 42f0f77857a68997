#include <string.h>
#include <wasgi.h>

void wasgi_application(wasgi_request *request)
{
    const wasgi_pair headers[] = {{"Content-Type", "text/plain"}};
    const char *path = wasgi_get(request, "PATH_INFO");
    const char *text = "Hello from {{name}}!\n";
    if (path == NULL || strcmp(path, "/") != 0) {
        wasgi_start(request, "404 Not Found", headers, 1, NULL);
        wasgi_return(request, "Not found\n", 10);
        return;
    }
    wasgi_start(request, "200 OK", headers, 1, NULL);
    wasgi_return(request, text, strlen(text));
}
