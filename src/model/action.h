/* A plan and its results. The plan's dialog, the audit log and JSON share these words. */
#ifndef MODEL_ACTION_H
#define MODEL_ACTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/activity.h"
#include "model/verdict.h"

struct arena;

enum action_kind {
	ACTION_KILL_LEAKED,
	ACTION_TERMINATE,
	ACTION_CANCEL,
	ACTION_EMERGENCY, /* ends the sessions that outlived their process */
};

enum action_result {
	RESULT_PENDING,
	RESULT_TERMINATED,
	RESULT_GONE,    /* it had ended before the action */
	RESULT_CHANGED, /* it is active again: left alone */
	RESULT_DENIED,
	RESULT_TIMEOUT,   /* still there after the deadline, or no answer */
	RESULT_CANCELLED, /* the statement ended, the session continues */
};
#define RESULT_COUNT (RESULT_CANCELLED + 1)

enum step_kind {
	STEP_SESSION, /* ended, or its statement cancelled */
};

/* One session as it was when the plan was made. The action happens only if that has not changed. */
struct session_step {
	int64_t backend_start, state_change, xact_start; /* server clock */
	enum backend_state state;
	const char *state_text; /* as the server reports it: compared just before the action */
	enum reason reason;
	enum certainty certainty;
	int64_t age; /* µs */
	const char *database, *user, *application_name, *query;
	const char *process; /* "python3 main.py", NULL when not known */
	int32_t process_pid; /* 0 when not known */
	const char *loses;   /* "open transaction, 7m12s"; NULL if nothing is lost */
	int locks, waiters;  /* locks held, and sessions that wait for them; −1: not known */
	/* What was seen during the action. Unknown and NULL before it, and if nothing was seen. */
	int64_t seen_at; /* server clock, just before the check */
	const char *seen_state;
	int64_t seen_state_change;
};

/* What an action does to one victim. */
struct action_step {
	enum step_kind kind;
	bool selected; /* false: unticked */
	int32_t pid;   /* of the session's backend */
	enum action_result result;
	const char *detail; /* the server's error, or the GRANT that is missing; NULL */
	union {
		struct session_step session;
	};
};

struct action {
	struct arena *arena; /* owns everything here, the plan itself too */
	enum action_kind kind;
	int64_t made_at;
	const char *server; /* "app @ 127.0.0.1:5432" */
	const char *role;   /* the database role that acts; NULL when not known */
	struct action_step *steps;
	size_t n_steps;
	bool unaudited; /* carried out even if the audit log cannot be written */
};

/* Frees it; NULL is allowed. */
void action_free(struct action *plan);

/* "kill_leaked", "terminate", "cancel", "emergency" */
const char *action_kind_name(enum action_kind kind);
/* "terminated", "gone"…; "pending" before the action. */
const char *action_result_name(enum action_result result);
/* Whether the session is still there: denied or timeout. */
bool action_result_survived(enum action_result result);

#endif
