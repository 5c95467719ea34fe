/* libdbpool's stats pages: each scan reads all of them, on worker threads. Any process may
 * have written a page: errors in it are reported and cause no harm. */
#ifndef COLLECT_PAGES_H
#define COLLECT_PAGES_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct pages;
struct peers;
struct pool_pages;
struct source_state;

struct pages_options {
	const char *folder; /* NULL or "": libdbpool's default folders */
	const char *proc_root;
	void *data;
	/* pages_latest() is new. Called on the loop's thread. */
	void (*published)(void *data);
};

/* Copies what the options point to. Never NULL. */
struct pages *pages_new(uv_loop_t *loop, const struct pages_options *options)
	__attribute__((returns_nonnull));

/* Nothing is published after this. A running scan keeps its memory until it is done: run the loop
 * until it is empty. NULL is allowed. */
void pages_free(struct pages *pages);

/* The processes that hold ends of connections, for the next scans: their stats pages are read in
 * private folders, too (collect/private_pages.h), unless `folder` was given. NULL: none. */
void pages_set_peers(struct pages *pages, const struct peers *peers);

/* Scans once; `published` follows. False if the last scan is still running. */
bool pages_refresh(struct pages *pages);

/* Borrowed: pool_pages_ref() keeps it. NULL until the first scan is done. */
const struct pool_pages *pages_latest(const struct pages *pages);

/* How long the running scan has taken so far, in µs; −1 if none is running. */
int64_t pages_busy_for(const struct pages *pages);

struct source_state pages_source(const struct pages *pages);

#endif
