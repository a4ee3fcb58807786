/*
 * How long the certificate is valid that nginx shows (tls.address), once a minute, for the scoreboard. nginx itself is asked:
 * what it shows may be another one than what lies in a file by now.
 */
#ifndef COLLECTOR_CERTIFICATE_H
#define COLLECTOR_CERTIFICATE_H

#include <stdint.h>

#include "base/err.h"

struct certificate_watch {
	int64_t due_us; /* monotonic; 0: at once */
	int failures;   /* in a row */
};

/*
 * Asks when it is time to; then *ends_s, seconds since 1970, is new. Waits a second for nginx, at most. 0: nothing has changed,
 * -1: nginx did not say, and that is worth a line in the log. An address that is empty makes it 0.
 */
int certificate_look(struct certificate_watch *watch, const char *address, int64_t *ends_s, struct err *err);

#endif
