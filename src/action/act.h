/* The statements of an action: one checks and signals at once, one asks which sessions are still
 * there. Also reads their answers.
 *
 * The server decides everything itself. Between the check and the signal a gap of about a
 * microsecond remains: act.c says why it cannot be closed. */
#ifndef ACTION_ACT_H
#define ACTION_ACT_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "model/action.h"
#include "session/session.h"

struct arena;

enum act_attempt {
	ACT_REHEARSE, /* never signals: the answer is that the server was slow, at best */
	ACT_IF_QUICK, /* signals if the server was quick */
	ACT_ANYHOW,
};

/* Each of the three sends one statement; false when there is no connection. */

/* Ends the target's session, or cancels its statement, if it is still exactly as planned. */
bool act_signal(struct session *session, enum action_kind kind, const struct action_step *step,
	enum act_attempt attempt, session_done_fn *done, void *data)
	__attribute__((warn_unused_result));

/* After SQLSTATE 42501: which privilege was missing. */
bool act_ask_why(struct session *session, const struct action_step *step, session_done_fn *done,
	void *data) __attribute__((warn_unused_result));

/* Which of the plan's targets that are selected and pending are still there; for ACTION_CANCEL,
 * still at the same statement. */
bool act_probe(struct session *session, const struct action *plan, session_done_fn *done,
	void *data) __attribute__((warn_unused_result));

/* Whether act_signal's answer is that the server was slow: nothing was signalled. */
bool act_was_slow(const PGresult *result) __attribute__((warn_unused_result));

/* What any other answer of act_signal means; NULL is a lost connection. RESULT_PENDING: signalled,
 * and whether it had an effect is still to be seen. The target's seen_* and detail are filled in,
 * strings in the arena; RESULT_DENIED without a detail: act_ask_why() finds the reason. */
enum action_result act_read_signal(
	const PGresult *result, struct arena *arena, struct action_step *step);

/* The sentence for the detail; never NULL. */
const char *act_read_why(const PGresult *result, struct arena *arena);

/* Sets present[i] for each of the plan's targets. False when the answer cannot be read. */
bool act_read_probe(const PGresult *result, const struct action *plan, bool *present)
	__attribute__((warn_unused_result));

#endif
