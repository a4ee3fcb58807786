/*
 * A shape is what Docker must know when it creates a sandbox: runtime, version of the language, and the limits it enforces.
 * Sandboxes of one shape are alike until one is assigned to a function, so each shape has its prewarmed spares.
 */
#ifndef POOLMGR_CATALOG_SHAPE_H
#define POOLMGR_CATALOG_SHAPE_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/conf.h"
#include "conf/language.h"
#include "ipc/spec.h"
#include "poolmgr/catalog/forecast.h"
#include "runtimes/driver.h"

struct sandbox;
struct version;

struct shape_key {
	const struct driver *driver;
	const struct language_version *language_version;
	int64_t memory_mb, cpu_millis, tmp_mb, tmp_inodes, pids, nofile; /* the limits of the function */
	bool egress;
};

struct shape {
	char *name; /* "gvisor/python-3.13/128MB/1000m/64MB/…": for the log and the statistics */
	struct shape_key key;
	bool always; /* it has spares even when no function uses it */

	struct sandbox *spares; /* state SPARE, linked by peer_prev, peer_next */
	int spare_count;
	int starting; /* sandboxes CREATING or BOOTING */
	int users;    /* sandboxes and versions that refer to it */

	struct version *hungry;   /* versions with requests waiting, served in turn */
	struct version *kept;     /* versions with version->min_warm > 0, which have sandboxes even without requests */
	int64_t used_us;          /* when a function last asked for it */
	int64_t start_us;         /* how long a start takes, moving average */
	struct forecast forecast; /* predicts how many spares requests will need */

	/* After a sandbox failed to start: when to try again, and the reason. */
	int failures;      /* failures in a row; starts that were under way together count as one */
	int64_t failed_us; /* time of the latest failure that counted */
	int64_t retry_us;
	char problem[512];

	int64_t replaced_us; /* when a sandbox of an older image was last replaced (poolmgr/sandbox/renewal.h) */

	struct shape *prev, *next;
};

/* All shapes. */
extern struct shape *shapes;

/*
 * Creates the shapes that always have spares: the default runtime, version and limits for each language. With a new
 * configuration these may be other shapes. Both are borrowed for the life of the process.
 */
void shape_init(const struct conf *conf, const struct language *languages);
void shape_set_conf(const struct conf *conf);

/* Finds or creates the shape that a version needs. -1 when its version of the language does not exist. */
int shape_for(const struct spec *spec, struct shape **shape, struct err *err);

/* What the node has to keep for a sandbox: the limit of its function, and what runtime and interpreter need beside it. */
int64_t shape_memory_mb(const struct shape *shape);

/* Notes that a request needed a new sandbox of this shape, because none of its version's own sandboxes was free. */
void shape_needed(struct shape *shape, int64_t now_us);

/*
 * The number of spares that it should have now: between pool.min_spares and pool.max_spares, or none when no function uses it.
 */
int shape_spares_wanted(const struct shape *shape, int64_t now_us);

/* A sandbox was ready took_us after its start began. */
void shape_learn_start_time(struct shape *shape, int64_t took_us);

/* A sandbox could not be started: doubles the pause before the next attempt. */
void shape_start_failed(struct shape *shape, const char *why, int64_t now_us);
void shape_start_succeeded(struct shape *shape);

/* Docker Engine is back: ends the pauses, because the failures may have been caused by its stop. */
void shape_retry_all(void);

/* Frees the shape when nothing refers to it any more. */
void shape_forget_if_unused(struct shape *shape, int64_t now_us);

#endif
