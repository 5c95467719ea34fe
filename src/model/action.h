/* An action: the steps that were planned, and the outcome of each. Screens, reports, JSON and the
 * audit log share the words here. */
#ifndef MODEL_ACTION_H
#define MODEL_ACTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/activity.h"
#include "model/skip.h"
#include "model/style.h"
#include "model/verdict.h"

struct arena;
struct assessment;

enum action_kind {
	ACTION_KILL_LEAKED,
	ACTION_TERMINATE,
	ACTION_CANCEL,
	ACTION_EMERGENCY, /* stops processes, and ends the sessions that outlive them */
	ACTION_PROXY_START,
	ACTION_PROXY_RESTART,
	ACTION_CLEAR_PAGES,
};

enum action_result {
	RESULT_PENDING,
	RESULT_TERMINATED,
	RESULT_GONE,    /* it had ended, or was removed, before the action */
	RESULT_CHANGED, /* it is not what was planned for any more: left alone */
	RESULT_DENIED,
	RESULT_TIMEOUT,   /* still there after the deadline, or no answer */
	RESULT_CANCELLED, /* the statement ended, the session continues */
	RESULT_STARTED,
	RESULT_FAILED,   /* the command could not be started, or ended at once */
	RESULT_SURVIVED, /* the process to be replaced did not end: nothing was started */
	RESULT_CLEARED,  /* the page was removed */
};
#define RESULT_COUNT (RESULT_CLEARED + 1)

enum step_kind {
	STEP_SESSION, /* ended, or its statement cancelled */
	STEP_PROCESS, /* stopped */
	STEP_COMMAND, /* started */
	STEP_PAGE,    /* the file of stats removed */
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
	const char *loses;   /* "open transaction, 7m12s"; NULL if nothing is known to be lost */
	int locks, waiters;  /* locks held, and sessions that wait for them; −1: not known */
	/* What was seen during the action. Unknown and NULL before it, and if nothing was seen. */
	int64_t seen_at; /* server clock, just before the check */
	const char *seen_state;
	int64_t seen_state_change;
};

struct process_step {
	uint64_t start_ticks;
	const char *name, *command, *user, *unit; /* NULL when not known */
	const char *systemctl;    /* what stops its unit: "systemctl --user"; NULL: not known */
	const char *executable;   /* it is stopped only while it runs this program; NULL: any */
	const char *applications; /* the application_names of its connections: "app, app/1"; NULL */
	uint32_t connections;     /* number of connections that are closed with it */
	int32_t parent;           /* its parent process; 0: not known */
	const char *parent_name;  /* NULL when not known */
	enum skip_reason skip;    /* why the emergency leaves it alone */
	const char *why;          /* more about that: "protect.processes: cron*"; NULL */
	int signal;               /* the last signal sent; 0: none yet */
	int64_t took;             /* µs from the first signal until it ended; −1: it has not */
};

struct command_step {
	const char *const *argv; /* ends with NULL */
	const char *text;        /* the command for display */
	const char *output;      /* the file its output goes to; NULL: thrown away */
};

/* The stats page of a dead process. */
struct page_step {
	const char *path, *name;
	const char *process; /* its command; NULL if it was never seen alive */
	uint64_t start_ticks;
	int64_t dead_since;
};

/* What an action does to one session, process, command or page. */
struct action_step {
	enum step_kind kind;
	bool selected; /* false: unticked, or left alone */
	/* The session's backend, the process, the process that the command became (0: none), or the
	 * process that wrote the page. */
	int32_t pid;
	enum action_result result;
	const char *detail; /* the error, or the GRANT that is missing; NULL */
	union {
		struct session_step session;
		struct process_step process;
		struct command_step command;
		struct page_step page;
	};
};

enum stop_way {
	STOP_THEN_KILL, /* SIGTERM, and SIGKILL after the grace */
	STOP_BY_KILL,   /* SIGKILL at once */
	STOP_NEVER_KILL /* SIGTERM; after the grace it is left as it is */
};

/* The server of an action, as it was when the plan was made. What is not known is NULL, −1 or
 * INSTANT_UNKNOWN. */
struct action_server {
	bool present;
	const char *host, *database, *user;
	int32_t port;
	int version;        /* 150020 */
	int64_t started_at; /* server clock */
	const char *status; /* server_status_name() */
	bool pooler;
	const char *name; /* of the configuration */
};

struct action {
	struct arena *arena; /* owns everything here, the action too */
	enum action_kind kind;
	int64_t made_at;
	const char *server; /* "app @ 127.0.0.1:5432"; NULL: none */
	struct action_server at;
	const char *role; /* the database role that acts; NULL when not known */
	struct action_step *steps;
	size_t n_steps;
	enum stop_way stop_way; /* of its processes */
	int64_t grace;          /* µs between SIGTERM and what follows */
	/* Why it cannot be said that there is nothing else to do; NULL if all was looked at. */
	const char *blind;
	bool has_no_rows; /* nothing at all could be looked at: then there are no steps */
	bool unaudited;   /* carried out even if the audit log cannot be written */
};

/* A new action without steps, in a new arena; there is room for `most` steps. Never NULL. */
struct action *action_new(enum action_kind kind, size_t most);
/* Sets server, `at` and role, copied. */
void action_set_server(struct action *action, const struct assessment *assessment);
/* Frees it; NULL is allowed. */
void action_free(struct action *action);

/* How many steps are ticked. */
size_t action_count_selected(const struct action *action);
/* How many of the ticked steps have that result. */
size_t action_count(const struct action *action, enum action_result result);
/* How many of the ticked steps did what they were to do. */
size_t action_count_done(const struct action *action);
/* How many of the ticked sessions and processes are still there. */
size_t action_count_survivors(const struct action *action);

/* "kill_leaked", "terminate", "cancel", "emergency", "proxy_start", "proxy_restart", "clear_pages"
 */
const char *action_kind_name(enum action_kind kind);
/* "terminated", "gone"…; "pending" before the action. */
const char *action_result_name(enum action_result result);
/* Whether it is still there: denied, timeout or survived. */
bool action_result_survived(enum action_result result);

/* The result for people: "still there", its sign in front of the row, and its look. Some results
 * have other words for other kinds of step. */
const char *action_result_phrase(enum step_kind kind, enum action_result result);
const char *action_result_sign(enum action_result result);
enum style action_result_style(enum action_result result);

/* What only a session knows, for people. */
#define ACTION_LOSES_UNKNOWN "temporary tables, cursors, settings: not known"

/* "SIGTERM"; "" for 0. */
const char *action_signal_name(int signal);

#endif
