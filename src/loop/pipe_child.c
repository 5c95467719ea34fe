/* A process may leave others behind that keep its pipes open (ssh's master connection): it has
 * ended a moment after it exited, whether the pipes were closed or not. */
#include "loop/pipe_child.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "loop/handle.h"

/* How long what it wrote is read after it exited. */
#define DRAIN_MS 200

#define CHUNK ((size_t)65536)

struct pipe_child {
	struct pipe_child_callbacks callbacks;
	uv_process_t *process; /* NULL once it has exited */
	uv_pipe_t *in, *out, *err;
	uv_timer_t *drain;
	size_t line_most;
	char *line; /* what was read of the current line */
	size_t length, room;
	char errors[PIPE_CHILD_ERRORS + 1];
	size_t n_errors, errors_written;
	char reason[64];
	bool has_exited, has_ended;
	bool is_calling, is_freed; /* freed during a callback: the memory is still in use */
	char chunk[CHUNK];
};

/* The line belongs to the request, which may outlive the child. */
struct write_request {
	uv_write_t request;
	char *line;
};

static void free_memory(struct pipe_child *child)
{
	free(child->line);
	free(child);
}

/* Returns false if the child was freed by the callback. */
static bool finish_call(struct pipe_child *child)
{
	child->is_calling = false;
	if (!child->is_freed)
		return true;
	free_memory(child);
	return false;
}

static void end(struct pipe_child *child)
{
	if (child->has_ended)
		return;
	child->has_ended = child->is_calling = true;
	child->errors[child->n_errors] = '\0';
	child->callbacks.ended(
		child->callbacks.data, child->reason[0] ? child->reason : NULL, child->errors);
	(void)finish_call(child);
}

static void on_drained(uv_timer_t *timer)
{
	end(timer->data);
}

static void end_if_done(struct pipe_child *child)
{
	if (child->has_exited && !child->out && !child->err)
		end(child);
}

static void on_exited(uv_process_t *process, int64_t status, int signal_number)
{
	struct pipe_child *child = process->data;
	handle_close(process);
	if (!child)
		return;
	child->process = NULL;
	child->has_exited = true;
	if (signal_number)
		snprintf(child->reason, sizeof(child->reason), "ended by signal %d", signal_number);
	else if (status)
		snprintf(child->reason, sizeof(child->reason), "ended with status %d", (int)status);
	uv_timer_start(child->drain, on_drained, DRAIN_MS, 0);
	end_if_done(child);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buffer)
{
	struct pipe_child *child = handle->data;
	(void)suggested;
	*ret_buffer = uv_buf_init(child->chunk, CHUNK);
}

static void close_pipe(uv_pipe_t **pipe)
{
	handle_close(*pipe);
	*pipe = NULL;
}

static void end_for(struct pipe_child *child, const char *what, size_t most)
{
	snprintf(child->reason, sizeof(child->reason), "wrote %s of more than %zu bytes", what,
		most);
	end(child);
}

/* Keeps the last bytes. */
static void on_errors(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
	struct pipe_child *child = stream->data;
	(void)buffer;
	if (n < 0) {
		close_pipe(&child->err);
		end_if_done(child);
		return;
	}
	size_t take = (size_t)n < PIPE_CHILD_ERRORS ? (size_t)n : PIPE_CHILD_ERRORS;
	size_t keep = PIPE_CHILD_ERRORS - take < child->n_errors ? PIPE_CHILD_ERRORS - take
								 : child->n_errors;
	memmove(child->errors, child->errors + child->n_errors - keep, keep);
	memcpy(child->errors + keep, child->chunk + (size_t)n - take, take);
	child->n_errors = keep + take;
	child->errors_written += (size_t)n;
	if (child->errors_written > PIPE_CHILD_ERRORS_MOST)
		end_for(child, "error messages", PIPE_CHILD_ERRORS_MOST);
}

/* False if the child is gone, or reads no more. */
static bool call_line(struct pipe_child *child)
{
	child->is_calling = true;
	child->callbacks.line(child->callbacks.data, child->line, child->length);
	child->length = 0;
	return finish_call(child);
}

/* Adds to the current line; false if it is too long. */
static bool add(struct pipe_child *child, const char *bytes, size_t n)
{
	if (child->length + n > child->line_most)
		return false;
	if (child->length + n + 1 > child->room) {
		child->room = (child->length + n + 1) * 2;
		child->line = mem_resize(child->line, child->room, 1);
	}
	memcpy(child->line + child->length, bytes, n);
	child->length += n;
	child->line[child->length] = '\0';
	return true;
}

static void on_output(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
	struct pipe_child *child = stream->data;
	(void)buffer;
	if (n < 0) {
		close_pipe(&child->out);
		end_if_done(child);
		return;
	}
	const char *from = child->chunk, *last = child->chunk + n;
	while (from < last) {
		const char *newline = memchr(from, '\n', (size_t)(last - from));
		const char *until = newline ? newline : last;
		if (!add(child, from, (size_t)(until - from))) {
			end_for(child, "a line", child->line_most);
			return;
		}
		if (newline && !call_line(child))
			return;
		from = until + 1;
	}
}

static uv_pipe_t *pipe_new(uv_loop_t *loop, struct pipe_child *child)
{
	uv_pipe_t *pipe = mem_alloc(sizeof(*pipe));
	uv_pipe_init(loop, pipe, 0);
	pipe->data = child;
	return pipe;
}

static int spawn(struct pipe_child *child, uv_loop_t *loop, const char *const *argv)
{
	uv_stdio_container_t stdio[3] = {
		{ .flags = UV_CREATE_PIPE | UV_READABLE_PIPE,
			.data.stream = (uv_stream_t *)child->in },
		{ .flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE,
			.data.stream = (uv_stream_t *)child->out },
		{ .flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE,
			.data.stream = (uv_stream_t *)child->err },
	};
	const uv_process_options_t options = {
		.exit_cb = on_exited,
		.file = argv[0],
		.args = (char **)argv,
		.flags = UV_PROCESS_DETACHED,
		.stdio_count = 3,
		.stdio = stdio,
	};
	return uv_spawn(loop, child->process, &options);
}

int pipe_child_start(uv_loop_t *loop, const char *const *argv, size_t line_most,
	const struct pipe_child_callbacks *callbacks, struct pipe_child **ret_child)
{
	struct pipe_child *child = mem_alloc(sizeof(*child));
	child->callbacks = *callbacks;
	child->line_most = line_most;
	child->line = mem_alloc(1);
	child->room = 1;
	child->in = pipe_new(loop, child);
	child->out = pipe_new(loop, child);
	child->err = pipe_new(loop, child);
	child->drain = handle_new_timer(loop, child);
	child->process = mem_alloc(sizeof(*child->process));
	child->process->data = child;
	int r = spawn(child, loop, argv);
	if (r < 0) {
		handle_close(child->process);
		child->process = NULL;
		pipe_child_free(child);
		return r;
	}
	uv_read_start((uv_stream_t *)child->out, on_alloc, on_output);
	uv_read_start((uv_stream_t *)child->err, on_alloc, on_errors);
	*ret_child = child;
	return 0;
}

static void on_written(uv_write_t *request, int status)
{
	struct write_request *write = request->data;
	(void)status;
	free(write->line);
	free(write);
}

void pipe_child_write(struct pipe_child *child, char *line)
{
	struct write_request *write = mem_alloc(sizeof(*write));
	size_t length = strlen(line);
	write->line = line;
	write->request.data = write;
	/* the terminator is in the way of nothing: the line's end takes its place */
	line[length] = '\n';
	uv_buf_t buffer = uv_buf_init(line, (unsigned)length + 1);
	if (uv_write(&write->request, (uv_stream_t *)child->in, &buffer, 1, on_written) < 0)
		on_written(&write->request, 0);
}

void pipe_child_limit(struct pipe_child *child, size_t line_most)
{
	child->line_most = line_most;
}

void pipe_child_free(struct pipe_child *child)
{
	if (!child)
		return;
	handle_close(child->in);
	close_pipe(&child->out);
	close_pipe(&child->err);
	handle_close(child->drain);
	if (child->process) {
		/* it leads a group of its own */
		(void)uv_kill(-uv_process_get_pid(child->process), SIGKILL);
		/* on_exited() closes the handle */
		child->process->data = NULL;
	}
	child->is_freed = true;
	if (!child->is_calling)
		free_memory(child);
}
