#include "http/request.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "base/uuid.h"

static const char *const method_names[METHOD_COUNT] = {"GET", "POST", "PUT", "DELETE", "?"};

#define ALNUM "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

const char *request_method_name(enum request_method method)
{
	return (unsigned)method < METHOD_COUNT ? method_names[method] : "?";
}

static enum request_method method_parse(const char *name)
{
	unsigned m = 0;

	if (strcmp(name, "HEAD") == 0)
		return METHOD_GET;
	while (m < METHOD_OTHER && strcmp(method_names[m], name) != 0)
		m++;
	return (enum request_method)m;
}

static int hex_value(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c != '\0' ? strchr(digits, tolower((unsigned char)c)) : NULL;

	return at != NULL ? (int)(at - digits) : -1;
}

/*
 * Decodes %XX in len bytes and, in a query, '+'. The result must be printable ASCII (a space only in a query), without a '/'
 * that was encoded, so that decoding it a second time cannot lead elsewhere. Returns the length, -1 if the rule is broken.
 */
static ptrdiff_t percent_decode(const char *from, size_t len, bool in_query, char *to)
{
	char *out = to;

	for (size_t i = 0; i < len; i++) {
		int c = (unsigned char)from[i];
		bool encoded = c == '%';
		if (encoded) {
			int high = i + 2 < len ? hex_value(from[i + 1]) : -1;
			int low = high >= 0 ? hex_value(from[i + 2]) : -1;
			if (low < 0)
				return -1;
			c = high << 4 | low;
			i += 2;
		} else if (c == '+' && in_query) {
			c = ' ';
		}
		if (c < (in_query ? 0x20 : 0x21) || c > 0x7e || (encoded && c == '/' && !in_query))
			return -1;
		*out++ = (char)c;
	}
	*out = '\0';
	return out - to;
}

static int parse_path(struct request *r, struct err *err)
{
	const char *p = r->path;
	char *to = r->path_text;

	if (*p != '/')
		return err_set(err, 0, "the path does not begin with '/'");
	if (p[1] == '\0')
		return 0;
	while (*p == '/') {
		size_t len = strcspn(++p, "/");
		if (r->segment_count == REQUEST_SEGMENTS_MAX)
			return err_set(err, 0, "the path has more than %d parts", REQUEST_SEGMENTS_MAX);
		ptrdiff_t n = percent_decode(p, len, false, to);
		if (n < 0)
			return err_set(err, 0, "the path contains a character or a %%-escape that is not allowed");
		if (strcmp(to, ".") == 0 || strcmp(to, "..") == 0)
			return err_set(err, 0, "the path contains a '%s' segment", to);
		r->segments[r->segment_count++] = to;
		to += n + 1;
		p += len;
	}
	return 0;
}

/* Decodes one "name=value" of the query to *to, and advances *to. */
static int parse_param(struct request *r, const char *pair, size_t len, char **to, struct err *err)
{
	const char *equals = memchr(pair, '=', len);
	size_t name_len = equals != NULL ? (size_t)(equals - pair) : len;
	size_t value_at = equals != NULL ? name_len + 1 : len;

	if (r->param_count == REQUEST_PARAMS_MAX)
		return err_set(err, 0, "the query has more than %d parameters", REQUEST_PARAMS_MAX);
	struct request_param *param = &r->params[r->param_count++];
	param->name = *to;
	ptrdiff_t n = percent_decode(pair, name_len, true, *to);
	if (n >= 0) {
		*to += n + 1;
		param->value = *to;
		n = percent_decode(pair + value_at, len - value_at, true, *to);
	}
	if (n < 0) {
		r->param_count--;
		return err_set(err, 0, "the query contains a character or a %%-escape that is not allowed");
	}
	*to += n + 1;
	return 0;
}

static int parse_query(struct request *r, const char *query, struct err *err)
{
	char *to = r->query_text;

	/* The decoded text with its NULs is longer than the query by at most one byte per pair: "a&b" becomes "a" "" "b" "". */
	if (strlen(query) > sizeof(r->query_text) - 2 * REQUEST_PARAMS_MAX)
		return err_set(err, 0, "the query is longer than %zu bytes", sizeof(r->query_text) - 2 * REQUEST_PARAMS_MAX);
	while (*query != '\0') {
		size_t len = strcspn(query, "&");
		if (len > 0 && parse_param(r, query, len, &to, err) < 0)
			return -1;
		query += len + (query[len] == '&');
	}
	for (int i = 0; i < r->param_count; i++)
		if (request_param(r, r->params[i].name) != r->params[i].value)
			return err_set(err, 0, "the query contains '%.40s' twice", r->params[i].name);
	return 0;
}

/* W3C Trace Context: version-traceid-parentid-flags in lower-case hex; no id is all zeros, version ff is none. */
static bool traceparent_valid(const char *text)
{
	static const struct {
		size_t at, len;
		bool not_zero;
	} parts[] = {{0, 2, false}, {3, 32, true}, {36, 16, true}, {53, 2, false}};

	if (strlen(text) != REQUEST_TRACEPARENT_SIZE - 1 || strncmp(text, "ff", 2) == 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		const char *p = text + parts[i].at;
		if (strspn(p, "0123456789abcdef") != parts[i].len || (p[parts[i].len] != '-' && p[parts[i].len] != '\0'))
			return false;
		if (parts[i].not_zero && strspn(p, "0") >= parts[i].len)
			return false;
	}
	return true;
}

static void set_id(struct request *r, const char *wanted)
{
	struct uuid fresh;

	if (wanted != NULL && *wanted != '\0' && strlen(wanted) < sizeof(r->id) &&
	    strspn(wanted, ALNUM "._:-") == strlen(wanted)) {
		text_copy(r->id, sizeof(r->id), wanted, strlen(wanted));
		return;
	}
	fresh = uuid_new();
	uuid_format(&fresh, r->id);
}

/* "Application/JSON; charset=utf-8" becomes "application/json"; unprintable characters become '?'. */
static void set_content_type(struct request *r, const char *header)
{
	size_t len = strcspn(header, ";");

	while (len > 0 && strchr(" \t", header[len - 1]) != NULL)
		len--;
	len = MIN(len, sizeof(r->content_type) - 1);
	for (size_t i = 0; i < len; i++)
		r->content_type[i] = isprint((unsigned char)header[i]) ? (char)tolower((unsigned char)header[i]) : '?';
	r->content_type[len] = '\0';
}

/*
 * Browsers tell which site a request comes from: with Sec-Fetch-Site always, and with Origin for requests that may change
 * something. A different port or a different name of the same site is foreign too. Programs send neither header.
 */
static bool is_foreign(const char *site, const char *origin, const char *host)
{
	static const char scheme[] = "https://";
	const size_t len = sizeof(scheme) - 1;

	if (site[0] != '\0' && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0)
		return true;
	return origin[0] != '\0' && (strncasecmp(origin, scheme, len) != 0 || strcasecmp(origin + len, host) != 0);
}

static void set_caller(struct request *r, const char *address)
{
	if (strspn(address, "0123456789abcdefABCDEF.:") == strlen(address))
		text_copy(r->caller, sizeof(r->caller), address, strlen(address));
}

static int parse_length(struct request *r, const char *header, struct err *err)
{
	size_t digits = strspn(header, "0123456789");

	if (header[digits] != '\0' || digits > 18)
		return err_set(err, 0, "Content-Length must be a number");
	r->content_length = strtoll(header, NULL, 10);
	return 0;
}

/*
 * queued_at: the time when the web server queued the request, such as "1764064800.123". Its clock is ours, but has a resolution
 * of milliseconds and does not advance while nginx is busy, so short waits cannot be measured.
 */
static void set_waited(struct request *r, const char *queued_at, int64_t now_us)
{
	char *end;
	long long seconds = strtoll(queued_at, &end, 10);
	int64_t waited_us = 0;

	if (end != queued_at && *end == '.' && seconds > 0 && seconds < INT32_MAX * 16ll)
		waited_us = now_us - (seconds * 1000000 + strtoll(end + 1, NULL, 10) % 1000 * 1000);
	r->waited_us = waited_us >= REQUEST_WAIT_LEAST_US ? waited_us : 0;
}

/* The variable's value; "" when it is absent. */
static const char *variable(const struct request_source *source, const char *name)
{
	const char *value = source->variable != NULL ? source->variable(source->context, name) : NULL;

	return value != NULL ? value : "";
}

static int parse_headers(const struct request_source *source, struct request *r, struct err *err)
{
	const char *traceparent = variable(source, "HTTP_TRACEPARENT");
	const char *if_match = variable(source, "HTTP_IF_MATCH");

	if (traceparent_valid(traceparent))
		memcpy(r->traceparent, traceparent, sizeof(r->traceparent));
	set_content_type(r, variable(source, "CONTENT_TYPE"));
	set_caller(r, variable(source, "REMOTE_ADDR"));
	r->foreign = is_foreign(variable(source, "HTTP_SEC_FETCH_SITE"), variable(source, "HTTP_ORIGIN"),
				variable(source, "HTTP_HOST"));
	set_waited(r, variable(source, "BERTH_QUEUED_AT"), source->now_us);
	if (strlen(if_match) >= sizeof(r->if_match))
		return err_set(err, 0, "If-Match is too long; send one ETag");
	text_copy(r->if_match, sizeof(r->if_match), if_match, strlen(if_match));
	return parse_length(r, variable(source, "CONTENT_LENGTH"), err);
}

int request_parse(const struct request_source *source, struct request *r, struct err *err)
{
	const char *uri = source->uri != NULL ? source->uri : "/";
	size_t path_len = strcspn(uri, "?");

	/* The texts need no zeroing, because only the parts that pointers refer to are read. */
	memset(r, 0, offsetof(struct request, path_text));
	set_id(r, variable(source, "HTTP_X_REQUEST_ID"));
	r->method = method_parse(source->method != NULL ? source->method : "");
	text_copy(r->path, sizeof(r->path), uri, path_len);

	if (path_len >= sizeof(r->path))
		return err_set(err, 0, "the path is longer than %zu bytes", sizeof(r->path) - 1);
	if (parse_path(r, err) < 0 || parse_query(r, source->query != NULL ? source->query : "", err) < 0)
		return -1;
	return parse_headers(source, r, err);
}

const char *request_param(const struct request *request, const char *name)
{
	for (int i = 0; i < request->param_count; i++)
		if (strcmp(request->params[i].name, name) == 0)
			return request->params[i].value;
	return NULL;
}

int request_param_int(const struct request *request, const char *name, int64_t min, int64_t max, int64_t *value,
		      struct err *err)
{
	const char *text = request_param(request, name);
	size_t digits = text != NULL ? strspn(text, "0123456789") : 0;

	if (text == NULL)
		return 0;
	int64_t number = digits > 0 && digits <= 18 && text[digits] == '\0' ? strtoll(text, NULL, 10) : -1;
	if (number < min || number > max)
		return err_set(err, 0, "'%s' must be a whole number from %lld to %lld", name, (long long)min, (long long)max);
	*value = number;
	return 0;
}
