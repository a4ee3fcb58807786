/*
 * The main of a fuzz target in a build without libFuzzer: gives it each file of its corpus, and each file cut off at every
 * length, since input that ends early is what decoders get wrong. Reports in TAP. An argument replaces the corpus: a pattern of
 * files.
 */
#include <assert.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/mem.h"
#include "fuzz.h"

#define MAX_FILE_BYTES (1 << 20)
#define MAX_CUT_BYTES  4096

/* In memory of exactly that size, so that tools see a read beyond it. */
static void run(const char *data, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);

	assert(copy != NULL);
	memcpy(copy, data, len);
	LLVMFuzzerTestOneInput(copy, len);
	free(copy);
}

static int replay(const char *path)
{
	AUTO(mem_free) char *data = NULL;
	size_t len;
	struct err err;

	if (fd_read_file(path, MAX_FILE_BYTES, &data, &len, &err) < 0) {
		printf("# %s\n", err.msg);
		return -1;
	}
	for (size_t cut = 0; cut < len && cut < MAX_CUT_BYTES; cut++)
		run(data, cut);
	run(data, len);
	return 0;
}

/* …/fuzz_ipc → <srcdir>/tests/fuzz/corpus/ipc, followed by / and * */
static char *corpus_of(const char *program)
{
	const char *srcdir = getenv("srcdir"), *name = strstr(program, "fuzz_");

	for (const char *next = name; next != NULL; next = strstr(next + 1, "fuzz_"))
		name = next;
	if (name == NULL)
		return mem_strdup("");
	return mem_printf("%s/tests/fuzz/corpus/%s/*", srcdir ? srcdir : ".", name + strlen("fuzz_"));
}

int main(int argc, char **argv)
{
	AUTO(mem_free) char *pattern = argc > 1 ? mem_printf("%s", argv[1]) : corpus_of(argv[0]);
	glob_t found;
	int failed = 0;

	if (glob(pattern, 0, NULL, &found) != 0) {
		printf("1..1\nnot ok 1 - no corpus at %s\n", pattern);
		return 1;
	}
	setvbuf(stdout, NULL, _IOLBF, 0); /* what was reported before a crash is seen */
	printf("1..%zu\n", found.gl_pathc);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		const char *path = found.gl_pathv[i];
		int rc = replay(path);
		failed += rc < 0;
		printf("%sok %zu - %s\n", rc < 0 ? "not " : "", i + 1, strrchr(path, '/') ? strrchr(path, '/') + 1 : path);
	}
	globfree(&found);
	return failed > 0;
}
