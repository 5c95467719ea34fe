/* The counts and flags of a shutdown record that decide the verdict and appear in
 * its words. Pure. */
#ifndef ANALYZE_SHUTDOWN_FACTS_H
#define ANALYZE_SHUTDOWN_FACTS_H

#include <stdbool.h>
#include <stdint.h>

struct arena;
struct shutdown_process;
struct shutdown_record;

struct shutdown_facts {
	const struct shutdown_record *record;
	struct arena *arena;
	int64_t now;
	const struct shutdown_process *command; /* NULL: none seen */
	int before, opened, after, running, running_children;
	int open_links;   /* sockets that a running process still holds */
	bool new_left;    /* one of the connections left was opened after the signal */
	bool old_left;    /* one of the connections left was opened before the signal */
	bool child_holds; /* a running descendant holds one of them */
	bool deaf_child;  /* a running descendant ignores or blocks the signal */
	bool reacted;     /* something was closed or ended, or a phase began */
	bool deaf; /* the command ignores or blocks it, or such a descendant holds connections */
	bool works_on;     /* statements begin as before the signal */
	int64_t last_end;  /* the last end of a connection; INSTANT_UNKNOWN */
	int64_t last_exit; /* the last end of a process; INSTANT_UNKNOWN while one runs */
	bool rolled_back;
	int64_t pending;                          /* pending writes of its pools; −1: not known */
	int64_t waiting;                          /* writes in its outboxes; −1: it has none */
	const struct shutdown_hook *failed_flush; /* a flush hook that failed; NULL */
};

/* Counts. The facts point into the record and the arena. now: µs, on the record's clock. */
struct shutdown_facts shutdown_facts(
	const struct shutdown_record *record, int64_t now, struct arena *arena);

/* Whether the process still runs, or ended only after the timeout. */
bool shutdown_runs(const struct shutdown_record *record, const struct shutdown_process *process);

#endif
