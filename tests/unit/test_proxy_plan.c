/* Starting and restarting the proxy, with real processes: only what was seen is stopped, and only
 * when it is ours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "action/audit.h"
#include "action/proxy_plan.h"
#include "action/runner.h"
#include "model/proxy.h"
#include "proc/process.h"

#define UNTIL_ENDED 3600000

#define COMMAND(...) ((const char *const[]){ __VA_ARGS__, NULL })

static uv_loop_t loop;
static struct runner *runner;
static struct action *action;
static bool done;
static char folder[] = "/tmp/test_proxy_planXXXXXX";
static char output[sizeof(folder) + 8], moved[sizeof(output) + 2];

int __real_uv_timer_start(uv_timer_t *timer, uv_timer_cb cb, uint64_t timeout, uint64_t repeat);
int __wrap_uv_timer_start(uv_timer_t *timer, uv_timer_cb cb, uint64_t timeout, uint64_t repeat);

/* How long a command counts as ended at once, in ms. 0: for 1.5 s, in which a busy machine may not
 * have run it at all. */
static uint64_t stay;

int __wrap_uv_timer_start(uv_timer_t *timer, uv_timer_cb cb, uint64_t timeout, uint64_t repeat)
{
	return __real_uv_timer_start(timer, cb, stay && timeout == 1500 ? stay : timeout, repeat);
}

static void on_done(void *data)
{
	(void)data;
	done = true;
	uv_stop(&loop);
}

static void open_runner(bool readonly, struct audit *audit)
{
	runner = runner_new(&loop, NULL,
		&(struct runner_options){ .readonly = readonly, .audit = audit },
		&(struct runner_callbacks){ .done = on_done });
	done = false;
}

/* The step that starts the proxy. */
static const struct action_step *command(void)
{
	return &action->steps[action->n_steps - 1];
}

static int set_up(void **state)
{
	(void)state;
	uv_loop_init(&loop);
	stay = 0;
	open_runner(false, NULL);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	if (action && command()->pid)
		kill(command()->pid, SIGKILL);
	runner_free(runner);
	/* a stop that was asked for outside of a run ends the next one */
	while (uv_run(&loop, UV_RUN_DEFAULT))
		;
	assert_int_equal(uv_loop_close(&loop), 0);
	action_free(action);
	action = NULL;
	return 0;
}

static size_t length_of(const char *const *argv)
{
	size_t count = 0;
	while (argv[count])
		count++;
	return count;
}

static void begin(enum action_kind kind, const struct proxy *proxy, const char *const *argv)
{
	action = proxy_plan(kind, proxy, argv, length_of(argv), output);
	assert_int_equal(runner_begin(runner, action), 0);
}

static void run(enum action_kind kind, const struct proxy *proxy, const char *const *argv)
{
	begin(kind, proxy, argv);
	while (!done)
		uv_run(&loop, UV_RUN_ONCE);
	assert_false(runner_busy(runner));
}

static void test_started(void **state)
{
	(void)state;
	run(ACTION_PROXY_START, NULL, COMMAND("sleep", "60"));
	assert_int_equal(command()->result, RESULT_STARTED);
	assert_int_equal(kill(command()->pid, 0), 0);
	/* a session of its own: our Ctrl+C is not its */
	assert_int_equal(getsid(command()->pid), command()->pid);
}

static bool tells(const char *path, const char *text)
{
	char bytes[4096];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? -1 : read(fd, bytes, sizeof(bytes) - 1);
	close(fd);
	bytes[length > 0 ? length : 0] = '\0';
	return strstr(bytes, text) != NULL;
}

/* dbtop is left in the midst of it. */
static void test_interrupted(void **state)
{
	(void)state;
	char path[sizeof(folder) + 16];
	snprintf(path, sizeof(path), "%s/actions.jsonl", folder);
	struct audit *audit = audit_new(path);
	runner_free(runner);
	open_runner(false, audit);
	begin(ACTION_PROXY_START, NULL, COMMAND("sleep", "60"));
	while (!command()->pid)
		uv_run(&loop, UV_RUN_ONCE);
	runner_free(runner);
	runner = NULL;
	assert_false(done);
	assert_int_equal(command()->result, RESULT_STARTED);
	assert_int_equal(kill(command()->pid, 0), 0);
	audit_free(audit);
	assert_true(
		tells(path, "interrupted: it was started; whether it keeps running is not known"));
	unlink(path);
}

static void test_no_shell(void **state)
{
	(void)state;
	stay = UNTIL_ENDED;
	run(ACTION_PROXY_START, NULL, COMMAND("test", "$HOME", "=", "$HOME; false"));
	assert_int_equal(command()->result, RESULT_FAILED);
	assert_string_equal(command()->detail, "it ended at once with status 1");
}

static void test_last_words(void **state)
{
	(void)state;
	stay = UNTIL_ENDED;
	run(ACTION_PROXY_START, NULL,
		COMMAND("sh", "-c", "echo one; echo no such instance >&2; exit 3"));
	assert_int_equal(command()->result, RESULT_FAILED);
	assert_string_equal(command()->detail, "it ended at once with status 3: no such instance");
}

/* dbtop had no processor meanwhile, or was stopped: when the time is over, the end is there. */
static void test_ended_while_we_were_late(void **state)
{
	(void)state;
	siginfo_t info;
	stay = 10;
	begin(ACTION_PROXY_START, NULL, COMMAND("sh", "-c", "exit 3"));
	while (!command()->pid)
		uv_run(&loop, UV_RUN_NOWAIT);
	/* it fails where the loop has noticed the end already: then we are not late */
	(void)waitid(P_PID, (id_t)command()->pid, &info, WEXITED | WNOWAIT);
	usleep(20000);
	while (!done)
		uv_run(&loop, UV_RUN_ONCE);
	assert_int_equal(command()->result, RESULT_FAILED);
	assert_string_equal(command()->detail, "it ended at once with status 3");
}

static void test_output_is_moved_aside(void **state)
{
	(void)state;
	struct stat st;
	stay = UNTIL_ENDED;
	/* as large as it may get */
	assert_int_equal(truncate(output, 10 << 20), 0);
	run(ACTION_PROXY_START, NULL, COMMAND("sh", "-c", "echo again; exit 4"));
	assert_string_equal(command()->detail, "it ended at once with status 4: again");
	assert_int_equal(stat(output, &st), 0);
	assert_int_equal(st.st_size, strlen("again\n"));
	assert_int_equal(stat(moved, &st), 0);
	assert_int_equal(st.st_size, 10 << 20);
}

static void test_not_to_be_run(void **state)
{
	(void)state;
	run(ACTION_PROXY_START, NULL, COMMAND("/nowhere/proxy"));
	assert_int_equal(command()->result, RESULT_FAILED);
	assert_non_null(strstr(command()->detail, "/nowhere/proxy cannot be run"));
}

static void test_into_the_background(void **state)
{
	(void)state;
	stay = UNTIL_ENDED;
	run(ACTION_PROXY_START, NULL, COMMAND("true"));
	assert_int_equal(command()->result, RESULT_STARTED);
	assert_non_null(strstr(command()->detail, "background"));
}

static void test_readonly(void **state)
{
	(void)state;
	runner_free(runner);
	open_runner(true, NULL);
	action = proxy_plan(ACTION_PROXY_START, NULL, COMMAND("sleep", "60"), 2, NULL);
	assert_int_equal(runner_begin(runner, action), -EPERM);
	uv_run(&loop, UV_RUN_NOWAIT);
	assert_int_equal(command()->result, RESULT_PENDING);
	assert_int_equal(command()->pid, 0);
}

/* A process of ours in the proxy's place. */
static struct proxy *proxy_of(pid_t pid)
{
	struct proxy *proxy = proxy_new();
	char path[64], target[4096];
	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	ssize_t length = readlink(path, target, sizeof(target) - 1);
	assert_true(length > 0);
	proxy->status = PROXY_LISTENING;
	proxy->process.pid = pid;
	proxy->process.name = "sleep";
	proxy->process.uid = proxy->our_uid = getuid();
	proxy->executable = strndup(target, (size_t)length);
	assert_int_equal(process_start_ticks("/proc", pid, &proxy->process.start_ticks), 0);
	return proxy;
}

static void free_proxy(struct proxy *proxy)
{
	free((char *)proxy->executable);
	proxy_unref(proxy);
}

/* The child has become its program once the pipe is closed. */
static pid_t start_old(const char *const *argv)
{
	int ends[2];
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0) {
		execvp(argv[0], (char **)argv);
		_exit(127);
	}
	close(ends[1]);
	char byte;
	assert_int_equal(read(ends[0], &byte, 1), 0);
	close(ends[0]);
	return pid;
}

static void test_restarted(void **state)
{
	int status;
	(void)state;
	pid_t old = start_old(COMMAND("sleep", "60"));
	struct proxy *proxy = proxy_of(old);
	assert_null(proxy_plan_refusal(ACTION_PROXY_RESTART, proxy, 1));
	run(ACTION_PROXY_RESTART, proxy, COMMAND("sleep", "61"));
	assert_int_equal(command()->result, RESULT_STARTED);
	assert_int_equal(waitpid(old, &status, 0), old);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	free_proxy(proxy);
}

/* The old one is stopped: SIGTERM waits. */
static void test_interrupted_while_stopping(void **state)
{
	(void)state;
	pid_t old = start_old(COMMAND("sleep", "60"));
	struct proxy *proxy = proxy_of(old);
	/* a signal that comes before it has stopped would still end it */
	kill(old, SIGSTOP);
	assert_int_equal(waitpid(old, NULL, WUNTRACED), old);
	begin(ACTION_PROXY_RESTART, proxy, COMMAND("sleep", "61"));
	while (!action->steps[0].process.signal)
		uv_run(&loop, UV_RUN_ONCE);
	runner_interrupt(runner);
	assert_false(runner_busy(runner));
	assert_int_equal(command()->result, RESULT_SURVIVED);
	assert_int_equal(command()->pid, 0);
	assert_non_null(strstr(command()->detail, "interrupted: SIGTERM was sent"));
	kill(old, SIGKILL);
	assert_int_equal(waitpid(old, NULL, 0), old);
	free_proxy(proxy);
}

static void check_left_alone(struct proxy *proxy, pid_t old)
{
	run(ACTION_PROXY_RESTART, proxy, COMMAND("sleep", "61"));
	assert_int_equal(command()->result, RESULT_CHANGED);
	assert_int_equal(command()->pid, 0);
	assert_int_equal(waitpid(old, NULL, WNOHANG), 0);
	kill(old, SIGKILL);
	assert_int_equal(waitpid(old, NULL, 0), old);
}

static void test_pid_of_another(void **state)
{
	(void)state;
	pid_t old = start_old(COMMAND("sleep", "60"));
	struct proxy *proxy = proxy_of(old);
	proxy->process.start_ticks--;
	check_left_alone(proxy, old);
	free_proxy(proxy);
}

static void test_another_program(void **state)
{
	(void)state;
	pid_t old = start_old(COMMAND("sleep", "60"));
	struct proxy *proxy = proxy_of(old);
	free((char *)proxy->executable);
	proxy->executable = strdup("/usr/bin/cloud-sql-proxy");
	check_left_alone(proxy, old);
	free_proxy(proxy);
}

/* It ended before us: what is left to do is to start it. */
static void test_gone_already(void **state)
{
	(void)state;
	pid_t old = start_old(COMMAND("sleep", "60"));
	struct proxy *proxy = proxy_of(old);
	kill(old, SIGKILL);
	assert_int_equal(waitpid(old, NULL, 0), old);
	run(ACTION_PROXY_RESTART, proxy, COMMAND("sleep", "61"));
	assert_int_equal(command()->result, RESULT_STARTED);
	free_proxy(proxy);
}

static void check_refused(enum action_kind kind, struct proxy *proxy, const char *why)
{
	const char *found = proxy_plan_refusal(kind, proxy, 1);
	if (!why != !found || (why && !strstr(found, why)))
		fail_msg("refused: %s, not %s", found ? found : "no", why ? why : "no");
}

static void test_refusals(void **state)
{
	struct proxy *proxy = proxy_new();
	(void)state;
	assert_non_null(proxy_plan_refusal(ACTION_PROXY_START, NULL, 1));
	assert_non_null(strstr(proxy_plan_refusal(ACTION_PROXY_START, proxy, 0), "proxy.start"));
	proxy->status = PROXY_UNKNOWN;
	check_refused(ACTION_PROXY_START, proxy, "not known whether it runs");
	check_refused(ACTION_PROXY_RESTART, proxy, "not known whether it runs");
	proxy->status = PROXY_ABSENT;
	check_refused(ACTION_PROXY_START, proxy, NULL);
	check_refused(ACTION_PROXY_RESTART, proxy, "does not run");
	proxy->status = PROXY_FOREIGN;
	check_refused(ACTION_PROXY_START, proxy, "another program");
	check_refused(ACTION_PROXY_RESTART, proxy, "another program");
	proxy->status = PROXY_SERVING;
	check_refused(ACTION_PROXY_START, proxy, "runs already");
	check_refused(ACTION_PROXY_RESTART, proxy, "cannot see its process");
	proxy->process.pid = 1;
	check_refused(ACTION_PROXY_RESTART, proxy, "cannot see its process");
	proxy->executable = "/usr/sbin/haproxy";
	proxy->process.uid = 1001;
	proxy->our_uid = 1000;
	check_refused(ACTION_PROXY_RESTART, proxy, "another user");
	proxy->our_uid = 0;
	check_refused(ACTION_PROXY_RESTART, proxy, "another user");
	proxy->our_uid = 1001;
	check_refused(ACTION_PROXY_RESTART, proxy, NULL);
	proxy_unref(proxy);
}

static void test_command_for_people(void **state)
{
	(void)state;
	action = proxy_plan(
		ACTION_PROXY_START, NULL, COMMAND("proxy", "a b", "$x", "", "p:r:i"), 5, NULL);
	assert_string_equal(command()->command.text, "proxy 'a b' '$x' '' p:r:i");
}

int main(void)
{
	assert_non_null(mkdtemp(folder));
	snprintf(output, sizeof(output), "%s/output", folder);
	snprintf(moved, sizeof(moved), "%s.1", output);
#define LIVE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		LIVE(test_started),
		LIVE(test_interrupted),
		LIVE(test_no_shell),
		LIVE(test_last_words),
		LIVE(test_ended_while_we_were_late),
		LIVE(test_output_is_moved_aside),
		LIVE(test_not_to_be_run),
		LIVE(test_into_the_background),
		LIVE(test_readonly),
		LIVE(test_restarted),
		LIVE(test_interrupted_while_stopping),
		LIVE(test_pid_of_another),
		LIVE(test_another_program),
		LIVE(test_gone_already),
		LIVE(test_command_for_people),
		cmocka_unit_test(test_refusals),
	};
	int status = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(output);
	unlink(moved);
	rmdir(folder);
	return status;
}
