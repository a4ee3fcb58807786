#include "run/last_words.h"

#include "tests/unit/unit.h"

#define GC                                                                                                                     \
	"\n<--- Last few GCs --->\n\n[7:0x5a]  912 ms: Mark-sweep 95.1 (98.7) -> 95.1 (98.7) MB\n\n<--- JS stacktrace "        \
	"--->\n\n"
#define STACK "\n 1: 0x7f164a978938 node::Abort() [/lib/libnode.so.108]\n"

static bool says_so(const char *text)
{
	return last_words_out_of_memory(STR(text));
}

static void an_interpreter_says_in_a_line_of_its_own_that_it_has_no_memory(void **state)
{
	(void)state;
	assert_true(says_so(GC "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory" STACK));
	assert_true(says_so(GC
			    "FATAL ERROR: Ineffective mark-compacts near heap limit Allocation failed - JavaScript heap out of "
			    "memory\n"));
	assert_true(says_so("FATAL ERROR: Zone Allocation failed - process out of memory"));
	assert_true(says_so("\n#\n# Fatal JavaScript out of memory: Reached heap limit\n#\n"));
	assert_true(says_so("# Fatal process out of memory: Zone"));
}

static void other_words_are_not_about_memory(void **state)
{
	static const char *const words[] = {
		"",
		"\n",
		"FATAL ERROR: ",
		("FATAL ERROR: v8::ToLocalChecked Empty MaybeLocal" STACK),
		"JavaScript heap out of memory",
		"the log says: FATAL ERROR: JavaScript heap out of memory",
		"FATAL ERROR: out of memory, or not",
		"FATAL ERROR: out of memory", /* its beginning and its end share a space */
		"# Fatal error in , line 0",
		"# Fatal JavaScript out of memory",
		"FATAL ERROR: Reached\nheap limit out of memory",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		assert_false(says_so(words[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_interpreter_says_in_a_line_of_its_own_that_it_has_no_memory),
		cmocka_unit_test(other_words_are_not_about_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
