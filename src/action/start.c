/* start → see that it stays */
#include "action/start.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/journal.h"
#include "base/mem.h"
#include "base/text.h"
#include "loop/handle.h"
#include "model/action.h"

#define STAY_MS 1500 /* a command that lives for so long counts as started */
#define TAIL    512  /* bytes at the output's end that are read for its last line */

#define OUTPUT_MAX (10 << 20) /* bytes at which the file of its output is moved aside */

struct starter {
	uv_loop_t *loop;
	struct step_callbacks callbacks;
	struct action *action;    /* of the step */
	struct action_step *step; /* NULL: nothing is started now */
	uv_timer_t *timer;
	uv_process_t *process; /* the new one, while it is watched; NULL */
	off_t output_from;     /* where its output begins in the file */
};

struct starter *start_new(uv_loop_t *loop, const struct step_callbacks *callbacks)
{
	struct starter *starter = mem_alloc(sizeof(*starter));
	*starter = (struct starter){ .loop = loop, .callbacks = *callbacks };
	starter->timer = handle_new_timer(loop, starter);
	return starter;
}

void start_free(struct starter *starter)
{
	if (!starter)
		return;
	handle_close(starter->timer);
	/* Closing the handle lets go of the process, which lives on. */
	handle_close(starter->process);
	free(starter);
}

/* The callback comes last. */
static void set_result(struct starter *starter, enum action_result result, const char *detail)
{
	struct action_step *step = starter->step;
	uv_timer_stop(starter->timer);
	step->result = result;
	step->detail = detail;
	starter->step = NULL;
	starter->callbacks.changed(starter->callbacks.data, step);
}

void start_interrupt(struct starter *starter)
{
	if (starter->step)
		set_result(starter, RESULT_STARTED,
			"interrupted: it was started; whether it keeps running is not known");
}

static const struct journal_options output_options = { .size_max = OUTPUT_MAX, .strict = true };

/* The file for its output, for us alone; −1 when there can be none. */
static int open_output(struct starter *starter)
{
	const char *path = starter->step->command.output;
	int64_t size = 0;
	int fd = -1;
	int r = path ? journal_open(path, &output_options, &fd, &size) : 0;
	starter->output_from = r < 0 ? 0 : (off_t)size;
	return r < 0 ? -1 : fd;
}

/* The last line it wrote, in the action's arena; NULL for none. */
static const char *last_words(const struct starter *starter)
{
	char bytes[TAIL + 1];
	const char *path = starter->step->command.output;
	CLEANUP(cleanup_fd)
	int fd = path ? open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY) : -1;
	off_t size = fd >= 0 ? lseek(fd, 0, SEEK_END) : 0;
	off_t from = size - TAIL > starter->output_from ? size - TAIL : starter->output_from;
	ssize_t length = size > from ? pread(fd, bytes, (size_t)(size - from), from) : 0;
	while (length > 0 && strchr(" \r\n", bytes[length - 1]))
		length--;
	if (length <= 0)
		return NULL;
	bytes[length] = '\0';
	const char *line = strrchr(bytes, '\n');
	line = line ? line + 1 : bytes;
	return text_clean(starter->action->arena, line, strlen(line), TEXT_LINE);
}

static void on_exit_early(struct starter *starter, int64_t status, int signal_number)
{
	struct arena *arena = starter->action->arena;
	const char *words = last_words(starter);
	if (status == 0 && signal_number == 0) {
		set_result(starter, RESULT_STARTED,
			"its command ended with status 0: it went into the background");
		return;
	}
	const char *how = signal_number
		? arena_printf(arena, "it ended at once by signal %d", signal_number)
		: arena_printf(arena, "it ended at once with status %d", (int)status);
	set_result(starter, RESULT_FAILED, words ? arena_printf(arena, "%s: %s", how, words) : how);
}

/* Also called when the command ends long after its start: then nothing is reported. */
static void on_process_exit(uv_process_t *process, int64_t status, int signal_number)
{
	struct starter *starter = process->data;
	handle_close(process);
	if (starter->process != process)
		return;
	starter->process = NULL;
	if (starter->step)
		on_exit_early(starter, status, signal_number);
}

/* The loop runs timers before it notices ends: it looks once more, in case that we were late. */
static void on_stayed(uv_timer_t *timer)
{
	if (uv_timer_get_repeat(timer)) {
		uv_timer_set_repeat(timer, 0);
		return;
	}
	set_result(timer->data, RESULT_STARTED, NULL);
}

/* It gets a session of its own, no terminal and no input: it must outlive dbtop, and dbtop's Ctrl+C
 * must not reach it. */
static int spawn(struct starter *starter, int output)
{
	uv_stdio_container_t stdio[3] = { { .flags = UV_IGNORE } };
	for (int i = 1; i < 3; i++) {
		stdio[i].flags = output >= 0 ? UV_INHERIT_FD : UV_IGNORE;
		stdio[i].data.fd = output;
	}
	const struct command_step *command = &starter->step->command;
	const uv_process_options_t options = {
		.exit_cb = on_process_exit,
		.file = command->argv[0],
		.args = (char **)command->argv,
		.flags = UV_PROCESS_DETACHED,
		.stdio_count = 3,
		.stdio = stdio,
	};
	handle_close(starter->process);
	starter->process = mem_alloc(sizeof(*starter->process));
	starter->process->data = starter;
	int r = uv_spawn(starter->loop, starter->process, &options);
	uv_unref((uv_handle_t *)starter->process);
	return r;
}

void start_begin(struct starter *starter, struct action *action, struct action_step *step)
{
	starter->action = action;
	starter->step = step;
	CLEANUP(cleanup_fd) int output = open_output(starter);
	int r = spawn(starter, output);
	if (r < 0) {
		handle_close(starter->process);
		starter->process = NULL;
		set_result(starter, RESULT_FAILED,
			arena_printf(action->arena, "%s cannot be run: %s", step->command.argv[0],
				uv_strerror(r)));
		return;
	}
	step->pid = uv_process_get_pid(starter->process);
	uv_timer_start(starter->timer, on_stayed, STAY_MS, 1);
	starter->callbacks.changed(starter->callbacks.data, step);
}
