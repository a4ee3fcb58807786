/* The rules of an installation with two languages, python and heavy, which needs 256 MB; and what was found wrong. */
#ifndef UNIT_CONTROL_FUNCTION_RIG_H
#define UNIT_CONTROL_FUNCTION_RIG_H

#include "control/functions/function_rules.h"
#include "tests/unit/unit.h"

struct function_rig {
	struct conf *conf;
	char *dir;
	struct language *languages;
	struct function_rules rules;
	json_t *errors;
};

/* Of a test: *state is the rig. */
int function_rig_set_up(void **state);
int function_rig_tear_down(void **state);
#define FUNCTION_TEST(name) cmocka_unit_test_setup_teardown(name, function_rig_set_up, function_rig_tear_down)

void function_rig_set_default_runtime(struct function_rig *rig, const char *runtime);

/* Exactly this one mistake was found, in what is named for the reader; it is forgotten. */
void function_rig_expect(struct function_rig *rig, const char *what, const char *field, const char *code);

/* The numbers a function may say, with how far they may go and what they are where it is silent. A field of NULL is the end. */
struct function_rig_number {
	const char *field;
	size_t member; /* of struct spec */
	int64_t min, max, by_default;
};
extern const struct function_rig_number function_rig_numbers[];

#endif
