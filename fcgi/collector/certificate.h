/*
 * Finds out once a minute when the certificate that nginx shows (tls.address) expires, for the scoreboard. nginx itself is
 * asked, because the certificate file may have been replaced meanwhile.
 */
#ifndef COLLECTOR_CERTIFICATE_H
#define COLLECTOR_CERTIFICATE_H

#include <stdint.h>

#include "base/err.h"

struct certificate_watch {
	int64_t due_us; /* when to ask next; monotonic; 0: at once */
	int failures;   /* number of failures in a row */
};

/*
 * Asks nginx when it is due and sets *ends_s, in seconds since 1970. Waits at most a second for nginx. Returns 0, or -1 when
 * nginx has not answered and this should be logged. With an empty address *ends_s is 0.
 */
int certificate_look(struct certificate_watch *watch, const char *address, int64_t *ends_s, struct err *err);

#endif
