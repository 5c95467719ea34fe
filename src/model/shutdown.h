/* What was observed of an application that was told to end, and what that comes to: plain data that
 * the watch fills in, the judge reads, and the reports and the screen show.
 *
 * Instants are the monotonic clock's, in µs; INSTANT_UNKNOWN is "not seen". Strings are clean, in
 * the record's arena, and NULL when not known. */
#ifndef MODEL_SHUTDOWN_H
#define MODEL_SHUTDOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

enum shutdown_behaviour {
	BEHAVIOUR_NONE, /* no verdict yet, or none can be given */
	BEHAVIOUR_CLOSED,
	BEHAVIOUR_LEFT_SESSIONS,
	BEHAVIOUR_CHILD_KEPT_CONNECTION,
	BEHAVIOUR_NEVER_EXITED,
	BEHAVIOUR_IGNORED_SIGNAL,
	BEHAVIOUR_RECONNECTED,
	BEHAVIOUR_DIED_UNCLOSED,
};

/* What /proc/PID/status says a process does with the signal. */
enum shutdown_disposition {
	DISPOSITION_UNKNOWN,
	DISPOSITION_DEFAULT, /* it dies of it */
	DISPOSITION_CATCHES,
	DISPOSITION_IGNORES,
	DISPOSITION_BLOCKS,
};

struct shutdown_process {
	int32_t pid;
	uint64_t start_ticks;
	const char *name;
	bool command; /* the command itself, or the process that is watched; else a descendant */
	enum shutdown_disposition disposition; /* when the signal came */
	int64_t began_at;                      /* when it was first seen */
	int64_t taken_at;                      /* when the signal was not pending any more */
	int64_t ended_at;
	bool has_status;
	int status; /* as wait(2) has it */
};

enum shutdown_link {
	LINK_DIRECT, /* to the server: its session is the application's */
	LINK_POOLED, /* to PgBouncer: the session behind it is PgBouncer's */
	LINK_LENT,   /* a session of PgBouncer's in which the application has a transaction open */
};

/* In the order in which one outweighs the other. */
enum shutdown_fate {
	FATE_NONE, /* it had not written anything, as far as was seen */
	FATE_UNKNOWN,
	FATE_COMMITTED,
	FATE_ROLLED_BACK,
};

struct shutdown_connection {
	enum shutdown_link link;
	int32_t backend;       /* 0: not known, or none */
	int64_t backend_start; /* the server's clock; with backend the session's identity */
	int64_t lent_since;    /* LINK_LENT: its transaction's start; the server's clock */
	uint32_t inode;        /* of the application's socket; 0: not known */
	int32_t holder;        /* the process that holds, or held, that socket; 0: not known */
	bool presumed;         /* whose session it is, is told by nothing but when it came */
	bool after_signal;     /* opened after it */
	bool counted;          /* nobody saw it but the server, which counted it */
	int64_t opened_at;     /* when it was first seen */
	int64_t closed_at;     /* no process of the application has the socket open any more */
	int64_t ended_at;      /* the server has no such session any more */
	int64_t worked_at;     /* when it was last seen to begin a statement */
	const char *state;     /* the server's word, as last seen */
	int64_t state_age;     /* µs in it, when last seen; −1 */
	const char *application_name;
	const char *site; /* where it was borrowed: "sync.c:212" */
	enum shutdown_fate fate;
};

/* From a stats page: a phase of the application's own shutdown. */
struct shutdown_phase {
	int32_t pid;
	const char *name; /* "flush" */
	int64_t began_at;
	int64_t writes_first, writes_last; /* pending writes when it began, and when last read */
	int64_t drained_at;                /* when they had fallen to nothing */
};

/* Whether the server was told goodbye. */
enum shutdown_goodbye {
	GOODBYE_UNKNOWN,
	GOODBYE_SAID,     /* the server counted no abandoned session */
	GOODBYE_MISSED,   /* it counted ours */
	GOODBYE_PRESUMED, /* not said, by the look of it: the sockets were open when they died */
	GOODBYE_UNTOLD,   /* the sockets went with their process: closed by it, or for it */
};

/* What was still there after the verdict, and what we did about it. */
struct shutdown_survivor {
	bool session;     /* else a process */
	int32_t pid;      /* the backend's, or the process's */
	const char *what; /* "python3", "idle in transaction" */
	const char *
		result; /* "killed", "terminated", "gone", "denied": "left" when nothing was done */
};

struct shutdown_record {
	struct arena *arena; /* owns the strings; the record itself is its holder's */
	int signal_number;   /* 0: nobody knows which, if any */
	int64_t timeout;     /* µs from the signal: processes have to be gone */
	int64_t settle;      /* µs from the last process's end: sessions have to be gone */
	int64_t armed_at;
	int64_t signalled_at;   /* or, of a watch, the first sign of an end */
	int64_t signalled_wall; /* the same on the wall clock */
	const char *sign;       /* what that first sign was; NULL: we sent the signal ourselves */
	bool over;         /* the time for a verdict came: what happens since changes nothing */
	const char *blind; /* why no verdict can be given; NULL */
	enum shutdown_goodbye goodbye;
	struct shutdown_process *processes;
	size_t n_processes, processes_room;
	struct shutdown_connection *connections;
	size_t n_connections, connections_room;
	struct shutdown_phase *phases;
	size_t n_phases, phases_room;
	struct shutdown_survivor *survivors;
	size_t n_survivors, survivors_room;
};

enum shutdown_event {
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

struct shutdown_moment {
	int64_t at; /* µs since the signal; not negative */
	enum shutdown_event event;
	int32_t pid;      /* the process's, or the backend's; 0 */
	const char *text; /* "9913 closed" */
	int connections;  /* how many are left after it */
};

struct shutdown_verdict {
	enum shutdown_behaviour behaviour; /* BEHAVIOUR_NONE: no verdict */
	bool pass;
	const char *sentence; /* in plain words; never NULL */
	int before;           /* connections when the signal came */
	int after;            /* sessions of the application that are left */
	int opened;           /* connections opened after the signal */
	int running;          /* processes that are left */
	int exit_status;      /* the command's, or 128 and its signal; −1 */
	int64_t drained;      /* µs from the signal to the last connection's end; −1 */
	bool lost_write;      /* exit status 0, and a write was cut off */
	const struct shutdown_moment *timeline;
	size_t n_moments;
};

/* An empty record with its arena. */
void shutdown_record_init(struct shutdown_record *record);
void shutdown_record_deinit(struct shutdown_record *record);

/* Copies the strings that the record still has into a new arena and frees the old one, with all
 * that rows no longer tell. What was borrowed from the record's strings is gone. */
void shutdown_record_compact(struct shutdown_record *record);

/* One more row, zeroed but for its instants, which are unknown. Gone with the next one added: keep
 * the index. */
struct shutdown_process *shutdown_add_process(struct shutdown_record *record);
struct shutdown_connection *shutdown_add_connection(struct shutdown_record *record);
struct shutdown_phase *shutdown_add_phase(struct shutdown_record *record);
struct shutdown_survivor *shutdown_add_survivor(struct shutdown_record *record);

/* Whether it is over: a pooled link when it is closed, all others when the session is gone. */
bool shutdown_connection_is_over(const struct shutdown_connection *connection);
/* When that was; INSTANT_UNKNOWN. */
int64_t shutdown_connection_end(const struct shutdown_connection *connection);

/* "closed", "left_sessions"; NULL for BEHAVIOUR_NONE. */
const char *shutdown_behaviour_name(enum shutdown_behaviour behaviour);
/* "signal", "process_ended" */
const char *shutdown_event_name(enum shutdown_event event);

/* "INT", "TERM": without SIG; "?" for no signal we know. */
const char *shutdown_signal_name(int signal_number);
/* A name with or without SIG, in any case, or a number; 0 when it is none. */
int shutdown_signal_parse(const char *text);

#endif
