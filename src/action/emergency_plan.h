/* The plan of an emergency: which processes are stopped, which are left alone, and why. Pure.
 *
 * A process is the application's when it holds the client's end of a connection to this very
 * server. A name can only be a reason to leave it alone, and so is what is not known. */
#ifndef ACTION_EMERGENCY_PLAN_H
#define ACTION_EMERGENCY_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "action/emergency_skip.h"
#include "model/emergency.h"

struct assessment;
struct patterns;

/* facts: of the candidates (action/emergency_candidates), see proc/inspect; one without is left
 * alone. Copies every string. The caller frees it with emergency_free(). */
struct emergency *emergency_plan(const struct assessment *assessment,
	const struct emergency_plan_options *options, const struct process_facts *facts,
	size_t n_facts);

/* The sessions this emergency ends by now: those whose process it stopped, and those whose client
 * is gone. PgBouncer's sessions are PgBouncer's to keep. The caller frees it. */
struct action *emergency_plan_sessions(const struct emergency *emergency,
	const struct assessment *assessment, const struct patterns *applications);

/* How many sessions have lost their client on this machine without our seeing which they are: over
 * the server's Unix socket the backends' descriptors are another user's; over TCP, too, their rows
 * are hidden from our role. */
size_t emergency_plan_unseen(const struct assessment *assessment);

#endif
