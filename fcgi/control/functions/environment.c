#include "control/functions/environment.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/defs.h"
#include "base/secret.h"
#include "control/functions/function_input_error.h"

json_t *environment_masked(const json_t *environment)
{
	json_t *masked = json_copy((json_t *)environment);
	const char *name;
	json_t *value;

	json_object_foreach (masked, name, value)
		if (secret_name(name))
			json_object_set_new(masked, name, json_string(ENVIRONMENT_MASK));
	return masked;
}

static bool is_mask(const char *name, const json_t *value)
{
	return secret_name(name) && json_is_string(value) && strcmp(json_string_value(value), ENVIRONMENT_MASK) == 0;
}

void environment_unmask(json_t *environment, const json_t *stored, json_t *errors)
{
	const char *name;
	json_t *value;
	char field[160];

	json_object_foreach (environment, name, value) {
		if (!is_mask(name, value))
			continue;
		json_t *real = json_object_get(stored, name);
		if (real != NULL) {
			json_object_set(environment, name, real);
			continue;
		}
		snprintf(field, sizeof(field), "environment.%.128s", name);
		function_input_error(errors, field, MISTAKE_NO_STORED_VALUE,
				     ENVIRONMENT_MASK
				     " stands for the stored value, but none is stored; send the value itself");
	}
}

#define AT_THE_START "only counts when a program starts, and the function is loaded into one that runs already"

/* A table, because each interpreter has some, and there are ways to reach most of what they do. */
static const struct {
	const char *name, *instead;
	const char *why; /* NULL: AT_THE_START */
} ineffective[] = {
	{"PYTHONHOME", "the interpreter of the sandbox has a fixed place", NULL},
	{"PYTHONHASHSEED", "do not depend on the order of sets, or sort them", NULL},
	{"PYTHONOPTIMIZE", "leave out in the code what is not to run", NULL},
	{"PYTHONWARNINGS", "call warnings.simplefilter() in the code", NULL},
	{"PYTHONDEVMODE", "switch on in the code what it stands for, such as warnings.simplefilter()", NULL},
	{"PYTHONFAULTHANDLER", "call faulthandler.enable() in the code", NULL},
	{"PYTHONTRACEMALLOC", "call tracemalloc.start() in the code", NULL},
	{"PYTHONMALLOC", "the allocator cannot be chosen", NULL},
	{"NODE_OPTIONS", "call require() or v8.setFlagsFromString() in the code; the heap grows with memory_limit_mb", NULL},
	{"NODE_EXTRA_CA_CERTS", "pass the certificates as the option ca to tls or https in the code", NULL},
	{"NODE_DEBUG", "print in the code what is to be seen", NULL},
	{"NODE_NO_WARNINGS", "call process.removeAllListeners('warning') in the code", NULL},
	{"NODE_PENDING_DEPRECATION", "it cannot be switched on in a function", NULL},
	{"NODE_V8_COVERAGE", "use the module inspector in the code", NULL},
	{"NODE_ICU_DATA", "the data of the image cannot be replaced", NULL},
	{"OPENSSL_CONF", "pass the options to tls or ssl in the code", NULL},
	{"LD_PRELOAD", "load the library in the code, or set the variable for the programs that the code starts", NULL},
	{"LD_LIBRARY_PATH", "load the library by its path, or set the variable for the programs that the code starts", NULL},
	{"LD_AUDIT", "set the variable for the programs that the code starts", NULL},
	{"GLIBC_TUNABLES", "set the variable for the programs that the code starts", NULL},
	{"MALLOC_ARENA_MAX", "set the variable for the programs that the code starts", NULL},
	{"AWS_LAMBDA_LOG_FORMAT", "leave it out and read the log as JSON, in which a line's time, level and text are apart",
	 "does not change the form of a log"},
	{"AWS_LAMBDA_LOG_LEVEL",
	 "set the level of the logger in the code, or read the log with ?level=", "does not change what is logged"},
};

const char *environment_instead_of(const char *name, const char **why)
{
	for (size_t i = 0; i < ARRAY_SIZE(ineffective); i++) {
		if (strcmp(ineffective[i].name, name) == 0) {
			*why = ineffective[i].why ?: AT_THE_START;
			return ineffective[i].instead;
		}
	}
	return NULL;
}
