#ifndef WORDS_H
#define WORDS_H

#include <wasgi.h>

extern const wasgi_pair PLAIN[1];

/* Paths of the input and of the body. */
int answer_input(wasgi_request *request, const char *path);
int answer_body(wasgi_request *request, const char *path);

#endif
