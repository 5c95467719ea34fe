/* The plan of an emergency: which processes are stopped, which are left alone, and why. Pure.
 *
 * A process is the application's when it holds the client's end of a connection to this very
 * server; a name can only spare it. What cannot be told is a reason to leave it alone. */
#ifndef ACTION_RESCUE_PLAN_H
#define ACTION_RESCUE_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/emergency.h"

struct assessment;
struct connection;
struct patterns;
struct rules;

struct rescue_plan_options {
	const struct rules *rules;           /* protect, and --app's scope */
	const struct patterns *applications; /* emergency.applications; none: every one */
	const char *proxy; /* the proxy's executable, beside the one that was found
			      by its socket; "" for none */
	uint32_t uid;      /* ours, the effective one */
	bool all_users;    /* other users' processes, too: if we are root */
	int64_t grace;
	bool force;
};

/* facts: of the candidates (action/rescue_candidates), see proc/inspect; one without is left
 * alone. Copies every string. The caller frees it with emergency_free(). */
struct emergency *rescue_plan(const struct assessment *assessment,
	const struct rescue_plan_options *options, const struct process_facts *facts,
	size_t n_facts);

/* The sessions this emergency ends by now: those whose process it stopped, and those whose client
 * is gone. PgBouncer's sessions are PgBouncer's to keep. The caller frees it. */
struct action_plan *rescue_plan_sessions(const struct emergency *emergency,
	const struct assessment *assessment, const struct patterns *applications);

/* How many sessions over the server's Unix socket have lost their client without our seeing which
 * they are: the backends' descriptors are another user's. */
size_t rescue_plan_unseen(const struct assessment *assessment);

/* The process with this identity, or NULL. */
struct emergency_process *rescue_plan_find(
	const struct emergency *emergency, int32_t pid, uint64_t start_ticks);

#endif
