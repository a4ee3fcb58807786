#include "tests/unit/db/function_rig.h"

#include <sodium.h>

#include "base/mem.h"

char *sha256_of(const char *archive)
{
	unsigned char hash[crypto_hash_sha256_BYTES];
	char *hex = mem_alloc(2 * sizeof(hash) + 1);

	crypto_hash_sha256(hash, (const unsigned char *)archive, strlen(archive));
	return sodium_bin2hex(hex, 2 * sizeof(hash) + 1, hash, sizeof(hash));
}

static void set(char **member, const char *text)
{
	free(*member);
	*member = mem_strdup(text);
}

struct spec *make_spec(const char *name, const char *archive)
{
	struct spec *s = spec_new();
	struct uuid id = uuid_new();
	char text[UUID_TEXT_SIZE];

	uuid_format(&id, text);
	set(&s->function_id, text);
	set(&s->name, name);
	s->version = 1;
	set(&s->language, "python");
	set(&s->language_version, "3.13");
	set(&s->runtime, "docker");
	set(&s->handler, "main.handler");
	json_object_set_new(s->environment, "GREETING", json_string("h\xc3\xa9llo"));
	s->timeout_ms = 3000;
	s->memory_limit_mb = 128;
	s->cpu_millis = 1000;
	s->init_timeout_ms = 10001;
	s->tmp_mb = 65;
	s->tmp_inodes = 16385;
	s->pids = 66;
	s->nofile = 1025;
	s->response_bytes = 6291457;
	s->log_bytes = 262145;
	set(&s->isolation, "per_invocation");
	set(&s->network, "none");
	s->max_concurrency = 50;
	s->min_warm = 3;
	free(s->package_sha256);
	s->package_sha256 = sha256_of(archive);
	return s;
}

struct uuid create_function(struct fixture *f, const char *name, const char *archive)
{
	AUTO(spec_free) struct spec *spec = make_spec(name, archive);
	AUTO(db_function_free) struct db_function *stored = NULL;
	struct uuid id;

	assert_int_equal(db_function_create(f->db, spec, archive, strlen(archive), &stored, &f->err), 0);
	assert_true(uuid_parse(stored->spec->function_id, &id));
	return id;
}

struct spec *current_spec(struct fixture *f, const char *ref)
{
	struct spec *spec = NULL;

	assert_int_equal(db_function_spec(f->db, ref, 0, &spec, &f->err), 0);
	return spec;
}

long count_packages(void)
{
	return pg_scratch_number(pg, "select count(*) from packages");
}
