/* stop → wait for its pidfd → start → see that it stays */
#include "action/launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "action/audit.h"
#include "base/arena.h"
#include "base/cleanup.h"
#include "base/instant.h"
#include "base/journal.h"
#include "base/mem.h"
#include "base/text.h"
#include "loop/handle.h"
#include "loop/pidfd_watch.h"
#include "model/launch.h"
#include "proc/process.h"
#include "proc/procfs.h"

#define STOP_MS 10000 /* the old one has so long to end … */
#define STAY_MS 1500  /* … and the new one has to live so long to count as started */
#define TAIL    512   /* bytes of output that are looked at for a last word */

#define OUTPUT_MAX (10 << 20) /* bytes at which the file of its output is moved aside */

struct launcher {
	uv_loop_t *loop;
	struct launcher_options options;
	struct launch *launch;      /* under way; NULL */
	struct pidfd_watch *ending; /* of the old process; its key is 0 */
	uv_timer_t *timer;
	uv_process_t *process; /* the new one, while it is watched; NULL */
	off_t output_from;     /* where its output begins in the file */
};

static void on_ended(void *data, uint64_t key, int64_t at);

struct launcher *launcher_new(uv_loop_t *loop, const struct launcher_options *options)
{
	struct launcher *launcher = mem_alloc(sizeof(*launcher));
	*launcher = (struct launcher){ .loop = loop, .options = *options };
	launcher->ending =
		pidfd_watch_new(loop, &(struct pidfd_watch_callbacks){ launcher, on_ended });
	launcher->timer = handle_new_timer(loop, launcher);
	return launcher;
}

static void stop_watching(struct launcher *launcher)
{
	uv_timer_stop(launcher->timer);
	pidfd_watch_remove(launcher->ending, 0);
}

void launcher_free(struct launcher *launcher)
{
	if (!launcher)
		return;
	launcher_interrupt(launcher);
	handle_close(launcher->timer);
	pidfd_watch_free(launcher->ending);
	/* closing the handle lets go of the process, which lives on */
	handle_close(launcher->process);
	free(launcher);
}

bool launcher_busy(const struct launcher *launcher)
{
	return launcher->launch != NULL;
}

static void go_on(struct launcher *launcher, enum launch_phase phase)
{
	launcher->launch->phase = phase;
	launcher->options.changed(launcher->options.data);
}

static void record(struct launcher *launcher, enum launch_result result, const char *detail)
{
	struct launch *launch = launcher->launch;
	stop_watching(launcher);
	launch->result = result;
	launch->detail = detail;
	launch->phase = LAUNCH_DONE;
	launcher->launch = NULL;
	if (launcher->options.audit)
		audit_launch(launcher->options.audit, launch, instant_now());
}

/* The callback comes last. */
static void finish(struct launcher *launcher, enum launch_result result, const char *detail)
{
	record(launcher, result, detail);
	launcher->options.changed(launcher->options.data);
}

void launcher_interrupt(struct launcher *launcher)
{
	if (!launcher_busy(launcher))
		stop_watching(launcher);
	else if (launcher->launch->phase == LAUNCH_STOPPING)
		record(launcher, LAUNCH_SURVIVED,
			"interrupted: SIGTERM was sent, not yet seen gone; nothing was started");
	else
		record(launcher, LAUNCH_STARTED,
			"interrupted: it was started, not yet seen to stay");
}

static const struct journal_options output_options = { .size_max = OUTPUT_MAX, .strict = true };

/* The file for its output, for us alone; −1 when there can be none. */
static int open_output(struct launcher *launcher)
{
	const char *path = launcher->launch->output;
	int64_t size = 0;
	int fd = -1;
	int r = path ? journal_open(path, &output_options, &fd, &size) : 0;
	launcher->output_from = r < 0 ? 0 : (off_t)size;
	return r < 0 ? -1 : fd;
}

/* The last line it wrote, in the launch's arena; NULL for none. */
static const char *last_words(const struct launcher *launcher)
{
	char bytes[TAIL + 1];
	const char *path = launcher->launch->output;
	CLEANUP(cleanup_fd)
	int fd = path ? open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY) : -1;
	off_t size = fd >= 0 ? lseek(fd, 0, SEEK_END) : 0;
	off_t from = size - TAIL > launcher->output_from ? size - TAIL : launcher->output_from;
	ssize_t length = size > from ? pread(fd, bytes, (size_t)(size - from), from) : 0;
	while (length > 0 && strchr(" \r\n", bytes[length - 1]))
		length--;
	if (length <= 0)
		return NULL;
	bytes[length] = '\0';
	const char *line = strrchr(bytes, '\n');
	line = line ? line + 1 : bytes;
	return text_clean(launcher->launch->arena, line, strlen(line), TEXT_LINE);
}

static void on_exit_early(struct launcher *launcher, int64_t status, int signal_number)
{
	struct arena *arena = launcher->launch->arena;
	const char *words = last_words(launcher);
	if (status == 0 && signal_number == 0) {
		finish(launcher, LAUNCH_STARTED,
			"its command ended with status 0: it went into the background");
		return;
	}
	const char *how = signal_number
		? arena_printf(arena, "it ended at once by signal %d", signal_number)
		: arena_printf(arena, "it ended at once with status %d", (int)status);
	finish(launcher, LAUNCH_FAILED, words ? arena_printf(arena, "%s: %s", how, words) : how);
}

/* Also of one that ends long after: then there is nobody to be told but the kernel. */
static void on_process_exit(uv_process_t *process, int64_t status, int signal_number)
{
	struct launcher *launcher = process->data;
	handle_close(process);
	if (launcher->process != process)
		return;
	launcher->process = NULL;
	if (launcher->launch)
		on_exit_early(launcher, status, signal_number);
}

static void on_stayed(uv_timer_t *timer)
{
	finish(timer->data, LAUNCH_STARTED, NULL);
}

/* A session of its own, no terminal, no input: it must outlive us, and not be hit by our Ctrl+C. */
static int spawn(struct launcher *launcher, int output)
{
	uv_stdio_container_t stdio[3] = { { .flags = UV_IGNORE } };
	for (int i = 1; i < 3; i++) {
		stdio[i].flags = output >= 0 ? UV_INHERIT_FD : UV_IGNORE;
		stdio[i].data.fd = output;
	}
	const uv_process_options_t options = {
		.exit_cb = on_process_exit,
		.file = launcher->launch->argv[0],
		.args = (char **)launcher->launch->argv,
		.flags = UV_PROCESS_DETACHED,
		.stdio_count = 3,
		.stdio = stdio,
	};
	handle_close(launcher->process);
	launcher->process = mem_alloc(sizeof(*launcher->process));
	launcher->process->data = launcher;
	int r = uv_spawn(launcher->loop, launcher->process, &options);
	uv_unref((uv_handle_t *)launcher->process);
	return r;
}

static void start(struct launcher *launcher)
{
	struct launch *launch = launcher->launch;
	stop_watching(launcher);
	CLEANUP(cleanup_fd) int output = open_output(launcher);
	int r = spawn(launcher, output);
	if (r < 0) {
		handle_close(launcher->process);
		launcher->process = NULL;
		finish(launcher, LAUNCH_FAILED,
			arena_printf(launch->arena, "%s cannot be run: %s", launch->argv[0],
				uv_strerror(r)));
		return;
	}
	launch->pid = uv_process_get_pid(launcher->process);
	uv_timer_start(launcher->timer, on_stayed, STAY_MS, 0);
	go_on(launcher, LAUNCH_STARTING);
}

static void on_ended(void *data, uint64_t key, int64_t at)
{
	(void)key, (void)at;
	start(data);
}

static void on_stubborn(uv_timer_t *timer)
{
	finish(timer->data, LAUNCH_SURVIVED,
		"it did not end within 10 s of SIGTERM; it was not killed, and nothing was "
		"started");
}

/* Whether the held process still runs the program that was seen. */
static bool runs_the_same(const struct launch *launch)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/exe", launch->old_pid);
	const char *executable = procfs_executable(AT_FDCWD, path, launch->arena);
	return executable && strcmp(executable, launch->old_executable) == 0;
}

static void watch_the_end(struct launcher *launcher, int pidfd)
{
	if (pidfd_watch_add(launcher->ending, pidfd, 0) < 0) {
		finish(launcher, LAUNCH_SURVIVED, "its end cannot be waited for");
		return;
	}
	uv_timer_start(launcher->timer, on_stubborn, STOP_MS, 0);
	go_on(launcher, LAUNCH_STOPPING);
}

static void stop(struct launcher *launcher)
{
	struct launch *launch = launcher->launch;
	CLEANUP(cleanup_fd) int fd = -1;
	int r = process_hold("/proc", launch->old_pid, launch->old_start_ticks, &fd);
	if (r == -ESRCH) {
		/* it ended before us */
		start(launcher);
		return;
	}
	if (r < 0 || !runs_the_same(launch)) {
		finish(launcher, LAUNCH_CHANGED,
			"its pid is another program's by now, which was left alone");
		return;
	}
	r = process_signal(fd, SIGTERM);
	if (r == -ESRCH) {
		start(launcher);
	} else if (r < 0) {
		finish(launcher, LAUNCH_DENIED, "it may not be signalled");
	} else {
		watch_the_end(launcher, fd);
		fd = -1;
	}
}

int launcher_run(struct launcher *launcher, struct launch *launch)
{
	if (launcher->options.readonly)
		return -EPERM;
	if (launcher->launch)
		return -EBUSY;
	if (launcher->options.audit) {
		audit_launch(launcher->options.audit, launch, instant_now());
		if (audit_error(launcher->options.audit) && !launch->unaudited)
			return -EIO;
	}
	launcher->launch = launch;
	if (launch->old_pid)
		stop(launcher);
	else
		start(launcher);
	return 0;
}
