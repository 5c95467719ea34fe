/* What was observed of an application that was asked to end, and the verdict on it. Plain data: the
 * watch fills it in, the judge reads it, and the reports and the screen show it.
 *
 * Instants are of the monotonic clock, in µs; INSTANT_UNKNOWN means not seen. Strings are clean and
 * in the record's arena; NULL when not known. */
#ifndef MODEL_SHUTDOWN_H
#define MODEL_SHUTDOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

enum shutdown_behaviour {
	BEHAVIOUR_NONE, /* no verdict yet, or none is possible */
	BEHAVIOUR_CLOSED,
	BEHAVIOUR_LEFT_SESSIONS,
	BEHAVIOUR_CHILD_KEPT_CONNECTION,
	BEHAVIOUR_NEVER_EXITED,
	BEHAVIOUR_IGNORED_SIGNAL,
	BEHAVIOUR_RECONNECTED,
	BEHAVIOUR_DIED_UNCLOSED,
};

/* What the process does with the signal, from /proc/PID/status. */
enum shutdown_disposition {
	DISPOSITION_UNKNOWN,
	DISPOSITION_DEFAULT, /* the signal ends it */
	DISPOSITION_CATCHES,
	DISPOSITION_IGNORES,
	DISPOSITION_BLOCKS,
};

struct shutdown_process {
	int32_t pid;
	uint64_t start_ticks;
	const char *name;
	bool command; /* the command itself, or the watched process; else a descendant */
	enum shutdown_disposition disposition; /* at the time of the signal */
	int64_t began_at;                      /* when it was first seen */
	int64_t taken_at;                      /* when the signal was not pending any more */
	int64_t ended_at;
	bool has_status;
	int status; /* as wait(2) reports it */
};

enum shutdown_link {
	LINK_DIRECT, /* to the server: its session is the application's */
	LINK_POOLED, /* to PgBouncer: the session behind it is PgBouncer's */
	LINK_LENT,   /* a session of PgBouncer's in which the application has a transaction open */
};

/* In increasing order of importance. */
enum write_outcome {
	OUTCOME_NONE, /* it had written nothing, as far as was seen */
	OUTCOME_UNKNOWN,
	OUTCOME_COMMITTED,
	OUTCOME_ROLLED_BACK,
};

struct shutdown_connection {
	enum shutdown_link link;
	int32_t backend;       /* 0: not known, or none */
	int64_t backend_start; /* the server's clock; with backend the session's identity */
	int64_t lent_since;    /* LINK_LENT: its transaction's start; the server's clock */
	uint32_t inode;        /* of the application's socket; 0: not known */
	int32_t owner;         /* the process that holds, or held, that socket; 0: not known */
	bool presumed;         /* assigned to the application only by the time it began */
	bool after_signal;     /* opened after the signal */
	bool counted;          /* only the server saw it, in its counters */
	int64_t opened_at;     /* when it was first seen */
	int64_t closed_at;     /* no process of the application has the socket open any more */
	int64_t ended_at;      /* the server has no such session any more */
	int64_t worked_at;     /* when it was last seen to begin a statement */
	const char *state;     /* as the server last reported it */
	int64_t state_age;     /* µs in that state, when last seen; −1 */
	const char *application_name;
	const char *site; /* where it was borrowed: "sync.c:212" */
	enum write_outcome outcome;
};

/* A phase of the application's own shutdown, from a stats page. */
struct shutdown_phase {
	int32_t pid;
	const char *name; /* "flush" */
	int64_t began_at;
	int64_t writes_first,
		writes_last; /* pending writes at its begin, and at the last reading */
	int64_t drained_at;  /* when they had reached zero */
};

/* Whether the application ended its sessions with a Terminate message. */
enum close_evidence {
	CLOSE_UNKNOWN,
	CLOSE_CONFIRMED,          /* the server counted no abandoned session */
	CLOSE_ABANDONED,          /* the server counted ours as abandoned */
	CLOSE_ABANDONED_PRESUMED, /* probably without it: the sockets were open when the process
				     died */
	CLOSE_NOT_VISIBLE,        /* not known: the sockets were closed together with the end
				   * of their process */
};

/* A session or process that was left after the verdict, and what was done with it. */
struct shutdown_survivor {
	bool session;     /* else a process */
	int32_t pid;      /* the backend's, or the process's */
	const char *what; /* "python3", "idle in transaction" */
	/* "killed", "terminated", "gone", "denied"; "left" if nothing was done */
	const char *result;
};

struct shutdown_record {
	struct arena *arena; /* owns the strings; the record itself is owned by its user */
	int signal_number;   /* 0: not known which signal, if any */
	int64_t timeout;     /* µs after the signal until the processes must have ended */
	int64_t settle;      /* µs after the last process until the sessions must have ended */
	int64_t armed_at;
	int64_t signalled_at;   /* of a watch: the first sign of an end */
	int64_t signalled_wall; /* the same on the wall clock */
	const char *trigger;    /* the first trigger; NULL: dbtop sent the signal itself */
	bool over;              /* the time for the verdict is reached: later events are ignored */
	const char *blind;      /* why no verdict is possible; NULL */
	enum close_evidence close_evidence;
	struct shutdown_process *processes;
	size_t n_processes, processes_room;
	struct shutdown_connection *connections;
	size_t n_connections, connections_room;
	struct shutdown_phase *phases;
	size_t n_phases, phases_room;
	struct shutdown_survivor *survivors;
	size_t n_survivors, survivors_room;
};

enum shutdown_event_kind {
	EVENT_SIGNAL,
	EVENT_TAKEN,
	EVENT_PHASE,
	EVENT_OPENED,
	EVENT_CLOSED,
	EVENT_PROCESS_ENDED,
	EVENT_ROLLED_BACK,
	EVENT_SERVER_CLEAN,
	EVENT_TIMEOUT,
};

struct shutdown_event {
	int64_t at; /* µs since the signal; not negative */
	enum shutdown_event_kind kind;
	int32_t pid;      /* of the process or backend; 0 */
	const char *text; /* "9913 closed" */
	int connections;  /* how many are left after this event */
};

struct shutdown_verdict {
	enum shutdown_behaviour behaviour; /* BEHAVIOUR_NONE: no verdict */
	bool pass;
	const char *sentence; /* in plain words; never NULL */
	int before;           /* connections when the signal came */
	int after;            /* sessions of the application that are left */
	int opened;           /* connections opened after the signal */
	int running;          /* processes that are left */
	int exit_status;      /* of the command, or 128 and its signal; −1 */
	int64_t drained;      /* µs from the signal until the last connection ended; −1 */
	bool lost_write;      /* exit status 0, although a write was cut off */
	const struct shutdown_event *timeline;
	size_t n_events;
};

/* Makes an empty record with its arena. */
void shutdown_record_init(struct shutdown_record *record);
void shutdown_record_deinit(struct shutdown_record *record);

/* Copies the strings that are still used into a new arena and frees the old one. Pointers to the
 * record's strings become invalid. */
void shutdown_record_compact(struct shutdown_record *record);

/* Adds a row: zero, with all instants unknown. The pointer is valid until the next row is added;
 * keep the index instead. */
struct shutdown_process *shutdown_add_process(struct shutdown_record *record);
struct shutdown_connection *shutdown_add_connection(struct shutdown_record *record);
struct shutdown_phase *shutdown_add_phase(struct shutdown_record *record);
struct shutdown_survivor *shutdown_add_survivor(struct shutdown_record *record);

/* Whether the connection has ended. A pooled link ends when it is closed, all others when the
 * session is gone. */
bool shutdown_connection_is_over(const struct shutdown_connection *connection);
/* When it ended; INSTANT_UNKNOWN. */
int64_t shutdown_connection_end(const struct shutdown_connection *connection);

/* "closed", "left_sessions"; NULL for BEHAVIOUR_NONE. */
const char *shutdown_behaviour_name(enum shutdown_behaviour behaviour);
/* "signal", "process_ended" */
const char *shutdown_event_name(enum shutdown_event_kind kind);

/* "INT", "TERM": without SIG; "?" for an unknown signal. */
const char *shutdown_signal_name(int signal_number);
/* Converts a name, with or without SIG in any case, or a number; 0 if it is neither. */
int shutdown_signal_parse(const char *text);

#endif
