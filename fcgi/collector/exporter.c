#include "collector/exporter.h"

#include <assert.h>
#include <curl/curl.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "collector/spans.h"

#define BATCH_BYTES    (512u << 10)
#define BATCH_AGE_US   1000000 /* spans are sent after this time, however few there are */
#define PAUSE_LEAST_US 1000000
#define PAUSE_MOST_US  30000000
#define GIVE_UP_US     120000000 /* after this time a batch that cannot be sent is dropped */
#define FLUSH_US       2000000
#define COMPLAIN_US    60000000
#define FDS_MAX        8
#define ANSWER_MAX     65536

struct exporter {
	char *endpoint;
	const char *node;
	int64_t timeout_ms, ratio_percent;
	size_t queue_bytes;
	CURLM *multi;
	CURL *transfer; /* NULL: no request is under way */
	struct curl_slist *headers;

	struct buf waiting; /* spans that are not in a batch yet */
	int waiting_count;
	int64_t since_us; /* time of the oldest of them */
	struct buf batch; /* the body that is being sent or will be sent again; empty: none */
	int batch_count;
	int64_t batch_us;             /* when it was first tried */
	int64_t next_us, pause_us;    /* when to try again, and the pause before that */
	size_t answered;              /* bytes of the answer, which is ignored */
	uint64_t dropped, complained; /* number of spans dropped, and how many of them were logged */
	int64_t complain_us;
};

struct exporter *exporter_new(const struct conf *conf, const char *node)
{
	if (conf->tracing_endpoint[0] == '\0')
		return NULL;
	struct exporter *e = mem_alloc(sizeof(*e));
	e->endpoint = mem_strdup(conf->tracing_endpoint);
	e->node = node;
	e->timeout_ms = conf->tracing_timeout_ms;
	e->ratio_percent = conf->tracing_ratio_percent;
	e->queue_bytes = (size_t)conf->tracing_queue_bytes;
	curl_global_init(CURL_GLOBAL_DEFAULT);
	e->multi = curl_multi_init();
	e->headers = curl_slist_append(NULL, "Content-Type: application/json");
	e->headers = curl_slist_append(
		e->headers,
		"Expect:"); /* without "Expect: 100-continue", which costs a second with servers that do not support it */
	assert(e->multi != NULL && e->headers != NULL);
	return e;
}

static void end_transfer(struct exporter *e)
{
	if (e->transfer == NULL)
		return;
	curl_multi_remove_handle(e->multi, e->transfer);
	curl_easy_cleanup(e->transfer);
	e->transfer = NULL;
}

static void complain(struct exporter *e)
{
	if (e->dropped > e->complained)
		log_warn("%" PRIu64 " spans were dropped: %s does not take them fast enough, or not at all",
			 e->dropped - e->complained, e->endpoint);
	e->complained = e->dropped;
	e->complain_us = clock_mono_us() + COMPLAIN_US;
}

void exporter_free(struct exporter **exporter)
{
	struct exporter *e = *exporter;

	if (e == NULL)
		return;
	e->dropped += (uint64_t)(e->waiting_count + e->batch_count);
	complain(e);
	end_transfer(e);
	curl_multi_cleanup(e->multi);
	curl_slist_free_all(e->headers);
	buf_free(&e->waiting);
	buf_free(&e->batch);
	mem_free(&e->endpoint);
	mem_free(exporter);
}

/* Of the traces that begin here a share is sent, the same on every node; of other traces those that their caller samples. */
static bool is_sampled(const struct exporter *e, const struct record *r)
{
	if ((r->trace_flags & 1) == 0)
		return false;
	return r->parent_span_id != 0 || buf_get_u64(r->trace_id.bytes + 8) % 100 < (uint64_t)e->ratio_percent;
}

void exporter_take(struct exporter *e, const struct spool_batch *batch)
{
	for (size_t i = 0; e != NULL && i < batch->record_count; i++) {
		const struct spool_record *r = &batch->records[i];
		if (r->refused || !record_is_invocation(&r->record) || !is_sampled(e, &r->record))
			continue;
		if (e->waiting.len >= e->queue_bytes) {
			e->dropped++;
			continue;
		}
		if (e->waiting_count == 0)
			e->since_us = clock_mono_us();
		e->waiting_count += spans_add(&e->waiting, &r->record);
	}
}

static size_t ignore_answer(char *data, size_t size, size_t count, void *arg)
{
	struct exporter *e = arg;

	(void)data;
	e->answered += size * count;
	return e->answered > ANSWER_MAX ? 0 : size * count;
}

static void begin_transfer(struct exporter *e)
{
	CURL *t = curl_easy_init();

	assert(t != NULL);
	e->answered = 0;
	curl_easy_setopt(t, CURLOPT_URL, e->endpoint);
	curl_easy_setopt(t, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(t, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(t, CURLOPT_HTTPHEADER, e->headers);
	curl_easy_setopt(t, CURLOPT_POSTFIELDS, e->batch.data);
	curl_easy_setopt(t, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)e->batch.len);
	curl_easy_setopt(t, CURLOPT_TIMEOUT_MS, (long)e->timeout_ms);
	curl_easy_setopt(t, CURLOPT_WRITEFUNCTION, ignore_answer);
	curl_easy_setopt(t, CURLOPT_WRITEDATA, e);
	curl_multi_add_handle(e->multi, t);
	e->transfer = t;
}

/* Makes the waiting spans the next batch. */
static void make_batch(struct exporter *e, int64_t now_us)
{
	spans_request(&e->batch, e->node, &e->waiting);
	e->batch_count = e->waiting_count;
	e->batch_us = e->next_us = now_us;
	e->pause_us = PAUSE_LEAST_US;
	buf_reset(&e->waiting);
	e->waiting_count = 0;
}

static void end_batch(struct exporter *e)
{
	buf_reset(&e->batch);
	e->batch_count = 0;
}

/* The errors that OTLP declares retryable; requests with other errors would be refused again. */
static bool may_retry(CURLcode code, long status)
{
	return code != CURLE_OK || status == 429 || status == 502 || status == 503 || status == 504;
}

static void finish(struct exporter *e, CURLcode code, int64_t now_us)
{
	long status = 0;

	curl_easy_getinfo(e->transfer, CURLINFO_RESPONSE_CODE, &status);
	end_transfer(e);
	if (code == CURLE_OK && status / 100 == 2) {
		end_batch(e);
		return;
	}
	if (e->pause_us == PAUSE_LEAST_US)
		log_warn("spans to %s: %s, HTTP status %ld", e->endpoint, curl_easy_strerror(code), status);
	if (!may_retry(code, status) || now_us - e->batch_us > GIVE_UP_US) {
		e->dropped += (uint64_t)e->batch_count;
		end_batch(e);
		return;
	}
	e->next_us = now_us + e->pause_us;
	e->pause_us = MIN(2 * e->pause_us, PAUSE_MOST_US);
}

static void hear(struct exporter *e, int64_t now_us)
{
	int running, left;
	CURLMsg *message;

	curl_multi_perform(e->multi, &running);
	while ((message = curl_multi_info_read(e->multi, &left)) != NULL)
		if (message->msg == CURLMSG_DONE && message->easy_handle == e->transfer)
			finish(e, message->data.result, now_us);
}

void exporter_work(struct exporter *e)
{
	int64_t now_us = clock_mono_us();

	if (e == NULL)
		return;
	if (e->transfer != NULL)
		hear(e, now_us);
	bool due = e->waiting.len >= BATCH_BYTES || (e->waiting_count > 0 && now_us - e->since_us >= BATCH_AGE_US);
	if (e->batch.len == 0 && due)
		make_batch(e, now_us);
	if (e->transfer == NULL && e->batch.len > 0 && now_us >= e->next_us) {
		begin_transfer(e);
		hear(e, now_us);
	}
	if (now_us >= e->complain_us)
		complain(e);
}

int exporter_poll(struct exporter *e, struct pollfd *fds, unsigned count, int timeout_ms)
{
	struct curl_waitfd extra[FDS_MAX];
	int ready = 0;

	if (e == NULL || e->transfer == NULL)
		return poll(fds, count, timeout_ms);
	assert(count <= FDS_MAX);
	for (unsigned i = 0; i < count; i++)
		extra[i] = (struct curl_waitfd){.fd = fds[i].fd, .events = CURL_WAIT_POLLIN};
	curl_multi_poll(e->multi, extra, count, timeout_ms, &ready);
	exporter_work(e);
	/* In some versions of libcurl the revents of the extra descriptors are not those of poll(2). */
	return poll(fds, count, 0);
}

void exporter_flush(struct exporter *e)
{
	int64_t end_us = clock_mono_us() + FLUSH_US;

	while (e != NULL && clock_mono_us() < end_us && (e->batch.len > 0 || e->waiting_count > 0)) {
		e->since_us = 0;
		e->next_us = 0;
		exporter_work(e);
		if (e->transfer == NULL)
			break; /* it was refused and would be refused again */
		exporter_poll(e, NULL, 0, clock_left_ms(end_us));
	}
}
