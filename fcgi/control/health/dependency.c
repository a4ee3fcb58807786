#include "control/health/dependency.h"

#include <errno.h>

#include "base/clock.h"
#include "db/db.h"
#include "http/discreet.h"
#include "http/json_text.h"
#include "run/lease.h"
#include "worker/worker.h"

/* A question about readiness should not have to wait long for a negative answer. */
#define STATS_TIMEOUT_US 500000

void dependency_add(json_t *checks, const char *name, bool ok, const char *detail)
{
	json_object_set_new(checks, name, json_pack("{s:s, s:o}", "status", ok ? "ok" : "failed", "detail", json_text(detail)));
}

/* libpq's messages contain host and user, so they go to the log only (api/db_log.h). */
#define DATABASE_AWAY "PostgreSQL cannot be reached, or does not answer; berthd's log says why"

bool dependency_check_database(struct worker *w, json_t *checks)
{
	bool ok = db_ping(w->db, NULL) == 0;

	dependency_add(checks, "database", ok, ok ? "PostgreSQL answers" : DATABASE_AWAY);
	return ok;
}

/* poolmgr's answer is complete, for berthd --status for instance; clients get only a part of it. */
static void make_discreet(json_t *stats)
{
	json_t *database = json_object_get(stats, "database");

	discreet_json(stats);
	if (json_string_length(json_object_get(database, "detail")) > 0)
		json_object_set_new(database, "detail", json_string(DATABASE_AWAY));
}

int dependency_ask_poolmgr(struct worker *w, bool whole, json_t **stats, struct err *err)
{
	AUTO(buf_free) struct buf text = {0};

	if (lease_stats(w->poolmgr, whole, clock_mono_us() + STATS_TIMEOUT_US, &text, err) < 0)
		return -1;
	json_t *json = json_loadb(text.data, text.len, 0, NULL);
	if (json == NULL)
		return err_set(err, EPROTO, "the pool manager's answer is not JSON");
	make_discreet(json);
	*stats = json;
	return 0;
}
