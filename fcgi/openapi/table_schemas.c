#include "openapi/table_schemas.h"

#include <stdbool.h>
#include <string.h>

#include "api/log_lines.h"
#include "control/functions/function_fields.h"
#include "control/functions/function_input_error.h"
#include "control/functions/function_schema.h"
#include "control/invocations/invocation_json.h"
#include "ipc/counter.h"
#include "ipc/inherited.h"
#include "ipc/scoreboard.h"
#include "ipc/start_kind.h"
#include "poolmgr/catalog/version.h"
#include "poolmgr/sandbox/sandbox.h"
#include "runtimes/driver.h"

/* ---- Tables of names only: each function returns the i-th name, and NULL behind the last ---- */

static const char *sample_column(size_t i)
{
	static const char *const columns[] = {
#define SAMPLE(column, aggregate, value) #column,
#include "db/sample.def"
#undef SAMPLE
	};

	return i < ARRAY_SIZE(columns) ? columns[i] : NULL;
}

static const char *sandbox_state(size_t i)
{
	return i < SANDBOX_GONE ? sandbox_state_name((enum sandbox_state)i) : NULL;
}

static const char *process_state(size_t i)
{
	return i + SLOT_STARTING < SLOT_STATE_COUNT ? slot_state_name((enum slot_state)(i + SLOT_STARTING)) : NULL;
}

static const char *process_kind(size_t i)
{
	return i < CHILD_ROLE_COUNT ? child_role_name((enum child_role)i) : NULL;
}

static const char *runtime(size_t i)
{
	return i < driver_count ? drivers[i]->name : NULL;
}

static const char *start_kind(size_t i)
{
	return i + IPC_START_WARM < IPC_START_COUNT ? start_kind_name((enum ipc_start_kind)(i + IPC_START_WARM)) : NULL;
}

static const char *status_of_version(size_t i)
{
	return i < VERSION_STATUS_COUNT ? version_status_name((enum version_status)i) : NULL;
}

static const char *mistake(size_t i)
{
	return i < MISTAKE_COUNT ? mistake_name((enum mistake)i) : NULL;
}

/* Texts of which there are only a few: the schema, or its property, and the table of these texts, which becomes its enum. */
static const struct {
	const char *schema, *property; /* NULL: the schema itself */
	const char *(*name)(size_t i);
} worded[] = {
	{"Runtime", NULL, runtime},
	{"StartKind", NULL, start_kind},
	{"FieldError", "code", mistake},
	{"LogLevel", NULL, log_lines_level},
	{"FunctionState", "status", status_of_version},
};

static void add_words(struct document *d, const char *of, const char *property, const char *(*name)(size_t i))
{
	json_t *words = json_array(), *schema = document_component(d, "schemas", of);

	for (size_t i = 0; name(i) != NULL; i++)
		json_array_append_new(words, json_string(name(i)));
	if (property != NULL)
		schema = document_member(document_member(schema, "properties"), property);
	json_object_set_new(schema, "enum", words);
}

/* The schemas that are written by hand, with the table of their properties. besides: they have other properties, too. */
static const struct {
	const char *schema;
	const char *(*name)(size_t i);
	bool besides;
} described[] = {
	{"Invocation", invocation_json_member, false},
	{"Machines", sample_column, false},
	{"SandboxStates", sandbox_state, false},
	{"ProcessStates", process_state, true},
};

static bool table_has(const char *(*name)(size_t i), const char *wanted)
{
	for (size_t i = 0; name(i) != NULL; i++)
		if (strcmp(name(i), wanted) == 0)
			return true;
	return false;
}

static void compare(struct document *d, const char *schema, const char *(*name)(size_t i), bool besides)
{
	json_t *properties = json_object_get(document_component(d, "schemas", schema), "properties"), *unused;
	const char *property;

	for (size_t i = 0; name(i) != NULL; i++)
		if (json_object_get(properties, name(i)) == NULL)
			document_fault(d, "%s: the property '%s' is not described", schema, name(i));
	json_object_foreach (properties, property, unused)
		if (!besides && !table_has(name, property))
			document_fault(d, "%s: the property '%s' is described, but does not exist", schema, property);
}

static void close_object(json_t *schema)
{
	json_t *properties = json_object_get(schema, "properties"), *required = json_array(), *unused;
	const char *name;

	json_object_foreach (properties, name, unused)
		json_array_append_new(required, json_string(name));
	json_object_set_new(schema, "required", required);
	json_object_set_new(schema, "additionalProperties", json_false());
}

static void add_processes(struct document *d)
{
	json_t *schema = document_component(d, "schemas", "Processes");

	json_object_update_new(
		schema, json_pack("{s:s, s:s, s:{}}", "description", "Processes by kind.", "type", "object", "properties"));
	for (size_t i = 0; process_kind(i) != NULL; i++) {
		json_t *kind = document_ref("schemas", "ProcessStates");
		json_object_set_new(kind, "description", json_sprintf("The processes of the kind `%s`.", process_kind(i)));
		json_object_set_new(json_object_get(schema, "properties"), process_kind(i), kind);
	}
	close_object(schema);
}

/* ---- Counters: the families are described by hand, the counters in their table ---- */

static const char *family_name(size_t i)
{
	return i < COUNTER_COUNT ? counter_rows[i].family : NULL;
}

static void add_counters(struct document *d)
{
	json_t *schema = document_component(d, "schemas", "Counters"), *families = json_object_get(schema, "properties"),
	       *family;
	const char *name;

	compare(d, "Counters", family_name, false);
	for (size_t i = 0; i < COUNTER_COUNT; i++) {
		json_t *counter = document_ref("schemas", "Count");
		const char *text = counter_rows[i].text[0] != '\0' ? counter_rows[i].text : counter_rows[i].label;
		json_object_set_new(counter, "description", json_string(text));
		family = document_member(families, counter_rows[i].family);
		json_object_set_new(document_member(family, "properties"), counter_rows[i].label, counter);
	}
	json_object_foreach (families, name, family) {
		json_object_set_new(family, "type", json_string("object"));
		close_object(family);
	}
	close_object(schema);
}

/* ---- Functions: ipc/function.def also has the descriptions ---- */

/* Steals schema. */
static void add_property(struct document *d, const char *to, const char *name, json_t *schema)
{
	json_object_set_new(document_member(document_component(d, "schemas", to), "properties"), name, schema);
}

static void require(struct document *d, const char *of, const char *name)
{
	json_t *schema = document_component(d, "schemas", of), *required = json_object_get(schema, "required");

	if (required == NULL)
		json_object_set_new(schema, "required", required = json_array());
	json_array_append_new(required, json_string(name));
}

/* No answer contains the code. Answers contain the environment masked, so its schema is written by hand. */
static bool is_shown(const struct function_field *f)
{
	return f->type != FUNCTION_SOURCE && f->type != FUNCTION_VARIABLES;
}

static void add_field(struct document *d, const struct function_field *f)
{
	const char *shown_in = f->when == FUNCTION_GIVEN ? "StoredFunction" : "FunctionSettings";

	add_property(d, is_shown(f) ? shown_in : "FunctionInput", f->name, function_schema(f));
	if (is_shown(f))
		require(d, f->when == FUNCTION_GIVEN ? "StoredFunction" : "FunctionSettingsInForce", f->name);
	if (f->when == FUNCTION_REQUIRED)
		require(d, "RequiredFields", f->name);
	if (f->when == FUNCTION_LIMIT) {
		add_property(d, "FunctionLimits", f->name,
			     json_pack("{s:s, s:s}", "description", f->text, "type", function_field_type(f)));
		require(d, "FunctionLimits", f->name);
	}
	if (f->when != FUNCTION_GIVEN) {
		json_t *limits = document_ref("schemas", "FieldLimits");
		json_object_set_new(limits, "description", json_sprintf("The bounds and the default of `%s`.", f->name));
		add_property(d, "FunctionSettingLimits", f->name, limits);
	}
}

/* The example of a function leaves out fields that have their default, so that a new setting needs no change there. */
static void complete_example(struct document *d, const struct function_field *f)
{
	json_t *example = json_object_get(document_component(d, "examples", "WholeFunction"), "value");
	AUTO(json_decrefp) json_t *schema = function_schema(f);
	json_t *by_default = json_object_get(schema, "default");

	if (is_shown(f) && by_default != NULL && json_object_get(example, f->name) == NULL)
		json_object_set(example, f->name, by_default);
}

static void add_functions(struct document *d)
{
	json_object_update_new(document_component(d, "schemas", "FunctionSettingLimits"),
			       json_pack("{s:s, s:s}", "description", "Bounds and default of each setting.", "type", "object"));
	json_object_update_new(document_component(d, "schemas", "FunctionSettingsInForce"),
			       json_pack("{s:s, s:[o]}", "description", "All settings of a function.", "allOf",
					 document_ref("schemas", "FunctionSettings")));
	for (const struct function_field *f = function_fields; f->name != NULL; f++) {
		add_field(d, f);
		complete_example(d, f);
	}
	close_object(document_component(d, "schemas", "FunctionSettingLimits"));
}

void table_schemas_add(struct document *d)
{
	for (size_t i = 0; i < ARRAY_SIZE(described); i++)
		compare(d, described[i].schema, described[i].name, described[i].besides);
	for (size_t i = 0; i < ARRAY_SIZE(worded); i++)
		add_words(d, worded[i].schema, worded[i].property, worded[i].name);
	add_processes(d);
	add_counters(d);
	add_functions(d);
}
