/* Removing the stats pages of dead processes that left nothing behind: the plan and its results. */
#ifndef MODEL_CLEARING_H
#define MODEL_CLEARING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

enum clearing_result {
	CLEARING_PENDING,
	CLEARING_CLEARED,
	CLEARING_GONE,    /* already removed: the pool does that at its next start */
	CLEARING_CHANGED, /* its owner is not proven dead any more, or it is another page */
	CLEARING_DENIED,
};

/* One page as it was when the plan was made. */
struct clearing_page {
	const char *path, *name;
	const char *process; /* its command; NULL if it was never seen alive */
	int32_t pid;
	uint64_t start_ticks;
	int64_t dead_since;
	enum clearing_result result;
	const char *detail; /* NULL */
};

struct clearing {
	struct arena *arena; /* owns everything here, the clearing too */
	int64_t made_at;
	const char *server; /* the server on which none of their sessions is left */
	bool done;
	bool unaudited; /* carried out even if the audit log cannot be written */
	struct clearing_page *pages;
	size_t n_pages;
};

/* NULL is allowed. */
void clearing_free(struct clearing *clearing);

/* "pending", "cleared", "gone", "changed", "denied" */
const char *clearing_result_name(enum clearing_result result);

#endif
