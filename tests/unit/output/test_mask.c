#include "output/mask.h"

#include "base/clock.h"
#include "tests/unit/unit.h"

#define SECRETS "correct horse\0correct horse battery\0staple-1\0"

static void assert_masked(const char *secrets, size_t secrets_len, const char *text, bool cut, const char *expected)
{
	AUTO(mask_free) struct mask *mask = mask_new(secrets, secrets_len);
	AUTO(buf_free) struct buf out = {0};

	mask_add(mask, text, strlen(text), cut, &out);
	assert_string_equal(buf_str(&out), expected);
}
#define ASSERT_MASKED(secrets, text, cut, expected) assert_masked(secrets, sizeof(secrets) - 1, text, cut, expected)

static void a_secret_is_found_where_it_is_and_the_longest_one_counts(void **state)
{
	(void)state;
	ASSERT_MASKED(SECRETS, "correct horse", false, "***");
	ASSERT_MASKED(SECRETS, "a correct horse battery!", false, "a ***!");
	ASSERT_MASKED(SECRETS, "a correct horse batter", false, "a *** batter");
	ASSERT_MASKED(SECRETS, "sstaple-1staple-1", false, "s******");
	ASSERT_MASKED(SECRETS, "correct hors", false, "correct hors");
	ASSERT_MASKED(SECRETS, "", false, "");
}

static void secrets_that_overlap_are_masked_together(void **state)
{
	(void)state;
	ASSERT_MASKED("abababab\0", "-ababababab-", false, "-***-");
	ASSERT_MASKED("key=first\0first=value\0", "key=first=value!", false, "***!");
	ASSERT_MASKED("ccddeeff\0aabbccddeeffgg\0ffgghh--\0", "!aabbccddeeffgghh--?", false, "!***?");
	ASSERT_MASKED("ccddeeff\0aabbccddeeffgg\0", "!aabbccddeeffg", false, "!aabb***g");
}

static void of_a_text_that_was_cut_off_the_beginning_of_a_secret_counts(void **state)
{
	(void)state;
	ASSERT_MASKED(SECRETS, "is correct ho", true, "is ***");
	ASSERT_MASKED(SECRETS, "is correct horse bat", true, "is ***");
	ASSERT_MASKED(SECRETS, "correct ho, is it", true, "correct ho, is it");
	ASSERT_MASKED(SECRETS, "is correct ho", false, "is correct ho");
	ASSERT_MASKED(SECRETS, "correct horses", true,
		      "***"
		      "***"); /* "s" begins another one */
}

static void without_secrets_nothing_is_found(void **state)
{
	(void)state;
	assert_null(mask_new(NULL, 0));
	assert_masked(NULL, 0, "staple-1", true, "staple-1");
}

/* ---- Compared with the plain way ---- */

#define TEXT_MAX   200
#define SECRET_MAX 12

struct sample {
	char secrets[64];
	size_t secrets_len;
	char text[TEXT_MAX];
	size_t len;
	bool cut;
};

/* Of few different bytes, so that secrets are found, overlap, and begin alike. */
static void make_sample(unsigned *seed, struct sample *s)
{
	int secret_count = 1 + rand_r(seed) % 5, letters = 1 + rand_r(seed) % 3;

	s->secrets_len = 0;
	for (int i = 0; i < secret_count; i++) {
		int len = 1 + rand_r(seed) % SECRET_MAX;
		if (s->secrets_len + (size_t)len + 1 > sizeof(s->secrets))
			break;
		for (int k = 0; k < len; k++)
			s->secrets[s->secrets_len++] =
				(char)(0xfe + rand_r(seed) % letters % 2 + rand_r(seed) % letters / 2 * 99);
		s->secrets[s->secrets_len++] = '\0';
	}
	s->len = (size_t)rand_r(seed) % TEXT_MAX;
	for (size_t i = 0; i < s->len; i++)
		s->text[i] = (char)(0xfe + rand_r(seed) % letters % 2 + rand_r(seed) % letters / 2 * 99);
	s->cut = rand_r(seed) % 2;
}

/* What is secret, and where what is before belongs to the same. */
struct marks {
	bool secret[TEXT_MAX], joined[TEXT_MAX];
};

static void mark(struct marks *m, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		m->secret[i] = true;
		m->joined[i] |= i > from;
	}
}

/* Each place is looked at for each secret. */
static void mark_plainly(const struct sample *s, struct marks *m)
{
	for (size_t at = 0; at < s->len; at++) {
		for (const char *one = s->secrets; one < s->secrets + s->secrets_len; one += strlen(one) + 1) {
			size_t n = MIN(strlen(one), s->len - at);
			if ((n == strlen(one) || s->cut) && memcmp(s->text + at, one, n) == 0)
				mark(m, at, at + n);
		}
	}
}

static void assert_as_plainly(const struct sample *s, const struct mask_scan *scan, unsigned seed)
{
	struct marks expected = {0}, found = {0};

	mark_plainly(s, &expected);
	for (size_t i = 0; i < mask_span_count(scan); i++) {
		const struct mask_span *span = mask_span_at(scan, i);
		assert_true(span->from < span->to && span->to <= s->len);
		assert_true(i == 0 || span->from >= mask_span_at(scan, i - 1)->to);
		mark(&found, span->from, span->to);
	}
	if (memcmp(&expected, &found, sizeof(found)) != 0)
		fail_msg("seed %u", seed);
}

static void it_agrees_with_the_plain_way_on_any_text_in_any_pieces(void **state)
{
	struct mask_scan scan = {0};
	struct sample s;

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		unsigned seed = round;
		make_sample(&seed, &s);
		AUTO(mask_free) struct mask *mask = mask_new(s.secrets, s.secrets_len);
		mask_scan_begin(&scan);
		for (size_t at = 0, n; at < s.len; at += n) {
			size_t wanted = 1 + (size_t)rand_r(&seed) % 40;
			n = MIN(wanted, s.len - at);
			mask_scan(mask, &scan, s.text + at, n);
		}
		mask_scan_end(mask, &scan, s.cut);
		assert_as_plainly(&s, &scan, round);
	}
	buf_free(&scan.spans);
}

/* ---- Time ---- */

#define LARGE (1u << 20)

/* Seconds that it takes to go through a megabyte of text repeated. */
static double time_of(const struct buf *secrets, const char *text)
{
	AUTO(mask_free) struct mask *mask = mask_new(secrets->data, secrets->len);
	AUTO(buf_free) struct buf large = {0}, out = {0};
	int64_t start_us = clock_mono_us();

	while (large.len < LARGE)
		buf_add_str(&large, text);
	mask_add(mask, large.data, large.len, true, &out);
	assert_true(out.len > 0);
	return (double)(clock_mono_us() - start_us) / 1e6;
}

/* All lengths of one letter; with another letter at the end, or in front; and all that may follow upon the same beginning. */
static void whatever_the_secrets_are_it_takes_a_moment(void **state)
{
	static const char *const texts[] = {"a", "aaaaaaab", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", "aaaaaaaac",
					    "baaaaaaaa"};
	struct buf rows[5] = {{0}};

	(void)state;
	for (int len = 8; len < 250; len++) {
		buf_printf(&rows[0], "%0*d%c", len, 0, 0);
		buf_printf(&rows[1], "%0*db%c", len, 0, 0);
		buf_printf(&rows[2], "b%0*d%c", len, 0, 0);
		buf_printf(&rows[3], "aaaaaaaa%c%c", len < 0x60 ? len + 0x70 : len, 0);
	}
	while (rows[4].len < 30000)
		buf_printf(&rows[4], "aaaaaaaaaaaaaaa%c", 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		for (size_t k = 0; k < rows[i].len; k++)
			rows[i].data[k] = (char)(rows[i].data[k] == '0' ? 'a' : rows[i].data[k]);
		for (size_t k = 0; k < ARRAY_SIZE(texts); k++) {
			double took = time_of(&rows[i], texts[k]);
			if (took >
			    5) /* also under valgrind; where each place is compared with each secret it is ten times that */
				fail_msg("secrets %zu, text %zu: %f s", i, k, took);
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		buf_free(&rows[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_secret_is_found_where_it_is_and_the_longest_one_counts),
		cmocka_unit_test(secrets_that_overlap_are_masked_together),
		cmocka_unit_test(of_a_text_that_was_cut_off_the_beginning_of_a_secret_counts),
		cmocka_unit_test(without_secrets_nothing_is_found),
		cmocka_unit_test(it_agrees_with_the_plain_way_on_any_text_in_any_pieces),
		cmocka_unit_test(whatever_the_secrets_are_it_takes_a_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
