/* The driver's calls for tests: each waits for its end and returns the result. */
#ifndef UNIT_RUNTIMES_DOCKER_RIG_H
#define UNIT_RUNTIMES_DOCKER_RIG_H

#include "tests/unit/runtimes/engine_rig.h"

#define ID "00112233445566ff"

/* The result of a request. */
struct outcome {
	int calls, created_calls;
	bool failed, create_failed;
	char container_id[65];
	char image_id[DOCKER_IMAGE_ID_SIZE];
	struct err err;
};

/* Callbacks for the driver; finish waits until one was called. */
void on_done(const struct err *err, void *arg);
void on_image(const struct err *err, const char *id, void *arg);
void finish(const struct outcome *o);

/* Calls that wait for their end. */
struct outcome start_on(const char *driver, const char *id);
struct outcome start_container(const char *id);
struct outcome remove_one(const char *id);
struct outcome check_image(const char *image);

struct listing {
	struct outcome o; /* first member, because on_done gets it */
	int count, running;
	char ids[8][64];
};

struct listing list_containers(void);

#define assert_says(err, part)                                                                                                 \
	do {                                                                                                                   \
		if (strstr((err).msg, part) == NULL)                                                                           \
			fail_msg("'%s' does not say '%s'", (err).msg, part);                                                   \
	} while (0)

/* Makes the driver check the engine again, by a request without an answer. Returns when the engine was asked. */
void provoke_probe(void);
void negotiate(const char *version);

/* Checks that the engine understood all requests, and is empty again. */
int docker_rig_after_each(void **state);

#endif
