/* Shared by the files of the shutdown watch: stages (watch.c), processes and their sockets
 * (watch_processes.c, watch_sockets.c), phases of the pools (watch_pages.c), the server's sessions
 * (watch_sessions.c), what they wrote (watch_writes.c), how they ended (watch_evidence.c). */
#ifndef WATCH_WATCH_PARTS_H
#define WATCH_WATCH_PARTS_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "model/endpoint.h"
#include "session/session.h"
#include "watch/watch.h"

struct arena;
struct assessment;
struct backend;
struct pidfd_watch;
struct page_copy;
struct page_host;
struct watch_page;
struct follow;
struct follow_sample;
struct map;
struct procfs;
struct watch_indexes;

/* A socket of the application that is connected to the server or to PgBouncer. It becomes a
 * connection of the record when its session is found: until then it may be a cancel request. */
struct watch_socket {
	uint32_t inode;
	int32_t owner;
	uint16_t port;
	struct endpoint local;
	uint32_t server_inode;
	bool established, pooled, open;
	bool taken;        /* the record has a connection for it */
	bool past;         /* its connection was removed from the record: remove the socket, too */
	int64_t opened_at; /* monotonic, here and below */
	int64_t seen_at;   /* when it was last seen open */
	int64_t closed_at;
};

/* A foreign session: a session in the application's databases that is not the application's. */
struct watch_foreign_session {
	int32_t pid;
	int64_t start;
	bool came;     /* it began after the baseline */
	bool doubtful; /* it may be the application's: no process is seen that holds its client end
			*/
	bool gone;
};

/* A transaction of the application that has written, and its session. */
struct watch_write {
	int32_t pid;
	int64_t start;
	int64_t txid; /* including the epoch */
};

/* The counts of pg_stat_database for the application's databases. */
struct watch_counts {
	int64_t sessions, abandoned; /* −1: not counted (before 14), or not asked yet */
};

enum watch_stage {
	WATCH_ARMED,
	WATCH_PREPARING,
	WATCH_SIGNALLED,
	WATCH_GATHERING, /* the shutdown is over: asks how the sessions ended */
	WATCH_COMPLETE,
};

struct watch {
	uv_loop_t *loop;
	struct target *target;
	struct watch_options options;
	struct shutdown_record record;
	enum watch_stage stage;
	struct follow *follow;
	struct pidfd_watch *processes, *backends;
	struct procfs *procfs;
	int64_t whole_at;  /* monotonic: when the table of all processes was last read */
	uv_timer_t *timer; /* ends a stage that takes too long */

	struct watch_socket *sockets;
	size_t n_sockets, sockets_room;
	struct watch_indexes *indexes; /* watch_index.c */
	size_t compact_at; /* when the record's strings take this many bytes, they are copied to a
			      new arena */

	/* watch_sessions.c */
	const void *activity;  /* the last that was read: only compared, never dereferenced */
	int64_t ask_at, pause; /* monotonic, µs: when the server is asked again */

	/* watch_pages.c */
	struct watch_page *pages;
	struct page_copy *page_copy;
	struct page_host *page_host;

	/* watch_writes.c */
	struct watch_write *writes;
	size_t n_writes, writes_room;
	struct arena *writes_arena;
	struct map *writes_by_txid; /* indexes */

	/* watch_evidence.c */
	int waiting; /* statements whose answers are awaited */
	struct watch_counts before, after;
	char *databases; /* the application's databases, as a PostgreSQL array; NULL before the
			    baseline */
	char **database_names; /* the same, as a list */
	size_t n_databases;
	struct watch_foreign_session *foreign;
	size_t n_foreign, foreign_room;
	bool based;           /* the baseline is taken */
	bool sampled;         /* a whole sample has arrived since watch_prepare() */
	bool timed_out;       /* the stage has timed out: do not wait for answers */
	bool told_apart;      /* no scan was running when the signal was sent */
	int64_t assess_since; /* monotonic: when the preparation began */
};

void watch_changed(struct watch *watch);

/* Reads a sample of the processes and their sockets, and does everything that follows from it. */
void watch_read_sample(struct watch *watch, const struct follow_sample *sample);

/* True if the signal, or the first sign of an end, has occurred. */
bool watch_has_begun(const struct watch *watch);

/* Starts the timer that ends the stage. */
void watch_time_out(struct watch *watch, uint64_t ms);

/* Begins the shutdown: at the first sign of an end, or at the signal itself (trigger: NULL). */
void watch_begin(struct watch *watch, int64_t at, const char *trigger);
/* Begins the shutdown at a trigger that is seen late. If connections closed before the trigger, and
 * after both `since` and the last opening of a connection, the shutdown began when the first of
 * them closed. */
void watch_begin_by(struct watch *watch, int64_t since, int64_t trigger_at, const char *trigger);

/* --- watch_index.c: the time of a look-up does not depend on the length of the list --- */

struct watch_indexes *watch_indexes_new(void);
/* NULL is allowed. */
void watch_indexes_free(struct watch_indexes *indexes);
/* Call it when rows of a list were removed or moved; adding rows needs no call. */
void watch_indexes_drop(struct watch_indexes *indexes);

/* Each returns NULL if there is none; borrowed until the list changes. */
struct watch_socket *watch_find_socket(const struct watch *watch, uint32_t inode);
struct shutdown_connection *watch_find_session(
	const struct watch *watch, int32_t pid, int64_t start);
struct shutdown_process *watch_find_process(
	const struct watch *watch, int32_t pid, uint64_t start_ticks);
/* The first process with this pid. */
struct shutdown_process *watch_find_pid(const struct watch *watch, int32_t pid);
struct watch_foreign_session *watch_find_foreign(
	const struct watch *watch, int32_t pid, int64_t start);

/* --- watch_processes.c --- */

/* Adds a process that was first seen at `at`, and opens its pidfd. If the process has already
 * ended, the next sample shows that. */
struct shutdown_process *watch_add_process(
	struct watch *watch, int32_t pid, uint64_t start_ticks, int64_t at);
void watch_read_processes(struct watch *watch, const struct follow_sample *sample);
/* True if the process with this pid and start time is one of the application's. */
bool watch_owns(const struct watch *watch, int32_t pid, uint64_t start_ticks);

/* --- watch_sockets.c --- */

/* Call it after watch_read_processes(). */
void watch_read_sockets(struct watch *watch, const struct follow_sample *sample);
/* Copies what is known of the sockets to the record. */
void watch_tell_record(struct watch *watch);
/* Removes the sockets that were closed and have no connection in the record, and those marked as
 * past. */
void watch_forget_sockets(struct watch *watch);

/* --- watch_pages.c --- */

/* Finds the stats pages of the application's pools among those that the target knows. */
void watch_find_pages(struct watch *watch);
/* Reads the phases of the pools. */
void watch_read_pages(struct watch *watch, int64_t now);
/* True if all pools of the process were closed in order: a pool removes its page when it has closed
 * its connections; a process that dies leaves the page. */
bool watch_closed_its_pools(const struct watch *watch, int32_t pid);
/* Forgets pages of closed pools, except one for each process. Only while armed. */
void watch_forget_ended_pages(struct watch *watch);
void watch_forget_pages(struct watch *watch);

/* --- watch_ends.c --- */

/* The sockets whose session is not found yet, indexed by what identifies their session: the
 * client's address, or the pid of the backend that holds the server's end of a Unix socket. Several
 * sockets may have the same key. */
struct watch_ends {
	struct arena *arena;
	struct map *by_address, *by_backend; /* the first socket of a chain */
	uint32_t *next;                      /* the next socket of the chain */
	uint32_t *socket;
	size_t count, room;
};

/* Valid until the list of sockets changes. */
void watch_list_ends(
	const struct watch *watch, const struct assessment *assessment, struct watch_ends *ret);
void watch_ends_deinit(struct watch_ends *ends);
/* Returns the backend's client end if it has no connection yet, or NULL. */
struct watch_socket *watch_find_end(struct watch *watch, const struct assessment *assessment,
	const struct watch_ends *ends, const struct backend *backend);

/* --- watch_sessions.c --- */

/* Copies the target's assessment to the record. */
void watch_read_sessions(struct watch *watch);

/* Asks the server if its answer can add something. */
void watch_ask(struct watch *watch, int64_t now);

/* The backend's process ended. */
void watch_backend_ended(struct watch *watch, int32_t pid, int64_t at);

/* Sets the ports that lead to the server and to PgBouncer. */
void watch_set_ports(struct watch *watch);
bool watch_is_pooler(const struct watch *watch, uint16_t port);

/* --- watch_writes.c --- */

/* Remembers the transactions that are open now and have written. */
void watch_note_writes(struct watch *watch);
/* Asks whether those transactions were committed or rolled back. */
void watch_ask_outcomes(struct watch *watch);
void watch_forget_writes(struct watch *watch);

/* --- watch_evidence.c --- */

/* Sends a statement whose only parameter is an array, and counts its answer as awaited. */
void watch_ask_about(
	struct watch *watch, const char *sql, const char *array, session_done_fn *done);
void watch_complete_when_answered(struct watch *watch);

/* Asks for the counts and the open writes before the signal. */
void watch_take_baseline(struct watch *watch);
/* Updates the list of foreign sessions in the application's databases. */
void watch_note_foreign(struct watch *watch);
/* Asks how the sessions and their writes ended; then the watch is complete. */
void watch_gather(struct watch *watch);
/* Settles the watch. Answers that did not come in time are ignored. */
void watch_complete(struct watch *watch);
/* Gives up the statements whose answers are awaited. */
void watch_forget(struct watch *watch);
/* All answers to watch_take_baseline() have arrived. */
void watch_baseline_taken(struct watch *watch);

#endif
