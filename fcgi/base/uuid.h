/* UUIDs (RFC 9562). New ones are version 7: they sort by time, which keeps database indexes compact. */
#ifndef BASE_UUID_H
#define BASE_UUID_H

#include <stdbool.h>

#define UUID_TEXT_SIZE 37 /* with the final NUL */

struct uuid {
	unsigned char bytes[16];
};

struct uuid uuid_new(void);
void uuid_format(const struct uuid *u, char out[UUID_TEXT_SIZE]);

/* Accepts the 36-character form in either case; false and *u untouched otherwise. */
bool uuid_parse(const char *text, struct uuid *u);

#endif
