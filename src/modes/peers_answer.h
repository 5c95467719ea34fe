/* What --peers knows about one target: the ends that it was asked about, and what it has said about
 * them. An answer has what has changed since the last one. */
#ifndef MODES_PEERS_ANSWER_H
#define MODES_PEERS_ANSWER_H

#include <stdbool.h>

#include "collect/host_lines.h"

struct arena;
struct peers;
struct peers_answer;
struct pool_pages;
struct procfs;

/* procfs finds out which processes have ended; borrowed. Never NULL. */
struct peers_answer *peers_answer_new(struct procfs *procfs) __attribute__((returns_nonnull));
/* NULL is allowed. */
void peers_answer_free(struct peers_answer *state);

/* Adds and drops ends. False if there are too many. */
bool peers_answer_take(struct peers_answer *state, const struct host_question *question);

/* Whether the next scan should look for network namespaces: an end is new, or was not found. */
bool peers_answer_wants_search(const struct peers_answer *state);

/* Whether it is asked about an end: then the pages are of interest. */
bool peers_answer_has_ends(const struct peers_answer *state);

/* The answer by a scan that began after the question was taken. `pages`: the stats pages of this
 * machine, of which it has those of processes that hold an end; NULL: none are sent. Its parts are
 * in the arena, or borrowed until the next call. */
struct host_answer peers_answer_make(struct peers_answer *state, const struct peers *peers,
	const struct pool_pages *pages, struct arena *arena);

#endif
