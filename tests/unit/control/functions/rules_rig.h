/* The rules of an installation with two languages, python and heavy, which needs 256 MB; and the mistakes that were found. */
#ifndef UNIT_CONTROL_RULES_RIG_H
#define UNIT_CONTROL_RULES_RIG_H

#include "control/functions/function_rules.h"
#include "tests/unit/unit.h"

struct rules_rig {
	struct conf *conf;
	char *dir;
	struct language *languages;
	struct function_rules rules;
	json_t *errors;
};

/* Set-up and end of a test: *state is the rig. */
int rules_rig_set_up(void **state);
int rules_rig_tear_down(void **state);
#define FUNCTION_TEST(name) cmocka_unit_test_setup_teardown(name, rules_rig_set_up, rules_rig_tear_down)

void rules_rig_set_default_runtime(struct rules_rig *rig, const char *runtime);

/* Checks that exactly this mistake was found, and forgets it. what names the case for the reader of a failure. */
void rules_rig_expect(struct rules_rig *rig, const char *what, const char *field, const char *code);

/* The numbers of a function, with their bounds and defaults. A field of NULL ends the table. */
struct rules_rig_number {
	const char *field;
	size_t member; /* of struct spec */
	int64_t min, max, by_default;
};
extern const struct rules_rig_number rules_rig_numbers[];

#endif
