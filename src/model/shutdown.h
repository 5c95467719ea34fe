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

#include "model/endpoint.h"

struct arena;
struct map;

enum shutdown_behaviour {
	BEHAVIOUR_NONE, /* no verdict yet, or none is possible */
	BEHAVIOUR_CLOSED,
	BEHAVIOUR_LEFT_SESSIONS,
	BEHAVIOUR_CHILD_KEPT_CONNECTION,
	BEHAVIOUR_CHILD_STILL_RUNS,
	BEHAVIOUR_NEVER_EXITED,
	BEHAVIOUR_IGNORED_SIGNAL,
	BEHAVIOUR_LOST_WRITES,
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
	bool command;          /* the command itself, or the watched process; else a descendant */
	bool contained;        /* of the container that the command started */
	bool held;             /* a pidfd will report its end */
	bool closed_its_pools; /* every stats page of it was removed, as pools do at their end */
	enum shutdown_disposition disposition; /* at the time of the signal */
	int64_t began_at;                      /* when it was first seen */
	int64_t taken_at;                      /* when the signal was not pending any more */
	int64_t ended_at;
	bool has_status;
	int status; /* as wait(2) reports it */
};

/* A socket of the application that is connected to the server or to PgBouncer. It becomes a
 * connection when its session is found: until then it may be a cancel request. */
struct shutdown_socket {
	uint32_t inode;
	int32_t owner;
	struct endpoint local;
	uint32_t server_inode; /* over a Unix socket: the server's end */
	bool established;
	bool pooled; /* connected to PgBouncer */
	bool open;
	bool taken;        /* there is a connection for it */
	bool past;         /* its connection was forgotten: forget the socket when it is closed */
	int64_t opened_at; /* when it was first seen */
	int64_t seen_at;   /* when it was last seen open */
	int64_t closed_at;
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
	bool counted_before;   /* the counts before the signal surely include its session */
	int64_t opened_at;     /* when it was first seen */
	int64_t closed_at;     /* no process of the application has the socket open any more */
	int64_t ended_at;      /* the server has no such session any more */
	int64_t worked_at;     /* when it was last seen to begin a statement */
	const char *state;     /* as the server last reported it */
	int64_t state_age;     /* µs in that state, when last seen; −1 */
	const char *database, *application_name;
	const char *site; /* where it was borrowed: "sync.c:212" */
	bool pool_unseen; /* before the signal: named as libdbpool does it, without a stats page */
	enum write_outcome outcome;
};

/* How many writes were not in the database yet while a phase lasted. */
struct shutdown_writes {
	int64_t first, last; /* at its begin, and at the last reading */
	int64_t drained_at;  /* when they had reached zero */
};

/* A phase of the application's own shutdown, from a stats page. */
struct shutdown_phase {
	int32_t pid;
	uint32_t page;    /* the number of the page */
	const char *name; /* "flush" */
	int64_t began_at;
	struct shutdown_writes pending; /* in the application's memory */
	struct shutdown_writes outbox;  /* in the outboxes of the pool, on disk */
};

/* What a pool of the application said last. */
struct shutdown_pool {
	int32_t pid;
	uint32_t page;   /* the number of the page */
	int64_t pending; /* pending writes; −1: the application does not say */
	int64_t outbox;  /* writes that wait in its outboxes, on disk; −1: it has none */
};

/* A stats page that the watch could not use: its process cannot be seen from here, or the file
 * cannot be read. */
struct unread_page {
	uint64_t key; /* made of its path */
	bool own;     /* it is the application's, by one of its sessions or processes */
	bool read;    /* it could be used later */
};

/* A hook of the application's that a pool runs at its shutdown. Texts are static. */
struct shutdown_hook {
	int32_t pid;
	uint32_t page;
	char name[48];
	const char *phase, *state; /* "flush", "done" */
	bool is_flush, has_failed;
	int result;       /* what it returned */
	int64_t duration; /* µs; −1: it did not run to its end */
	int64_t ended_at; /* when it was first seen to have ended, or to be late */
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

/* A session in the application's databases that is not the application's. */
struct foreign_session {
	int32_t backend;
	int64_t backend_start;
	bool came;     /* it began after the baseline, or may have been counted after it */
	bool doubtful; /* it may be the application's: no process is seen that holds its client end
			*/
	bool gone;
	bool lost_client;  /* nobody has its client end any more, and the server has not noticed */
	int64_t looked_at; /* monotonic: the scan that shows what is known of its client end;
			      INSTANT_UNKNOWN: none does */
	int64_t missed_at[2]; /* the latest scans that would have shown its client end gone or
				 held, and showed neither; 0 */
};

/* The counts of pg_stat_database for the application's databases; −1: not counted (before 14), or
 * not asked. */
struct session_counts {
	int64_t sessions, abandoned;
	int64_t all; /* sessions of all databases */
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
	size_t compact_at;   /* the arena's size for the next shutdown_record_compact() */
	int signal_number;   /* 0: not known which signal, if any */
	bool alone;          /* the signal is for the command alone, not for its children */
	char container[13];  /* the command is an engine's client: its container's id, as far as it
				is  shown; "" */
	bool container_seen; /* a process of that container was found */
	bool signal_came;    /* it was sent, or seen to be pending */
	bool expired;        /* the time was up before any sign of an end */
	int64_t timeout;     /* µs after the signal until the processes must have ended */
	int64_t settle;      /* µs after the last process until the sessions must have ended */
	int64_t armed_at;
	int64_t signalled_at;   /* of a watch: the first sign of an end */
	int64_t signalled_wall; /* the same on the wall clock */
	const char *trigger;    /* the first trigger; NULL: dbtop sent the signal itself */
	bool over;              /* the time for the verdict is reached: later events are ignored */
	bool collecting;        /* not all evidence is there: no verdict yet */
	const char *blind;      /* why no verdict is possible; NULL */
	enum close_evidence close_evidence;
	/* which of PgBouncer's sessions it had a transaction open in was not known in time */
	bool lent_unknown;
	/* it is not known whether it opened more connections, for less than a sample each */
	bool may_have_opened;

	/* What is known of the server before the signal and after the last end. */
	bool based; /* the baseline is taken: the databases are listed */
	int32_t server_version;
	char **databases; /* those of the application; the record owns them */
	size_t n_databases;
	struct session_counts counts_before, counts_after;
	/* Sessions of all databases before the command connected; −1: not known. */
	int64_t counted_at_start;
	int64_t started_at; /* the server's clock at that count */

	struct shutdown_process *processes;
	size_t n_processes, processes_room;
	struct shutdown_socket *sockets;
	size_t n_sockets, sockets_room;
	struct foreign_session *foreign;
	size_t n_foreign, foreign_room;
	struct shutdown_connection *connections;
	size_t n_connections, connections_room;
	struct shutdown_phase *phases;
	size_t n_phases, phases_room;
	struct shutdown_pool *pools;
	size_t n_pools, pools_room;
	struct shutdown_hook *hooks;
	size_t n_hooks, hooks_room;
	struct unread_page *unread; /* before the signal: of the latest scan; then all */
	size_t n_unread, unread_room;
	char pages_error[120]; /* why pages may be missing among those that were read; "" */
	struct shutdown_survivor *survivors;
	size_t n_survivors, survivors_room;
};

/* In the order of what is seen at the same instant: a hook has run before the next phase begins. */
enum shutdown_event_kind {
	EVENT_SIGNAL,
	EVENT_TAKEN,
	EVENT_HOOK,
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
	const char *sentence;   /* in plain words; never NULL */
	int before;             /* connections when the signal came */
	int after;              /* sessions of the application that are left */
	int opened;             /* connections opened after the signal */
	int running;            /* processes that are left */
	int exit_status;        /* of the command, or 128 and its signal; −1 */
	int64_t pending_writes; /* of its pools, at their ends; −1: they do not say */
	int64_t outbox_waiting; /* writes that its outboxes keep; −1: it has none */
	int64_t drained;        /* µs from the signal until the last connection ended; −1 */
	const char *not_read;   /* which stats pages were not read, as a clause; NULL: none */
	bool unexpected_status; /* the command ended with a status that was not expected */
	bool rolled_back_write; /* exit status 0, although a write was cut off */
	const struct shutdown_event *timeline;
	size_t n_events;
};

/* Makes an empty record with its arena. */
void shutdown_record_init(struct shutdown_record *record);
void shutdown_record_deinit(struct shutdown_record *record);

/* Copies the strings that are still used into a new arena and frees the old one, if that has grown
 * much since the last time: an application may be watched for days, the strings change all the
 * time, and an arena never frees a single one. Pointers to the record's strings become invalid. */
void shutdown_record_compact(struct shutdown_record *record);

/* Adds a row: zero, with all instants unknown. The pointer is valid until the next row is added;
 * keep the index instead. */
struct shutdown_process *shutdown_add_process(struct shutdown_record *record);
struct shutdown_socket *shutdown_add_socket(struct shutdown_record *record);
struct foreign_session *shutdown_add_foreign(struct shutdown_record *record);

/* Whether a session that came and is still there may be the application's. */
bool shutdown_is_stray(const struct foreign_session *session);
struct shutdown_connection *shutdown_add_connection(struct shutdown_record *record);
struct shutdown_phase *shutdown_add_phase(struct shutdown_record *record);
struct shutdown_pool *shutdown_add_pool(struct shutdown_record *record);
struct shutdown_hook *shutdown_add_hook(struct shutdown_record *record);
struct unread_page *shutdown_add_unread(struct shutdown_record *record);
struct shutdown_survivor *shutdown_add_survivor(struct shutdown_record *record);

/* Lists the databases of the connections, each once. */
void shutdown_list_databases(struct shutdown_record *record);
/* Whether it is one of the listed ones. */
bool shutdown_has_database(const struct shutdown_record *record, const char *database);

/* Indexes of the rows, in the arena. The keys: a socket's inode; a process's pid, of which the
 * first row is found; and what shutdown_identity() makes of a process or session. */
struct map *shutdown_index_sockets(const struct shutdown_record *record, struct arena *arena);
struct map *shutdown_index_pids(const struct shutdown_record *record, struct arena *arena);
struct map *shutdown_index_processes(const struct shutdown_record *record, struct arena *arena);
struct map *shutdown_index_sessions(const struct shutdown_record *record, struct arena *arena);
struct map *shutdown_index_foreign(const struct shutdown_record *record, struct arena *arena);

/* The key of a process (its start in ticks) or of a session (its start in µs). */
uint64_t shutdown_identity(int32_t pid, uint64_t start);

/* True after the signal, or the first sign of an end. */
bool shutdown_has_begun(const struct shutdown_record *record);

/* The command, or the watched process; NULL: not in the record. */
const struct shutdown_process *shutdown_command(const struct shutdown_record *record);

/* How many connections are open: held by a process, with a session. A session whose state is not
 * known yet has not finished connecting. */
int shutdown_count_open(const struct shutdown_record *record);

/* How many stats pages were not read. *ret_own: one of them is the application's. */
size_t shutdown_count_unread(const struct shutdown_record *record, bool *ret_own);

/* Whether one of the connections is of this kind. */
bool shutdown_has_link(const struct shutdown_record *record, enum shutdown_link link);

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
