/* Plans: exactly which sessions an action is about, and what each of them would lose. Pure. */
#ifndef ACTION_PLAN_H
#define ACTION_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/action.h"

struct assessment;

/* A session's identity. */
struct plan_session {
	int32_t pid;
	int64_t start; /* backend_start */
};

/* No plan ever names our own sessions, the system's, rows hidden from our role or rows out of scope
 * (--app). Its targets are all selected; the most certain leaks come first, among them the oldest.
 * It copies every string and outlives the assessment; the caller frees it with action_free(). */

/* Every leaked connection of at least that certainty. Those that may be protected by what could not
 * be read are not selected. */
struct action *plan_kill_leaked(const struct assessment *assessment, enum certainty least);

/* Leaves out the steps that are not selected. */
void plan_drop_unticked(struct action *plan);

/* The chosen sessions, as far as they still exist; for ACTION_CANCEL those that run a statement. */
struct action *plan_selected(const struct assessment *assessment, enum action_kind kind,
	const struct plan_session *sessions, size_t n_sessions);

#endif
