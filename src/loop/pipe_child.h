/* A program that we start, and speak with in lines over its standard input and output. It has no
 * terminal: it cannot ask the user anything, and Ctrl+C does not reach it. */
#ifndef LOOP_PIPE_CHILD_H
#define LOOP_PIPE_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

struct pipe_child;

/* The last bytes of its standard error that are kept, and how many it may write there in all. */
#define PIPE_CHILD_ERRORS      512
#define PIPE_CHILD_ERRORS_MOST ((size_t)1 << 20)

struct pipe_child_callbacks {
	void *data;
	/* A line without its end; `line` is valid during the call. It may free the child. */
	void (*line)(void *data, const char *line, size_t length);
	/* It has ended, or wrote a longer line or more errors than allowed; called once. `reason`
	 * says how, NULL for status 0; `errors` are the last bytes of its standard error,
	 * terminated and not clean. It may free the child. */
	void (*ended)(void *data, const char *reason, const char *errors);
};

/* Starts it. Returns 0 or a negative errno. `line_most` is the longest line. */
int pipe_child_start(uv_loop_t *loop, const char *const *argv, size_t line_most,
	const struct pipe_child_callbacks *callbacks, struct pipe_child **ret_child)
	__attribute__((warn_unused_result));

/* Sends a line without its end, which is freed. */
void pipe_child_write(struct pipe_child *child, char *line);

/* From now on, the longest line. */
void pipe_child_limit(struct pipe_child *child, size_t line_most);

/* Ends it by SIGKILL, together with what it started in its process group; nothing is called any
 * more. NULL is allowed. */
void pipe_child_free(struct pipe_child *child);

#endif
