/* What live tests need: a real PostgreSQL, a real PgBouncer, real processes at their ends.
 *
 * Whatever cannot be had fails the test. Everything started here ends with the test program,
 * however that ends; live_teardown() ends what a failed test left behind. Works for root and for
 * an ordinary user. */
#ifndef LIVE_H
#define LIVE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <libpq-fe.h>
#include <sys/types.h>

#include "demo/private_server.h"

/* --- time --- */

/* n, or the share of it that DBTOP_TEST_ROUNDS (percent) leaves; at least 1. */
int live_rounds(int n);

/* How long to wait for what takes ms milliseconds at most on an idle machine. Every bound of a wait
 * here is multiplied so: it only ends a test that has failed. */
int live_patience(int ms);

/* Asks every 10 ms until the condition holds; false when it does not within live_patience(ms). */
bool live_wait(bool (*holds)(void *data), void *data, int ms);

/* --- folders --- */

/* A new folder, removed when the test program ends: other users may pass through it, no more. Owned
 * by live. */
const char *live_folder(void);

/* A folder in it for programs that run as nobody; the same folder when we are not root. */
const char *live_nobodys_folder(void);

/* Writes text to a new file of that name in the folder; returns its path, which the caller frees.
 */
char *live_file(const char *folder, const char *name, const char *text);

/* Writes the program in a manual page, which begins with this line, to a file of live_folder(). */
void live_manual_example(const char *manual, const char *first_line, const char *name);

/* The whole file, which the caller frees; NULL when it cannot be read. */
char *live_read(const char *path);

/* A port of 127.0.0.1 that nobody uses at the moment. */
int live_free_port(void);

/* --- server --- */

/* Over TCP (127.0.0.1, ::1) and Unix socket, with settings "name=value", NULL-terminated; NULL for
 * none. The caller stops it with private_server_stop().
 *
 * Its password is in a file that libpq finds by PGPASSFILE, here and in every program that is
 * started: neither a connection string nor a test has to name it. It is good for each role that
 * live_sql() makes without a password. */
struct private_server *live_server_start(const char *const *settings);

/* The same, with a Unix socket that other users of this machine may use: for tests with programs
 * that run as nobody. */
struct private_server *live_wide_server_start(const char *const *settings);

/* That file, for us or for nobody; the caller frees it. And the password, once a server runs. */
char *live_passfile(bool unprivileged);
const char *live_password(void);

enum live_route { LIVE_UNIX, LIVE_TCP4, LIVE_TCP6 };

/* The way to a server, as superuser postgres; `more` ("user=app dbname=shop") is laid over it, NULL
 * for nothing. The caller frees it. */
char *live_conninfo(const struct private_server *server, enum live_route route, const char *more);

PGconn *live_connect(const char *conninfo);

/* Closes a connection to a server of ours, and waits until the server has ended its session: nobody
 * sees or counts it afterwards. */
void live_disconnect(PGconn *conn);

/* One or several statements that must succeed. */
void live_exec(PGconn *conn, const char *sql);

/* The same, over a superuser's connection of its own; roles that it makes may log in afterwards. */
void live_sql(const struct private_server *server, const char *sql);

/* The first column of the first row, which the caller frees; NULL for none or NULL. */
char *live_value(PGconn *conn, const char *sql);
long live_number(PGconn *conn, const char *sql); /* 0 for none */

/* How many client sessions of pg_stat_activity match, the one that asks left out: the word of an
 * independent superuser, who has slots reserved. `where` is a condition, NULL for all. */
long live_sessions(const struct private_server *server, const char *where);

/* Waits until exactly so many match; fails the test when they never do. */
void live_wait_sessions(const struct private_server *server, const char *where, long count, int ms);

/* Waits until the server has ended the sessions of every dbtop that ran before: it has them for a
 * moment after dbtop's end, and the next dbtop counts them, or takes them for leaks. To be called
 * while no dbtop runs. */
void live_wait_dbtops_gone(const struct private_server *server);

/* --- programs --- */

struct live_program;

struct live_program_options {
	const char *const *argv; /* NULL-terminated; argv[0] is looked for in PATH */
	const char *const *env;  /* "NAME=value" is set, "NAME" removed; NULL-terminated, or NULL */
	const char *input;       /* what it reads from stdin; NULL: /dev/null */
	const char *folder;      /* its working folder; NULL: ours */
	int out;                 /* a descriptor as its stdout; 0: captured */
	bool terminal;           /* stdin and /dev/tty are a terminal: live_type() */
	bool own_group;          /* leads a process group of its own */
	bool own_session;        /* … a session, without a terminal */
	bool unprivileged;       /* as nobody when we are root */
};

/* The environment has no PG* variable but PGPASSFILE, and HOME, XDG_CONFIG_HOME (…/config) and
 * XDG_STATE_HOME (…/state) in live_folder(), or in live_nobodys_folder(). Killed when we end. Never
 * NULL. */
struct live_program *live_start(const struct live_program_options *options);

pid_t live_pid(const struct live_program *program);

/* Everything written so far, ended by a zero; valid until the next call. */
const char *live_out(struct live_program *program);
const char *live_err(struct live_program *program);

/* Into its terminal: "y\n". */
void live_type(struct live_program *program, const char *text);

/* Waits until it has written text to its terminal. What is typed earlier is lost: a program that
 * asks for a password throws it away. */
void live_wait_prompt(struct live_program *program, const char *text, int ms);

/* Whether its terminal shows what is typed; also after its end. */
bool live_echoes(const struct live_program *program);

/* Waits for text in its stdout or, the second, in its stderr; fails the test when it ends before or
 * does not write it. */
void live_wait_out(struct live_program *program, const char *text, int ms);
void live_wait_err(struct live_program *program, const char *text, int ms);

/* To the process alone, or to its group when it has one. */
void live_signal(struct live_program *program, int signal_number);

/* Whether it has not ended yet. */
bool live_running(struct live_program *program);

/* Waits for its end; fails the test after ms. Its exit status, or 128 and the signal. */
int live_finish(struct live_program *program, int ms);

/* Kills it unless it has ended; NULL is allowed. */
void live_free(struct live_program *program);

/* Whether live_teardown() leaves the programs alone that run now: they belong to all tests. */
void live_keep(bool kept);

/* Frees all programs that are left: a teardown for each test. */
int live_teardown(void **state);

/* A program run to its end. */
struct live_run {
	int status; /* as of live_finish() */
	char *out, *err;
};

struct live_run live_run(const struct live_program_options *options, int ms);
void live_run_clear(struct live_run *run);

/* Runs a script of sh, which stops at the first command that fails; then the test fails. */
void live_shell(const char *script);

/* --- dbtop --- */

/* Where a program of the build folder is: in it, or in its copy $DBTOP_TEST_BUILD, for a user to
 * whom the build folder is barred. live_start() asks for argv[0]. The caller frees it. */
char *live_built(const char *path);

/* The built one, or $DBTOP's. */
const char *live_dbtop_path(void);

/* dbtop ARG... run to its end; the list ends with NULL. */
struct live_run live_dbtop(const char *arg, ...) __attribute__((sentinel));

/* Starts dbtop ARG..., with the options' own argv replaced; options may be NULL. */
struct live_program *live_dbtop_start(const struct live_program_options *options, ...)
	__attribute__((sentinel));

/* The JSON object that a text begins with; the caller json_decref()s it. */
json_t *live_parse_json(const char *text);

/* The audit log of the dbtop that live_dbtop() starts; the caller frees it. */
char *live_audit_path(void);

/* The last whole line of a program's JSON lines, and how many there are; NULL before the first. The
 * caller json_decref()s it. */
json_t *live_last_json(struct live_program *program, size_t *ret_count);

/* Waits for a line of JSON later than those written so far of which holds() is true; fails the test
 * when none comes. The caller json_decref()s it. */
json_t *live_await_json(struct live_program *program, bool (*holds)(json_t *root, void *data),
	void *data, const char *what, int ms);

/* dbtop --json CONNINFO ARG...: its one object, which the caller json_decref()s; the exit status
 * goes to ret_status, which may be NULL. */
json_t *live_dbtop_json(int *ret_status, const char *conninfo, ...) __attribute__((sentinel));

/* Among the snapshot's connections, or another array of objects under key: the first whose member
 * is that string or number. NULL for none. Borrowed. */
json_t *live_find_text(json_t *root, const char *key, const char *member, const char *value);
json_t *live_find_number(json_t *root, const char *key, const char *member, long value);

/* A path of members, "process.name": as text (NULL for null or none; borrowed), as number. */
const char *live_text(json_t *object, const char *path);
json_t *live_member(json_t *object, const char *path);

/* --- clients --- */

/* The client program: tests/live/client.c. */
const char *live_client_path(void);

/* "NODE_PATH=FOLDER" of node's driver pg, which tools/node-pg fetches when it is needed first. */
const char *live_node_path(void);

/* Starts the client program (tests/live/client.c describes the roles) and waits until it is ready:
 * its connections are then as the role says. The list of arguments ends with NULL. */
struct live_program *live_client(const char *conninfo, const char *role, ...)
	__attribute__((sentinel));

/* The same with the given options, whose argv is replaced. */
struct live_program *live_client_with(const struct live_program_options *options,
	const char *conninfo, const char *role, ...) __attribute__((sentinel));

/* The backend's pid of its first connection. */
int live_client_backend(struct live_program *client);

/* Leaves a session whose client was killed while its statement runs; returns the backend's pid. */
int live_client_killed(const char *conninfo);

/* --- PgBouncer --- */

struct live_pgbouncer;

/* In front of the server, over TCP (127.0.0.1, ::1) and Unix socket. Databases of any name lead to
 * the server's of that name over its Unix socket; "tcp" leads to postgres over TCP. Users postgres,
 * app, admin (may all on the console), stats (may only look), each with the server's password. It
 * runs as nobody when we are root, and so needs live_wide_server_start(). settings: lines of the
 * section pgbouncer, "pool_mode = session", laid over; NULL for none. */
struct live_pgbouncer *live_pgbouncer_start(
	const struct private_server *server, const char *const *settings);
/* Another PgBouncer at the same port: the kernel gives each connection to one of the two. The first
 * one has "so_reuseport = 1" among its settings. */
struct live_pgbouncer *live_pgbouncer_twin(
	const struct live_pgbouncer *first, const struct private_server *server);
/* Ends it, as a crash would, and brings it up again at the same place. */
void live_pgbouncer_kill(struct live_pgbouncer *pgbouncer);
void live_pgbouncer_restart(struct live_pgbouncer *pgbouncer);
/* NULL is allowed. LIVE_TEST() stops those that are left. */
void live_pgbouncer_stop(struct live_pgbouncer *pgbouncer);
void live_pgbouncers_stop(void);

/* `more`: "user=admin dbname=pgbouncer"; the caller frees it. */
char *live_pgbouncer_conninfo(
	const struct live_pgbouncer *pgbouncer, enum live_route route, const char *more);
int live_pgbouncer_port(const struct live_pgbouncer *pgbouncer);
struct live_program *live_pgbouncer_program(struct live_pgbouncer *pgbouncer);

#endif
