#include "tests/unit/master/master_rig.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "master/resources/pidfile.h"

void master_rig_configure(struct master_rig *r, const char *text)
{
	AUTO(mem_free) char *all = mem_printf("[master]\nrun_dir = %s\nstate_dir = %s/state\n%s\n", r->run_dir, r->dir, text);

	unit_write_file(r->conf_path, all);
}

int master_rig_set_up(void **state)
{
	struct master_rig *r = mem_alloc(sizeof(*r));
	struct err err;

	log_init("test", LOG_ERROR + 1); /* what it says is not looked at */
	r->dir = unit_make_dir();
	r->run_dir = mem_printf("%s/run", r->dir);
	r->conf_path = mem_printf("%s/berth.conf", r->dir);
	assert_int_equal(mkdir(r->run_dir, 0755), 0);
	r->settings = (struct settings){.path = r->conf_path, SETTINGS_NO_FDS};
	master_rig_configure(r, "");
	assert_ok(settings_read(&r->settings, &err));
	assert_ok(settings_share(&r->settings, &err));
	r->m = (struct master){
		.start = &r->start,
		.settings = &r->settings,
		.program_fds = {[0 ... CHILD_ROLE_COUNT - 1] = -1},
		.fds = {[0 ... DESCRIPTOR_COUNT - 1] = -1},
		.successor = SUCCESSOR_NONE,
		.standing = IN_CHARGE,
		.stage = -1,
	};
	assert_ok(scoreboard_create(CREW_SLOTS, &r->m.board, &r->m.fds[FD_SCOREBOARD], &err));
	r->m.crew = mem_alloc(sizeof(*r->m.crew));
	r->m.crew->board = r->m.board;
	r->m.fds[FD_RUN_DIR] = open(r->run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r->m.fds[FD_STATE_DIR] = open(r->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r->m.fds[FD_GATE] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r->m.fds[FD_LIFE] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	r->m.fds[FD_PID] = pidfile_lock(r->m.fds[FD_RUN_DIR], &err);
	assert_true(r->m.fds[FD_RUN_DIR] >= 0 && r->m.fds[FD_STATE_DIR] >= 0 && r->m.fds[FD_PID] >= 0);
	assert_ok(listen_open(r->m.fds[FD_RUN_DIR], r->settings.conf, &r->m.identity, NULL, r->m.listeners, &err));
	*state = r;
	return 0;
}

int master_rig_tear_down(void **state)
{
	struct master_rig *r = *state;

	for (int role = 0; role < CHILD_ROLE_COUNT; role++) {
		crew_signal(r->m.crew, (enum child_role)role, SIGKILL);
		fd_close(&r->m.program_fds[role]);
	}
	for (int kind = 0; kind < LISTEN_KINDS; kind++)
		listen_close(&r->m.listeners[kind]);
	descriptor_close(r->m.fds);
	fd_close(&r->m.successor.link_fd);
	scoreboard_close(&r->m.board);
	mem_free(&r->m.crew);
	settings_free(&r->settings);
	mem_free(&r->conf_path);
	mem_free(&r->run_dir);
	unit_remove_dir(&r->dir);
	mem_free(&r);
	return 0;
}

int master_rig_become_successor(struct master_rig *r)
{
	struct handover none = {0};
	struct err err;
	int link[2];

	for (int kind = 0; kind < LISTEN_KINDS; kind++)
		listen_close(&r->m.listeners[kind]);
	assert_ok(listen_open(r->m.fds[FD_RUN_DIR], r->settings.conf, &r->m.identity, &none, r->m.listeners, &err));
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, link), 0);
	r->m.fds[FD_PREDECESSOR] = link[0];
	r->m.standing = SUCCESSOR;
	return link[1];
}

int master_rig_add_child(struct master_rig *r, enum child_role role, enum slot_state state)
{
	int slot = crew_free_slot(r->m.crew);

	fflush(NULL);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		pause();
		_exit(0);
	}
	crew_add(r->m.crew, slot, role, r->m.teams[role].generation, pid);
	scoreboard_slot(r->m.board, slot)->state = state;
	return slot;
}

void master_rig_bury(struct master_rig *r)
{
	struct crew_death death = {0};

	for (int i = 0; i < 1000; i++) {
		if (!crew_reap(r->m.crew, &death))
			usleep(10000);
		else if (death.role != CHILD_ROLE_COUNT)
			return;
	}
	fail_msg("nobody died");
}

bool master_rig_has_file(const struct master_rig *r, const char *name)
{
	return faccessat(r->m.fds[FD_RUN_DIR], name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}
