/* Starting the proxy, or starting it anew: what is planned, how far it is, and what came of it. */
#ifndef MODEL_LAUNCH_H
#define MODEL_LAUNCH_H

#include <stddef.h>
#include <stdint.h>

struct arena;
struct proxy;

enum launch_kind {
	LAUNCH_START,
	LAUNCH_RESTART,
};

enum launch_phase {
	LAUNCH_PLANNED,
	LAUNCH_STOPPING, /* SIGTERM was sent to the old one */
	LAUNCH_STARTING,
	LAUNCH_DONE,
};

enum launch_result {
	LAUNCH_PENDING,
	LAUNCH_STARTED,
	LAUNCH_FAILED,   /* it could not be started, or ended at once */
	LAUNCH_SURVIVED, /* the old one did not end: nothing was started */
	LAUNCH_CHANGED,  /* the old one is not the process any more that was seen: left alone */
	LAUNCH_DENIED,   /* it may not be signalled */
};

struct launch {
	struct arena *arena; /* owns everything here, the launch itself too */
	enum launch_kind kind;
	const char *const *argv; /* ends with NULL */
	const char *command;     /* the same for people */
	const char *output;      /* the file its output goes to */
	/* The one to be stopped first, as it was seen; pid 0: none. */
	int32_t old_pid;
	uint64_t old_start_ticks;
	const char *old_name, *old_executable, *old_unit;
	uint32_t clients; /* sockets to it, which are closed with it */

	enum launch_phase phase;
	enum launch_result result;
	const char *detail; /* NULL */
	int32_t pid;        /* the new one; 0: none */
};

/* Why it cannot be: no command, somebody else's process …; NULL when it can. proxy may be NULL,
 * argv may be empty. */
const char *launch_refusal(enum launch_kind kind, const struct proxy *proxy, size_t n_argv);

/* Copies what it needs; launch_refusal() has nothing against it. `output` may be NULL. */
struct launch *launch_new(enum launch_kind kind, const struct proxy *proxy, const char *const *argv,
	size_t n_argv, const char *output);
/* NULL is allowed. */
void launch_free(struct launch *launch);

/* "proxy_start", "proxy_restart" */
const char *launch_kind_name(enum launch_kind kind);
/* "started", "failed", "survived", "changed", "denied"; "pending" */
const char *launch_result_name(enum launch_result result);

#endif
