/* The counts and flags of a shutdown record that decide the verdict and appear in its words. Pure.
 */
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
	const struct shutdown_process *command; /* NULL: none was seen */
	int before, opened, after, running, running_children;
	int open_links;    /* sockets that a running process holds */
	bool new_left;     /* one of those left was opened after the signal … */
	bool old_left;     /* … or before it */
	bool child_holds;  /* a descendant that runs holds one */
	bool reacted;      /* something was closed or ended, or a phase began */
	bool deaf;         /* a process that runs ignores the signal, or blocks it */
	bool works_on;     /* statements begin as if nothing had happened */
	int64_t last_end;  /* of a connection; INSTANT_UNKNOWN */
	int64_t last_exit; /* of a process; INSTANT_UNKNOWN while one runs */
	bool rolled_back;
};

/* Counts the record; the facts point into it and into the arena. now: µs, as the record's times. */
struct shutdown_facts shutdown_facts(
	const struct shutdown_record *record, int64_t now, struct arena *arena);

/* Whether the process still runs, or ended only after the timeout. */
bool shutdown_runs(const struct shutdown_record *record, const struct shutdown_process *process);

#endif
