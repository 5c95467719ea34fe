/* Stops processes: SIGTERM, the grace, SIGKILL. Each is held by a pidfd from the check of its
 * identity to its end, so that no signal can reach whoever has its pid next. */
#ifndef ACTION_STOP_H
#define ACTION_STOP_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct arena;
struct emergency_process;
struct stopper;

/* After SIGKILL: whoever is still there then waits for a device, or is stopped by a debugger. */
#define STOP_KILL_DEADLINE (INT64_C(3) * 1000000)

struct stop_options {
	const char *proc_root; /* "/proc"; copied */
	struct arena *arena;   /* details go there */
	bool readonly;         /* nothing is ever signalled */
	bool force;            /* SIGKILL at once */
	int64_t grace;         /* µs between SIGTERM and SIGKILL */
	void *data;
	/* A process was signalled again, or has its result. Never from within a call. */
	void (*progress)(void *data, const struct emergency_process *process);
};

/* Never NULL. */
struct stopper *stop_new(uv_loop_t *loop, const struct stop_options *options);

/* Begins with one process, which is the caller's and must live as long as the stopper: signal,
 * took, result and detail are written into it. 0, or -EPERM when readonly. A process that is not
 * the planned one any more has its result at once. */
int stop_begin(struct stopper *stopper, struct emergency_process *process)
	__attribute__((warn_unused_result));

/* One is on its way. */
bool stop_busy(const struct stopper *stopper);

/* Those on their way get no further signal; their result is "timeout", with what was sent, unless
 * they have ended in this moment. */
void stop_interrupt(struct stopper *stopper);

/* NULL is allowed. The handles close in the loop's next turns: run it until it is empty. */
void stop_free(struct stopper *stopper);

#endif
