/* Reads the phases of the application's own shutdown from the stats pages of its pools. */
#ifndef WATCH_POOL_PHASES_H
#define WATCH_POOL_PHASES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/pool.h"

struct pool_pages;
struct pool_phases;
struct shutdown_record;

/* What was read of one page. Instants are monotonic. */
struct pool_reading {
	int32_t pid;
	const char *phase; /* its name; static */
	bool is_new_phase; /* it is in a phase of its shutdown that it was not in before */
	bool runs_hooks[POOL_HOOK_PHASE_COUNT]; /* those that run in this phase */
	int64_t previous_at;                    /* when the page was read before; INSTANT_UNKNOWN */
	int64_t pending;                        /* pending writes; −1: not known */
	int64_t pending_before;                 /* at that reading */
	int64_t outbox;                         /* writes in its outboxes; −1: it has none */
	int64_t outbox_before;                  /* at that reading */
	uint32_t page; /* the number of the page among those of this reader */
	struct pool_hook hooks[POOL_HOOKS_MAX];
	size_t n_hooks;
};

/* Never NULL. */
struct pool_phases *pool_phases_new(void) __attribute__((returns_nonnull));
/* NULL is allowed. */
void pool_phases_free(struct pool_phases *phases);

/* Reads the pages of the record's processes from now on. NULL is allowed. */
void pool_phases_find(struct pool_phases *phases, const struct pool_pages *pages,
	const struct shutdown_record *record);

/* Reads all pages, each once more after it was removed: what a pool did last stays in its file.
 * Returns the readings of those that could be read; valid until the next call. */
const struct pool_reading *pool_phases_read(
	struct pool_phases *phases, int64_t now, size_t *ret_count);

/* True if all pools of the process were closed in order: such a pool removes its page in the phase
 * in which it closes its connections, or a later one. A process that dies leaves the page. */
bool pool_phases_are_over(const struct pool_phases *phases, int32_t pid);

/* Forgets pages that were removed, except, for each process of the record, the evidence of whether
 * its pools were closed in order. */
void pool_phases_forget(struct pool_phases *phases, const struct shutdown_record *record);

#endif
