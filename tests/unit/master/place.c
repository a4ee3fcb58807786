#include "tests/unit/master/place.h"

#include "base/mem.h"

void place_free(struct place *p)
{
	conf_free(&p->conf);
	mem_free(&p->run_dir);
	mem_free(&p->state_dir);
	unit_remove_dir(&p->dir);
}

struct place place_make(void)
{
	struct place p = {.dir = unit_make_dir()};
	AUTO(mem_free) char *path = mem_printf("%s/berth.conf", p.dir);
	AUTO(mem_free) char *text = mem_printf("[master]\nrun_dir = %s/a/run\nstate_dir = %s/b/c/state\n", p.dir, p.dir);
	struct err err;

	p.run_dir = mem_printf("%s/a/run", p.dir);
	p.state_dir = mem_printf("%s/b/c/state", p.dir);
	unit_write_file(path, text);
	assert_ok(conf_load_file(path, &p.conf, &err));
	return p;
}
