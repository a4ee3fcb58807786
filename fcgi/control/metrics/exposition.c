#include "control/metrics/exposition.h"

#include <string.h>

/* special: characters that get a backslash; newlines become \n. */
static void add_escaped(struct buf *text, const char *value, const char *special)
{
	for (const char *p = value; *p != '\0'; p++) {
		if (*p == '\n') {
			buf_add_str(text, "\\n");
			continue;
		}
		if (strchr(special, *p) != NULL)
			buf_add_str(text, "\\");
		buf_add(text, p, 1);
	}
}

void exposition_family(struct buf *text, const char *name, const char *type, const char *help)
{
	buf_printf(text, "# HELP %s ", name);
	add_escaped(text, help, "\\");
	buf_printf(text, "\n# TYPE %s %s\n", name, type);
}

void exposition_sample(struct buf *text, const char *family, const char *suffix, const struct exposition_label *labels,
		       double value)
{
	const char *before = "{";

	buf_printf(text, "%s%s", family, suffix);
	for (const struct exposition_label *l = labels; l->name != NULL; l++) {
		buf_printf(text, "%s%s=\"", before, l->name);
		add_escaped(text, l->value, "\\\"");
		buf_add_str(text, "\"");
		before = ",";
	}
	buf_printf(text, "%s %.15g\n", labels->name != NULL ? "}" : "", value);
}
