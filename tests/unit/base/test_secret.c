#include "base/secret.h"

#include "tests/unit/unit.h"

static void names_that_say_so_are_those_of_secrets_in_upper_or_lower_case(void **state)
{
	static const char *const secrets[] = {"SECRET",          "MY_SECRET_1", "token",      "Github_Token",
					      "DB_PASSWORD",     "passwd",      "API_KEY",    "OPENAI_API_KEY",
					      "SSH_PRIVATE_KEY", "CREDENTIALS", "credential", "xPaSsWoRdx"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(secrets); i++)
		if (!secret_name(secrets[i]))
			fail_msg("%s is the name of a secret", secrets[i]);
}

static void other_names_are_not(void **state)
{
	static const char *const others[] = {"", "PATH", "KEY", "PUBLIC_KEY", "PASS", "APIKEY", "SECRE", "TOKE"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (secret_name(others[i]))
			fail_msg("'%s' is the name of no secret", others[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_that_say_so_are_those_of_secrets_in_upper_or_lower_case),
		cmocka_unit_test(other_names_are_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
