/* Pidfds of the application's processes and of the server's backends: their ends are reported at
 * once, even if the server is too busy to answer. */
#ifndef WATCH_HELD_H
#define WATCH_HELD_H

#include <stdint.h>
#include <uv.h>

struct arena;
struct held;
struct shutdown_connection;
struct shutdown_process;

struct held_callbacks {
	void *data;
	/* `at` is monotonic. */
	void (*process_ended)(void *data, int32_t pid, int64_t at);
	void (*backend_ended)(void *data, int32_t pid, int64_t at);
};

/* Never NULL. */
struct held *held_new(uv_loop_t *loop, const struct held_callbacks *callbacks)
	__attribute__((returns_nonnull));
/* No callback runs after this. The handles close in the loop's next turns. NULL is allowed. */
void held_free(struct held *held);

/* Holds the process, and notes that in it. If it has ended already, the next sample shows that. */
void held_add_process(struct held *held, struct shutdown_process *process);

/* The process's name now, clean, in the arena; NULL if it has ended. */
const char *held_name(
	const struct held *held, const struct shutdown_process *process, struct arena *arena);

/* Holds the session's backend, if it is a process of this machine with the same start time. */
void held_add_backend(struct held *held, const struct shutdown_connection *connection);

/* The pidfd of a process; −1 when it has ended. Borrowed. */
int held_fd(const struct held *held, const struct shutdown_process *process);

#endif
