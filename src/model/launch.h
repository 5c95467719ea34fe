/* Starting or restarting the proxy: the plan, the progress and the result. */
#ifndef MODEL_LAUNCH_H
#define MODEL_LAUNCH_H

#include <stdbool.h>
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
	LAUNCH_STOPPING, /* SIGTERM was sent to the old process */
	LAUNCH_STARTING,
	LAUNCH_DONE,
};

enum launch_result {
	LAUNCH_PENDING,
	LAUNCH_STARTED,
	LAUNCH_FAILED,   /* it could not be started, or ended at once */
	LAUNCH_SURVIVED, /* the old process did not end: nothing was started */
	LAUNCH_CHANGED,  /* the old process was replaced by another one: left alone */
	LAUNCH_DENIED,   /* no permission to signal the old process */
};

struct launch {
	struct arena *arena; /* owns everything here, the launch too */
	enum launch_kind kind;
	const char *const *argv; /* ends with NULL */
	const char *command;     /* the command for display */
	const char *output;      /* the file its output goes to */
	/* The process that is stopped first; pid 0: none. */
	int32_t old_pid;
	uint64_t old_start_ticks;
	const char *old_name, *old_executable, *old_unit;
	uint32_t clients; /* connections to it, which are closed with it */

	bool unaudited; /* carried out even if the audit log cannot be written */
	enum launch_phase phase;
	enum launch_result result;
	const char *detail; /* NULL */
	int32_t pid;        /* the new process; 0: none */
};

/* Why the proxy cannot be started or restarted: no command, another user's process, and so on; NULL
 * if it can be. proxy may be NULL, argv may be empty. */
const char *launch_refusal(enum launch_kind kind, const struct proxy *proxy, size_t n_argv);

/* Makes a launch; call it only if launch_refusal() returned NULL. Copies what it needs. `output`
 * may be NULL. */
struct launch *launch_new(enum launch_kind kind, const struct proxy *proxy, const char *const *argv,
	size_t n_argv, const char *output);
/* NULL is allowed. */
void launch_free(struct launch *launch);

/* "proxy_start", "proxy_restart" */
const char *launch_kind_name(enum launch_kind kind);
/* "started", "failed", "survived", "changed", "denied"; "pending" */
const char *launch_result_name(enum launch_result result);

#endif
