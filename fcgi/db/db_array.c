#include "db/db_array.h"

void db_array_free(struct db_array *array)
{
	buf_free(&array->text);
}

void db_array_add(struct db_array *array, const struct db_param *element)
{
	struct buf *b = &array->text;
	const char *value = db_param_value(element);

	buf_add_str(b, b->len == 0 ? "{" : ",");
	if (value == NULL) {
		buf_add_str(b, "null");
		return;
	}
	buf_add_u8(b, '"');
	for (; *value != '\0'; value++) {
		if (*value == '"' || *value == '\\')
			buf_add_u8(b, '\\');
		buf_add_u8(b, (uint8_t)*value);
	}
	buf_add_u8(b, '"');
}

struct db_param db_array_param(struct db_array *array)
{
	buf_add_str(&array->text, array->text.len == 0 ? "{}" : "}");
	return db_text(array->text.data);
}
