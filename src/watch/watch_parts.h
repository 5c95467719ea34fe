/* Shared by the files of the shutdown watch: its stages (watch.c), the processes and their sockets
 * (watch_processes.c, watch_sockets.c), their pools' phases (watch_pages.c), the server's sessions
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

/* A socket of the application's that leads to the server or to PgBouncer. It becomes a connection
 * of the record when its session is found: until then it may be a mere request to cancel. */
struct watch_socket {
	uint32_t inode;
	int32_t holder;
	uint16_t port;
	struct endpoint local;
	uint32_t server_inode;
	bool established, pooled, open;
	bool taken;        /* it is in the record */
	bool past;         /* … and over: to be removed */
	int64_t opened_at; /* monotonic, here and below */
	int64_t seen_at;   /* when it was last seen open */
	int64_t closed_at;
};

/* A client of the application's databases that is not the application. */
struct watch_stranger {
	int32_t pid;
	int64_t start;
	bool came;     /* after the baseline … */
	bool doubtful; /* … and it may be the application: no process is seen that has it */
	bool gone;
};

/* A transaction of the application's that has written, and the session it was in. */
struct watch_write {
	int32_t pid;
	int64_t start;
	int64_t txid; /* with its epoch */
};

/* What pg_stat_database counts in the application's databases. */
struct watch_counts {
	int64_t sessions, abandoned; /* −1: not counted (before 14), or not asked yet */
};

enum watch_stage {
	WATCH_ARMED,
	WATCH_PREPARING,
	WATCH_SIGNALLED,
	WATCH_GATHERING, /* over: how did they end? */
	WATCH_SETTLED,
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
	uv_timer_t *timer; /* of a stage that must not last */

	struct watch_socket *sockets;
	size_t n_sockets, sockets_room;
	struct watch_indexes *indexes; /* watch_index.c */
	size_t compact_at; /* bytes of the record's strings at which they are copied afresh */

	/* watch_sessions.c */
	const void *activity;  /* the last one looked at: compared, never followed */
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
	int waiting; /* statements not answered yet */
	struct watch_counts before, after;
	char *databases; /* the application's, as a PostgreSQL array; NULL before the baseline */
	char **database_names; /* the same, one by one */
	size_t n_databases;
	struct watch_stranger *strangers;
	size_t n_strangers, strangers_room;
	bool based;           /* the baseline is taken */
	bool sampled;         /* since watch_prepare() */
	bool timed_out;       /* … and no answer holds it up any more */
	bool told_apart;      /* no look was under way when the signal was sent */
	int64_t survey_since; /* wall clock: when that was */
};

void watch_changed(struct watch *watch);

/* A sample of the processes and their sockets: all that follows from it. */
void watch_read_sample(struct watch *watch, const struct follow_sample *sample);

/* Whether the signal, or the first sign of an end, was there. */
bool watch_has_begun(const struct watch *watch);

/* The stage must not last longer than this. */
void watch_time_out(struct watch *watch, uint64_t ms);

/* The first sign of an end, or the signal itself (NULL). */
void watch_begin(struct watch *watch, int64_t at, const char *sign);
/* A sign that comes late: if connections closed before it, after `since` and after the last one was
 * opened, the end began with the first of them. */
void watch_begin_by(struct watch *watch, int64_t since, int64_t sign_at, const char *sign);

/* --- watch_index.c: a look-up takes the same time however long the lists are --- */

struct watch_indexes *watch_indexes_new(void);
/* NULL is allowed. */
void watch_indexes_free(struct watch_indexes *indexes);
/* Call it when rows of a list were removed or have changed places; rows that are added need no
 * call. */
void watch_indexes_drop(struct watch_indexes *indexes);

/* Each returns NULL when there is none; borrowed until the list changes. */
struct watch_socket *watch_find_socket(const struct watch *watch, uint32_t inode);
struct shutdown_connection *watch_find_session(
	const struct watch *watch, int32_t pid, int64_t start);
struct shutdown_process *watch_find_process(
	const struct watch *watch, int32_t pid, uint64_t start_ticks);
/* The first with this pid. */
struct shutdown_process *watch_find_pid(const struct watch *watch, int32_t pid);
struct watch_stranger *watch_find_stranger(const struct watch *watch, int32_t pid, int64_t start);

/* --- watch_processes.c --- */

/* One that was first seen at `at`, and its pidfd. When it has ended already the next sample lacks
 * it. */
struct shutdown_process *watch_add_process(
	struct watch *watch, int32_t pid, uint64_t start_ticks, int64_t at);
void watch_read_processes(struct watch *watch, const struct follow_sample *sample);
/* The process of these numbers is one of the application's. */
bool watch_owns(const struct watch *watch, int32_t pid, uint64_t start_ticks);

/* --- watch_sockets.c --- */

/* After watch_read_processes(). */
void watch_read_sockets(struct watch *watch, const struct follow_sample *sample);
/* Takes what is known of the sockets into the record. */
void watch_tell_record(struct watch *watch);
/* Removes those that were closed and never were in the record, and those marked as past. */
void watch_forget_sockets(struct watch *watch);

/* --- watch_pages.c --- */

/* The stats pages of its pools, as far as the target knows them. */
void watch_find_pages(struct watch *watch);
/* The phases they are in. */
void watch_read_pages(struct watch *watch, int64_t now);
/* All its pools came to their end in order: a pool removes its page when it has closed its
 * connections, and a process that dies leaves it there. */
bool watch_closed_its_pools(const struct watch *watch, int32_t pid);
/* While nothing has begun: those of pools that came to their end, but one for each process. */
void watch_forget_ended_pages(struct watch *watch);
void watch_forget_pages(struct watch *watch);

/* --- watch_ends.c --- */

/* The sockets that have no session yet, by what a session tells of its client: its address, or the
 * process of the backend that has the server's end of a Unix socket. Several may have one key. */
struct watch_ends {
	struct arena *arena;
	struct map *by_address, *by_backend; /* the first of a chain */
	uint32_t *next;                      /* in the chain */
	uint32_t *socket;
	size_t count, room;
};

/* Valid until the list of sockets changes. */
void watch_list_ends(
	const struct watch *watch, const struct assessment *assessment, struct watch_ends *ret);
void watch_ends_deinit(struct watch_ends *ends);
/* The backend's client end that is not taken yet; NULL. */
struct watch_socket *watch_find_end(struct watch *watch, const struct assessment *assessment,
	const struct watch_ends *ends, const struct backend *backend);

/* --- watch_sessions.c --- */

/* Takes the target's assessment into the record. */
void watch_read_sessions(struct watch *watch);

/* Asks the server when there is something to learn from it. */
void watch_ask(struct watch *watch, int64_t now);

/* The backend's process ended. */
void watch_backend_ended(struct watch *watch, int32_t pid, int64_t at);

/* The ports that lead to the server, and to PgBouncer. */
void watch_set_ports(struct watch *watch);
bool watch_is_pooler(const struct watch *watch, uint16_t port);

/* --- watch_writes.c --- */

/* The writes that are open now. */
void watch_note_writes(struct watch *watch);
/* Asks what became of them. */
void watch_ask_fates(struct watch *watch);
void watch_forget_writes(struct watch *watch);

/* --- watch_evidence.c --- */

/* Asks the server with an array as the statement's one parameter; waited for until it is
 * answered. */
void watch_ask_about(
	struct watch *watch, const char *sql, const char *array, session_done_fn *done);
void watch_settle_when_answered(struct watch *watch);

/* Counts and open writes, as they are before the signal. */
void watch_take_baseline(struct watch *watch);
/* Who else is in the application's databases. */
void watch_note_strangers(struct watch *watch);
/* Asks how the sessions and their writes ended; then the watch is settled. */
void watch_gather(struct watch *watch);
/* The last answers did not come in time: settled without them. */
void watch_settle(struct watch *watch);
/* Statements not answered yet never will be. */
void watch_forget(struct watch *watch);
/* watch_take_baseline() was answered. */
void watch_baseline_taken(struct watch *watch);

#endif
