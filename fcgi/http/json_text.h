/* Makes JSON of text, which may not be UTF-8, and of times. */
#ifndef HTTP_JSON_TEXT_H
#define HTTP_JSON_TEXT_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* A JSON string of any bytes: invalid UTF-8 becomes '?'. Never NULL. */
json_t *json_text(const char *text);
json_t *json_textn(const char *text, size_t len);

/* A time as RFC 3339. */
json_t *json_time(int64_t wall_us);

/* The longest prefix of at most max bytes that does not end inside a UTF-8 character. */
size_t json_text_cut(const char *text, size_t len, size_t max);

#endif
