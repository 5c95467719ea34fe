/* The systemd unit: systemd finds no fault with it, and with its user, capabilities and filter of
 * system calls the guard still proves that another user's application is gone. */
#include "live_group.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"

#define WAIT_MS 60000

/* A user id that nobody else has, as DynamicUser= would choose. */
#define UID 61234

static const char *super; /* conninfo */

static void assert_runs(const char *const *argv)
{
	struct live_run run = live_run(&(struct live_program_options){ .argv = argv }, WAIT_MS);
	if (run.status != 0)
		fail_msg("%s %s: %d: %s%s", argv[0], argv[1], run.status, run.out, run.err);
	live_run_clear(&run);
}

/* The unit as it would be installed, but with the dbtop that is tested. */
static void systemd_finds_no_fault(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *text = live_read(UNIT_PATH);
	assert_non_null(text);
	const char *start = strstr(text, "ExecStart="), *rest = start ? strchr(start, ' ') : NULL;
	assert_non_null(rest);
	CLEANUP(cleanup_free)
	char *here = mem_printf("%.*sExecStart=%s%s", (int)(start - text), text, "/bin/true", rest);
	CLEANUP(cleanup_free) char *path = live_file(live_folder(), "dbtop-guard@it.service", here);
	const char *const verify[] = { "systemd-analyze", "verify", "--man=no",
		"--recursive-errors=no", path, NULL };
	const char *const security[] = { "systemd-analyze", "security", "--offline=true",
		"--threshold=30", "--no-pager", path, NULL };
	assert_runs(verify);
	assert_runs(security);
}

static int open_notify_socket(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(strlen(path) < sizeof(address.sun_path));
	strcpy(address.sun_path, path);
	unlink(path);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* Waits for a datagram that has this line. */
static void wait_notified(int fd, const char *line)
{
	char text[2048];
	for (;;) {
		ssize_t got = recv(fd, text, sizeof(text) - 1, 0);
		assert_true(got > 0);
		text[got] = '\0';
		if (strstr(text, line))
			return;
	}
}

/* What Type=notify, WatchdogSec= and ExecReload= need. */
static void a_service_manager_is_told(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *path = mem_printf("%s/notify", live_folder());
	CLEANUP(cleanup_free) char *variable = mem_printf("NOTIFY_SOCKET=%s", path);
	int fd = open_notify_socket(path);
	const struct timeval patience = { .tv_sec = 120 };
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	const char *const env[] = { variable, "WATCHDOG_USEC=300000", NULL };
	const struct live_program_options options = { .env = env };
	struct live_program *guard =
		live_dbtop_start(&options, "--guard", "--yes", "-i", "0.2", super, NULL);
	wait_notified(fd, "READY=1");
	wait_notified(fd, "STATUS=connected to");
	for (int i = 0; i < 3; i++)
		wait_notified(fd, "WATCHDOG=1");
	live_signal(guard, SIGHUP);
	wait_notified(fd, "RELOADING=1\nMONOTONIC_USEC=");
	wait_notified(fd, "READY=1");
	live_signal(guard, SIGTERM);
	wait_notified(fd, "STOPPING=1");
	assert_int_equal(live_finish(guard, WAIT_MS), 0);
	close(fd);
}

static void the_units_rights_prove_another_users_end(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *app = live_conninfo(server, LIVE_TCP4, "user=app");
	CLEANUP(cleanup_free) char *home = mem_printf("%s/service", live_folder());
	CLEANUP(cleanup_free) char *variable = mem_printf("XDG_STATE_HOME=%s", home);
	CLEANUP(cleanup_free) char *uid = mem_printf("%d", UID);
	assert_int_equal(mkdir(home, 0700), 0);
	assert_int_equal(chown(home, UID, UID), 0);
	const char *const env[] = { variable, NULL };
	const char *const argv[] = { "python3", "tests/live/confined.py", UNIT_PATH, uid,
		live_dbtop_path(), "--guard", "--yes", "-i", "0.2", "--for", "0.5", "--idle-limit",
		"0.1", super, NULL };
	const struct live_program_options options = { .argv = argv, .env = env };
	const struct live_program_options other = { .unprivileged = true };
	struct live_program *guard = live_start(&options);
	live_wait_err(guard, "connected to", 2 * WAIT_MS);
	/* its process is seen … */
	struct live_program *idle = live_client_with(&other, app, "idle", NULL);
	CLEANUP(cleanup_free) char *process = mem_printf("process %d ", (int)live_pid(idle));
	live_wait_err(guard, process, WAIT_MS);
	/* … and its end is proven */
	struct live_program *client = live_client_with(&other, app, "active", NULL);
	int pid = live_client_backend(client);
	live_free(client);
	CLEANUP(cleanup_free) char *gone = mem_printf("pid = %d", pid);
	live_wait_sessions(server, gone, 0, WAIT_MS);
	live_wait_err(guard, "client_gone, proven: terminated", WAIT_MS);
	CLEANUP(cleanup_free) char *audit = mem_printf("%s/dbtop/actions.jsonl", home);
	CLEANUP(cleanup_free) char *text = live_read(audit);
	assert_non_null(text);
	live_signal(guard, SIGTERM);
	assert_int_equal(live_finish(guard, WAIT_MS), 0);
	/* what belongs to other users is left where it is */
	const char *const own[] = { "chown", "-R", "root", home, NULL };
	assert_runs(own);
}

static void set_up(void)
{
	super = live_group_conninfo(LIVE_TCP4, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIVE_TEST(systemd_finds_no_fault),
		LIVE_TEST(a_service_manager_is_told),
		LIVE_TEST(the_units_rights_prove_another_users_end),
	};
	return LIVE_GROUP("unit", tests, .sql = "CREATE ROLE app LOGIN", .set_up = set_up,
		.wide = true, .root_tests = 1);
}
