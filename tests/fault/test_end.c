/* dbtop ends as it should while a thread of it hangs: in a look-up, in a file, in a connection
 * attempt, or in a computation that a server asked for. No thread may be in libpq, OpenSSL or the C
 * library when exit() takes their tables away. (A scan that hangs: screen-watch.) */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/instant.h"
#include "base/mem.h"
#include "black_hole.h"
#include "liar.h"
#include "live.h"
#include "term.h"

#define END_MS 20000

/* The status of a report without an answer. dbtop waits BEGIN_US for one: what ends it later, a
 * signal or its own report, leaves this status. */
#define UNKNOWN  3
#define BEGIN_US (15 * USEC_PER_SEC)

/* A thread computes when it has used this much processor time; the others wait. */
#define COMPUTES_MS 150

/* A pipe whose other end says nothing: each reader opens it, and waits. */
static char *pipe_path;
static int pipe_fd;
static struct black_hole *hole;
static struct liar *endless;

static int setup(void **state)
{
	(void)state;
	pipe_path = mem_printf("%s/pipe", live_folder());
	assert_int_equal(mkfifo(pipe_path, 0600), 0);
	pipe_fd = open(pipe_path, O_RDWR | O_CLOEXEC);
	assert_true(pipe_fd >= 0);
	hole = black_hole_open("127.0.0.1", 0);
	endless = liar_start("", LIAR_ENDLESS, 1, 1);
	return 0;
}

static int teardown(void **state)
{
	liar_stop(endless);
	black_hole_close(hole);
	close(pipe_fd);
	free(pipe_path);
	return live_teardown(state);
}

/* --- what a process is at --- */

/* A child has our program, and our descriptors, until it runs dbtop. */
static bool is_dbtop(pid_t pid)
{
	struct stat own, its;
	CLEANUP(cleanup_free) char *path = mem_printf("/proc/%d/exe", pid);
	return stat("/proc/self/exe", &own) == 0 && stat(path, &its) == 0 &&
		(its.st_ino != own.st_ino || its.st_dev != own.st_dev);
}

static bool holds(pid_t pid, const char *wanted)
{
	bool found = false;
	CLEANUP(cleanup_free) char *path = mem_printf("/proc/%d/fd", pid);
	DIR *folder = opendir(path);
	for (struct dirent *entry; folder && !found && (entry = readdir(folder));) {
		char target[256];
		ssize_t n = readlinkat(dirfd(folder), entry->d_name, target, sizeof(target) - 1);
		target[n > 0 ? n : 0] = '\0';
		found = strcmp(target, wanted) == 0;
	}
	if (folder)
		closedir(folder);
	return found;
}

/* Whether one of its sockets is being connected to this port, by the kernel's table. */
static bool calls_port(pid_t pid, int port)
{
	CLEANUP(cleanup_free) char *remote = mem_printf(":%04X 02 ", (unsigned)port);
	CLEANUP(cleanup_free) char *table = live_read("/proc/net/tcp");
	bool found = false;
	for (const char *at = table; !found && at && (at = strstr(at, remote));) {
		unsigned long inode;
		at += strlen(remote);
		if (sscanf(at, "%*s %*s %*s %*s %*s %lu", &inode) != 1)
			continue;
		CLEANUP(cleanup_free) char *socket = mem_printf("socket:[%lu]", inode);
		found = holds(pid, socket);
	}
	return found;
}

static long cpu_ms(pid_t pid, const char *thread)
{
	CLEANUP(cleanup_free) char *path = mem_printf("/proc/%d/task/%s/stat", pid, thread);
	CLEANUP(cleanup_free) char *text = live_read(path);
	const char *after_name = text ? strrchr(text, ')') : NULL;
	long ticks = 0;
	if (after_name)
		(void)sscanf(
			after_name, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld", &ticks);
	return ticks * 1000 / sysconf(_SC_CLK_TCK);
}

/* In a thread other than the first. */
static bool computes(pid_t pid)
{
	long most = 0;
	CLEANUP(cleanup_free) char *path = mem_printf("/proc/%d/task", pid);
	DIR *folder = opendir(path);
	for (struct dirent *entry; folder && (entry = readdir(folder));) {
		long ms = atoi(entry->d_name) == pid ? 0 : cpu_ms(pid, entry->d_name);
		most = ms > most ? ms : most;
	}
	if (folder)
		closedir(folder);
	return most >= COMPUTES_MS;
}

/* --- what hangs --- */

enum hang {
	HANG_LOOK_UP,
	HANG_FILE,
	HANG_CONNECT,
	HANG_COMPUTE,
};

/* HOSTALIASES and PGSERVICEFILE are read by the C library and by libpq. */
static const struct {
	const char *conninfo, *variable;
} hangs[] = {
	[HANG_LOOK_UP] = { "host=nobody", "HOSTALIASES" },
	[HANG_FILE] = { "service=any", "PGSERVICEFILE" },
	[HANG_CONNECT] = { "host=127.0.0.1", NULL },
	[HANG_COMPUTE] = { "host=127.0.0.1", NULL },
};

struct hung {
	enum hang hang;
	pid_t pid;
	struct live_program *program; /* NULL: it has a terminal */
};

static bool hangs_now(void *data)
{
	const struct hung *hung = data;
	/* on a busy machine it may have given up: its status shows whether it ended well */
	if (hung->program && !live_running(hung->program))
		return true;
	if (!is_dbtop(hung->pid))
		return false;
	switch (hung->hang) {
	case HANG_LOOK_UP:
	case HANG_FILE: return holds(hung->pid, pipe_path);
	case HANG_CONNECT: return calls_port(hung->pid, black_hole_port(hole));
	default: return computes(hung->pid);
	}
}

static char *write_conninfo(enum hang hang)
{
	return mem_printf("%s port=%d user=app dbname=app password=x sslmode=disable "
			  "gssencmode=disable",
		hangs[hang].conninfo,
		hang == HANG_COMPUTE ? liar_port(endless) : black_hole_port(hole));
}

static char *write_variable(enum hang hang)
{
	const char *variable = hangs[hang].variable;
	return mem_printf("%s=%s", variable ? variable : "DBTOP_TEST", variable ? pipe_path : "");
}

static void wait_until_hung(enum hang hang, pid_t pid)
{
	struct hung hung = { hang, pid, NULL };
	if (!live_wait(hangs_now, &hung, END_MS))
		fail_msg("nothing hangs: %d", hang);
}

/* --- without a terminal --- */

static const char *const modes[][2] = { { "--json" }, { "--json", "--follow" }, { "--once" },
	{ "--kill-leaked", "--dry-run" } };

enum { N_MODES = sizeof(modes) / sizeof(modes[0]) };

struct reports {
	enum hang hang;
	int64_t start; /* monotonic */
	struct live_program *programs[N_MODES];
	bool signalled[N_MODES], late[N_MODES];
};

/* Signals each report as soon as it hangs: its 15 s go on while others start. */
static bool are_signalled(void *data)
{
	struct reports *reports = data;
	bool all = true;
	for (size_t i = 0; i < N_MODES; i++) {
		struct live_program *program = reports->programs[i];
		struct hung hung = { reports->hang, live_pid(program), program };
		if (!reports->signalled[i] && hangs_now(&hung)) {
			live_signal(program, SIGTERM);
			reports->signalled[i] = true;
			reports->late[i] = instant_monotonic() - reports->start >= BEGIN_US;
		}
		all &= reports->signalled[i];
	}
	return all;
}

/* Several at once: where a thread is in OpenSSL while its tables are freed, not every one crashes.
 */
static void end_headless(enum hang hang)
{
	struct reports reports = { .hang = hang, .start = instant_monotonic() };
	CLEANUP(cleanup_free) char *conninfo = write_conninfo(hang);
	CLEANUP(cleanup_free) char *variable = write_variable(hang);
	for (size_t i = 0; i < N_MODES; i++)
		reports.programs[i] = live_dbtop_start(
			&(struct live_program_options){
				.env = (const char *const[]){ variable, NULL },
			},
			conninfo, modes[i][0], modes[i][1], NULL);
	if (!live_wait(are_signalled, &reports, END_MS))
		fail_msg("nothing hangs: %d", hang);
	for (size_t i = 0; i < N_MODES; i++) {
		struct live_program *program = reports.programs[i];
		int status = live_finish(program, END_MS);
		if (status != 128 + SIGTERM && !(reports.late[i] && status == UNKNOWN))
			fail_msg("hang %d, %s: status %d: %s", hang, modes[i][0], status,
				live_err(program));
		live_free(program);
	}
}

static void a_report_ends(void **state)
{
	(void)state;
	for (enum hang hang = HANG_LOOK_UP; hang <= HANG_COMPUTE; hang++)
		end_headless(hang);
}

/* --- the dashboard --- */

static void end_dashboard(enum hang hang)
{
	CLEANUP(cleanup_free) char *conninfo = write_conninfo(hang);
	CLEANUP(cleanup_free) char *variable = write_variable(hang);
	struct term_options options = {
		.width = 100,
		.height = 30,
		.environment = (const char *const[]){ variable, NULL },
	};
	struct term *term =
		term_start(&options, (const char *const[]){ live_dbtop_path(), conninfo, NULL });
	int status;
	assert_true(term_wait_text(term, "connecting"));
	wait_until_hung(hang, term_pid(term));
	/* keys are answered meanwhile */
	term_press(term, "?");
	assert_true(term_wait_text(term, "Help"));
	term_press(term, "Esc q");
	assert_true(term_wait_exit(term, &status));
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		term_print(term, "in the end");
		fail_msg("hang %d: status %#x", hang, (unsigned)status);
	}
	term_end(term);
}

static void the_dashboard_ends(void **state)
{
	(void)state;
	for (enum hang hang = HANG_LOOK_UP; hang <= HANG_COMPUTE; hang++)
		for (int i = 0; i < 2; i++)
			end_dashboard(hang);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_report_ends, live_teardown),
		cmocka_unit_test_teardown(the_dashboard_ends, live_teardown),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
