#include "collector/certificate.h"

#include <curl/curl.h>
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

#define PERIOD_US      60000000
#define AGAIN_US       5000000 /* interval while it is not known, because nginx starts after berthd */
#define TIMEOUT_MS     1000
#define COMPLAIN_AFTER 12 /* number of failures: a minute without an answer */

#define EXPIRY "Expire date:"

/* Reads the first certificate of the chain, which is the server's own. */
static int read_expiry(CURL *t, int64_t *ends_s, struct err *err)
{
	struct curl_certinfo *chain = NULL;

	curl_easy_getinfo(t, CURLINFO_CERTINFO, &chain);
	for (struct curl_slist *line = chain && chain->num_of_certs > 0 ? chain->certinfo[0] : NULL; line; line = line->next) {
		time_t when =
			strncmp(line->data, EXPIRY, strlen(EXPIRY)) == 0 ? curl_getdate(line->data + strlen(EXPIRY), NULL) : -1;
		if (when > 0) {
			*ends_s = when;
			return 0;
		}
	}
	return err_set(err, EPROTO, "it does not say until when its certificate is valid");
}

static int ask(const char *address, int64_t *ends_s, struct err *err)
{
	AUTO(mem_free) char *url = mem_printf("https://%s/", address);
	CURL *t = curl_easy_init();

	if (t == NULL)
		return err_set(err, ENOMEM, "libcurl");
	curl_easy_setopt(t, CURLOPT_URL, url);
	curl_easy_setopt(t, CURLOPT_PROXY, "");
	curl_easy_setopt(t, CURLOPT_PROTOCOLS_STR, "https");
	curl_easy_setopt(t, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(t, CURLOPT_CONNECT_ONLY, 1L);
	curl_easy_setopt(t, CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS);
	curl_easy_setopt(t, CURLOPT_CERTINFO, 1L);
	/* The certificate is not verified, because an expired one is to be reported, too. */
	curl_easy_setopt(t, CURLOPT_SSL_VERIFYPEER, 0L);
	curl_easy_setopt(t, CURLOPT_SSL_VERIFYHOST, 0L);
	CURLcode code = curl_easy_perform(t);
	int rc = code == CURLE_OK ? read_expiry(t, ends_s, err) : err_set(err, EIO, "%s", curl_easy_strerror(code));
	curl_easy_cleanup(t);
	return rc;
}

int certificate_look(struct certificate_watch *w, const char *address, int64_t *ends_s, struct err *err)
{
	int64_t now_us = clock_mono_us();
	struct err why;

	if (address[0] == '\0')
		*ends_s = 0;
	if (address[0] == '\0' || now_us < w->due_us)
		return 0;
	if (ask(address, ends_s, &why) == 0) {
		*w = (struct certificate_watch){.due_us = now_us + PERIOD_US};
		return 0;
	}
	w->due_us = now_us + (w->failures < COMPLAIN_AFTER ? AGAIN_US : PERIOD_US);
	if (++w->failures != COMPLAIN_AFTER)
		return 0;
	return err_set(err, why.code, "nginx at %s: %s", address, why.msg);
}
