#include "follow/asking.h"

#include <errno.h>
#include <stdint.h>
#include <utlist.h>

#include "base/log.h"
#include "base/mem.h"
#include "ipc/heartbeat.h"

static const struct db_statement *const prepared[] = {&db_logs_news};

struct asking {
	struct db_async_plan plan;
	struct db_async *db;
	asking_fn told;
	void *arg;
	size_t most; /* requests of the next statement */

	/* The statement under way. */
	size_t count;                /* number of its requests; 0: no statement is under way */
	struct follower **asked;     /* NULL: this request has ended */
	struct db_log_asker *askers; /* the same requests */
	struct db_log_question question;
};

static bool away; /* PostgreSQL; one log line when the connection is lost, and one when it is back */

static void on_connected(void *arg)
{
	(void)arg;
	if (away)
		log_info("PostgreSQL is back");
	away = false;
}

static void on_lost(const struct err *why, void *arg)
{
	(void)arg;
	if (!away)
		log_warn("%s", why->msg);
	away = true;
}

struct asking *asking_new(const struct conf *conf, asking_fn told, void *arg)
{
	struct asking *a = mem_alloc(sizeof(*a));

	a->plan = (struct db_async_plan){
		.application = "berth-follow",
		.prepared = prepared,
		.prepared_count = ARRAY_SIZE(prepared),
		.hooks = {.connected = on_connected, .lost = on_lost},
	};
	a->told = told;
	a->arg = arg;
	a->most = SIZE_MAX;
	a->db = db_async_new(conf, &a->plan);
	return a;
}

static void end_question(struct asking *a)
{
	db_log_question_free(&a->question);
	a->question = (struct db_log_question){0};
	mem_free(&a->asked);
	mem_free(&a->askers);
	a->count = 0;
}

void asking_free(struct asking **asking)
{
	if (*asking == NULL)
		return;
	db_async_free(&(*asking)->db);
	end_question(*asking);
	mem_free(asking);
}

bool asking_is_free(const struct asking *a)
{
	return a->count == 0;
}

static void on_answer(const struct err *err, const PGresult *r, void *arg)
{
	struct asking *a = arg;
	struct db_log_reply news;
	int row = 0;

	if (err != NULL && err->code == ETIMEDOUT && a->count > 1) {
		a->most = a->count / 2;
		end_question(a);
		return;
	}
	a->most = a->most > SIZE_MAX / 2 ? SIZE_MAX : 2 * a->most;
	for (size_t i = 0; i < a->count; i++) {
		struct follower *f = a->asked[i];
		if (err == NULL)
			row = db_log_reply(r, row, &a->askers[i], &news);
		if (f == NULL)
			continue;
		heartbeat_now(); /* sending an answer may take a second */
		log_set_request(f->request.id);
		a->told(f, err, r, &news, a->arg);
	}
	log_set_request(NULL);
	end_question(a);
}

size_t asking_begin(struct asking *a, struct follower *list)
{
	struct follower *f;
	size_t count = 0;

	DL_COUNT(list, f, count);
	count = MIN(count, a->most);
	a->asked = mem_alloc(count * sizeof(a->asked[0]));
	a->askers = mem_alloc(count * sizeof(a->askers[0]));
	DL_FOREACH (list, f) {
		if (a->count == count)
			break;
		a->asked[a->count] = f;
		a->askers[a->count++] = follower_asker(f);
	}
	db_log_question_make(&a->question, a->askers, a->count, FOLLOWER_PAGE_BYTES);
	db_async_ask(a->db, &db_logs_news, a->question.params, on_answer, a);
	return count;
}

void asking_forget(struct asking *a, const struct follower *follower)
{
	for (size_t i = 0; i < a->count; i++)
		if (a->asked[i] == follower)
			a->asked[i] = NULL;
}

struct db_async_wait asking_wait(const struct asking *a)
{
	return db_async_wait(a->db);
}

void asking_step(struct asking *a, short events)
{
	db_async_step(a->db, events);
}
