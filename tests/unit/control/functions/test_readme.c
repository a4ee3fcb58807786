/*
 * README.md has a table of the settings of a function, which is made from ipc/function.def. This says when they differ;
 * `make readme` (this program with --write) makes the table anew.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "control/functions/function_fields.h"
#include "tests/unit/unit.h"

#define BEGIN "<!-- made by `make readme` from fcgi/ipc/function.def -->\n"
#define END   "<!-- end of what is made -->\n"

static void add_number(struct buf *out, const struct function_field *f, int64_t number)
{
	if (f->type == FUNCTION_THOUSANDTHS)
		buf_printf(out, "%g", (double)number / 1000);
	else
		buf_printf(out, "%lld", (long long)number);
}

/* As it is where no setting was changed; what the node has is not known here. */
static void add_value(struct buf *out, const struct function_field *f, const struct function_value *v, const struct conf *conf)
{
	const char *word = function_value_word(v, conf);

	if (word != NULL && word[0] == '\0')
		buf_add_str(out, "empty");
	else if (word != NULL)
		buf_printf(out, "`%s`", word);
	else if (v->from == FUNCTION_VALUE_NODE_CPUS)
		buf_add_str(out, "the node's");
	else if (v->from == FUNCTION_VALUE_NODE_MEMORY)
		add_number(out, f, conf->limits_memory_max_mb);
	else if (v->from != FUNCTION_VALUE_NONE)
		add_number(out, f, function_value_number(v, conf));
}

static void add_range(struct buf *out, const struct function_field *f, const struct conf *conf)
{
	if (function_field_word(f, 0) != NULL) {
		for (size_t i = 0; function_field_word(f, i) != NULL; i++)
			buf_printf(out, "%s`%s`", i > 0 ? ", " : "", function_field_word(f, i));
		return;
	}
	if (function_field_is_number(f)) {
		add_value(out, f, &f->min, conf);
		buf_add_str(out, " to ");
	} else {
		buf_add_str(out, "up to ");
	}
	add_value(out, f, &f->max, conf);
	buf_printf(out, " %s", function_field_is_text(f) ? "bytes" : f->unit);
}

static void add_row(struct buf *out, const struct function_field *f, const struct conf *conf)
{
	buf_printf(out, "| `%s` | ", f->name);
	add_value(out, f, &f->by_default, conf);
	buf_add_str(out, " | ");
	add_range(out, f, conf);
	buf_printf(out, " | %s. |\n", f->text);
}

static void make_table(struct buf *out)
{
	AUTO(conf_free) struct conf *conf = NULL;
	struct err err;

	if (conf_load_file(NULL, &conf, &err) < 0)
		abort();
	buf_add_str(out, "| setting | default | range | |\n|---|---|---|---|\n");
	for (const struct function_field *f = function_fields; f->name != NULL; f++)
		if (f->when == FUNCTION_OPTIONAL || f->when == FUNCTION_LIMIT)
			add_row(out, f, conf);
}

/* Where the table is in text, and how long. NULL: there is none. */
static char *find_table(char *text, size_t *len)
{
	char *begin = strstr(text, BEGIN);
	char *end = begin != NULL ? strstr(begin, END) : NULL;

	if (end == NULL)
		return NULL;
	begin += strlen(BEGIN);
	*len = (size_t)(end - begin);
	return begin;
}

static char *read_readme(const char *path)
{
	char *text = NULL;
	struct err err;

	if (fd_read_file(path, 1 << 20, &text, NULL, &err) < 0)
		fprintf(stderr, "%s\n", err.msg);
	return text;
}

static void the_readme_has_the_table_of_settings(void **state)
{
	const char *srcdir = getenv("srcdir"); /* automake's */
	AUTO(mem_free) char *path = mem_printf("%s/README.md", srcdir ?: ".");
	AUTO(mem_free) char *text = read_readme(path);
	AUTO(buf_free) struct buf table = {0};
	size_t len = 0;

	(void)state;
	assert_non_null(text);
	make_table(&table);
	char *found = find_table(text, &len);
	assert_non_null(found);
	if (len != table.len || memcmp(found, table.data, len) != 0)
		fail_msg("README.md has not the settings of fcgi/ipc/function.def: run `make readme`. They are:\n%s",
			 buf_str(&table));
}

static int write_table(const char *path)
{
	AUTO(mem_free) char *text = read_readme(path);
	AUTO(buf_free) struct buf table = {0};
	size_t len = 0;
	char *found = text != NULL ? find_table(text, &len) : NULL;
	FILE *out = found != NULL ? fopen(path, "w") : NULL;

	if (out == NULL)
		return EXIT_FAILURE;
	make_table(&table);
	fprintf(out, "%.*s%s%s", (int)(found - text), text, buf_str(&table), found + len);
	return fclose(out) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_readme_has_the_table_of_settings),
	};

	if (argc == 3 && strcmp(argv[1], "--write") == 0)
		return write_table(argv[2]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
