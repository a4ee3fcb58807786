#include "tests/support/pg_scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"

#define START_TIMEOUT_US 30000000
#define MIGRATION_MAX    (1u << 20)

struct pg_scratch {
	char *bin_dir;
	char *dir; /* owned by the user the server runs as */
	char *conninfo;
	pid_t server; /* 0 while stopped */
	PGconn *conn; /* of the test itself; made when needed */
};

#define DIE(...)                                                                                                               \
	do {                                                                                                                   \
		fprintf(stderr, "# pg_scratch: " __VA_ARGS__);                                                                 \
		fputc('\n', stderr);                                                                                           \
		abort();                                                                                                       \
	} while (0)

/* Debian keeps the server's programs out of PATH; the newest version is taken. */
static char *find_bin_dir(void)
{
	glob_t found;
	char *dir = NULL;

	if (glob("/usr/lib/postgresql/*/bin/initdb", 0, NULL, &found) == 0) {
		const char *last = found.gl_pathv[found.gl_pathc - 1];
		dir = mem_strndup(last, strlen(last) - strlen("/initdb"));
		globfree(&found);
	}
	if (dir == NULL)
		DIE("there is no /usr/lib/postgresql/*/bin/initdb: install the package postgresql");
	return dir;
}

/* PostgreSQL refuses to run as root. */
static const struct passwd *server_user(void)
{
	const struct passwd *user = geteuid() == 0 ? getpwnam("postgres") : getpwuid(geteuid());

	if (user == NULL)
		DIE("there is no user to run the server as");
	return user;
}

static void become_server(const char *log, pid_t parent)
{
	const struct passwd *user = server_user();
	int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0666);

	if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
		_exit(126);
	if (geteuid() == 0 && (setgid(user->pw_gid) < 0 || setuid(user->pw_uid) < 0))
		_exit(126);
	/* A test that crashes takes its server along. */
	prctl(PR_SET_PDEATHSIG, SIGQUIT);
	if (getppid() != parent || chdir("/") < 0)
		_exit(126);
}

/* argv[0] is a name in bin_dir, and becomes its path, by which initdb finds the others. */
static pid_t spawn(const struct pg_scratch *pg, char *argv[])
{
	AUTO(mem_free) char *program = mem_printf("%s/%s", pg->bin_dir, argv[0]);
	AUTO(mem_free) char *log = mem_printf("%s.log", pg->dir);
	pid_t parent = getpid(), pid = fork();

	if (pid < 0)
		DIE("fork: %s", strerror(errno));
	if (pid == 0) {
		become_server(log, parent);
		argv[0] = program;
		execv(program, argv);
		_exit(127);
	}
	return pid;
}

static void init_cluster(const struct pg_scratch *pg)
{
	char *argv[] = {"initdb", "-D", pg->dir, "-U", "berth", "-A", "trust", "-E", "UTF8", "--locale=C", "-N", NULL};
	int status;

	if (waitpid(spawn(pg, argv), &status, 0) < 0 || status != 0)
		DIE("initdb failed, see %s.log", pg->dir);
}

void pg_scratch_start(struct pg_scratch *pg)
{
	int64_t deadline_us = clock_mono_us() + START_TIMEOUT_US;
	char *argv[] = {"postgres", "-D", pg->dir, "-k", pg->dir, "-h", "", "-F", NULL}; /* no TCP, no fsync */

	pg->server = spawn(pg, argv);
	while (PQping(pg->conninfo) != PQPING_OK) {
		if (clock_mono_us() > deadline_us || waitpid(pg->server, NULL, WNOHANG) != 0)
			DIE("the server did not start, see %s.log", pg->dir);
		usleep(20000);
	}
}

void pg_scratch_stop(struct pg_scratch *pg)
{
	PQfinish(pg->conn);
	pg->conn = NULL;
	if (pg->server == 0)
		return;
	kill(pg->server, SIGINT); /* "fast": clients are sent away */
	waitpid(pg->server, NULL, 0);
	pg->server = 0;
}

struct pg_scratch *pg_scratch_new(void)
{
	struct pg_scratch *pg = mem_alloc(sizeof(*pg));
	char dir[] = "/tmp/berth-pg-XXXXXX";
	const struct passwd *user = server_user();

	pg->bin_dir = find_bin_dir();
	if (mkdtemp(dir) == NULL || (geteuid() == 0 && chown(dir, user->pw_uid, user->pw_gid) < 0))
		DIE("make a directory in /tmp: %s", strerror(errno));
	pg->dir = mem_strdup(dir);
	pg->conninfo = mem_printf("host=%s user=berth dbname=postgres", dir);
	init_cluster(pg);
	pg_scratch_start(pg);
	return pg;
}

void pg_scratch_free(struct pg_scratch **pg)
{
	pg_scratch_stop(*pg);
	AUTO(mem_free) char *command = mem_printf("rm -rf '%s' '%s.log'", (*pg)->dir, (*pg)->dir);
	if (system(command) != 0)
		DIE("%s failed", command);
	mem_free(&(*pg)->bin_dir);
	mem_free(&(*pg)->dir);
	mem_free(&(*pg)->conninfo);
	mem_free(pg);
}

struct conf *pg_scratch_conf(const struct pg_scratch *pg)
{
	struct conf *conf;

	if (conf_load_file(NULL, &conf, NULL) < 0)
		DIE("no configuration");
	mem_free(&conf->database_conninfo);
	conf->database_conninfo = mem_strdup(pg->conninfo);
	conf->database_connect_timeout_ms = 2000;
	conf->database_statement_timeout_ms = 5000;
	return conf;
}

static PGresult *run(struct pg_scratch *pg, const char *sql)
{
	if (pg->conn == NULL)
		pg->conn = PQconnectdb(pg->conninfo);
	PGresult *r = PQexec(pg->conn, sql);
	if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK)
		DIE("%.60s: %s", sql, PQresultErrorMessage(r));
	return r;
}

static PRINTF_LIKE(2, 0) char *value(struct pg_scratch *pg, const char *fmt, va_list ap)
{
	AUTO(mem_free) char *sql = NULL;

	if (vasprintf(&sql, fmt, ap) < 0)
		DIE("out of memory");
	PGresult *r = run(pg, sql);
	char *text = mem_strdup(PQntuples(r) > 0 && PQnfields(r) > 0 ? PQgetvalue(r, 0, 0) : "");
	PQclear(r);
	return text;
}

char *pg_scratch_value(struct pg_scratch *pg, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	char *text = value(pg, fmt, ap);
	va_end(ap);
	return text;
}

long pg_scratch_number(struct pg_scratch *pg, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	AUTO(mem_free) char *text = value(pg, fmt, ap);
	va_end(ap);
	return atol(text);
}

void pg_scratch_exec(struct pg_scratch *pg, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	AUTO(mem_free) char *text = value(pg, fmt, ap);
	va_end(ap);
}

/* Those with numbers from first to last. */
static void migrate(struct pg_scratch *pg, int first, int last)
{
	const char *srcdir = getenv("srcdir"); /* automake's */
	AUTO(mem_free) char *pattern = mem_printf("%s/migrations/*.sql", srcdir ? srcdir : ".");
	glob_t files;

	if (glob(pattern, 0, NULL, &files) != 0)
		DIE("no %s", pattern);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		AUTO(mem_free) char *sql = NULL;
		int number = atoi(strrchr(files.gl_pathv[i], '/') + 1);
		if (number < first || number > last)
			continue;
		if (fd_read_file(files.gl_pathv[i], MIGRATION_MAX, &sql, NULL, NULL) < 0)
			DIE("cannot read %s", files.gl_pathv[i]);
		PQclear(run(pg, sql)); /* several statements at once are one transaction */
	}
	globfree(&files);
}

void pg_scratch_reset_to(struct pg_scratch *pg, int last)
{
	pg_scratch_exec(pg, "set client_min_messages = warning; drop schema public cascade; create schema public");
	migrate(pg, 0, last);
}

void pg_scratch_migrate_from(struct pg_scratch *pg, int first)
{
	migrate(pg, first, INT_MAX);
}

void pg_scratch_reset(struct pg_scratch *pg)
{
	pg_scratch_reset_to(pg, INT_MAX);
}
