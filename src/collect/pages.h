/* libdbpool's stats pages: each look reads them all, on libuv's worker threads. A page is a
 * stranger's file: what is wrong with it is told, and does no harm. */
#ifndef COLLECT_PAGES_H
#define COLLECT_PAGES_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct pages;
struct pool_pages;
struct source_state;

struct pages_options {
	const char *folder; /* NULL or "": wherever libdbpool may have put them */
	const char *proc_root;
	void *data;
	/* pages_latest() is a new one. On the loop's thread. */
	void (*published)(void *data);
};

/* Copies what the options point to. Never NULL. */
struct pages *pages_new(uv_loop_t *loop, const struct pages_options *options)
	__attribute__((returns_nonnull));

/* Nothing is published any more. A look under way keeps its memory until it is done: run the loop
 * until it is empty. NULL is allowed. */
void pages_free(struct pages *pages);

/* Looks once; `published` follows. False when the last look is still under way. */
bool pages_refresh(struct pages *pages);

/* Borrowed: pool_pages_ref() it to keep it. NULL before the first look is done. */
const struct pool_pages *pages_latest(const struct pages *pages);

/* For how long the look under way has lasted, in µs; −1 without one. */
int64_t pages_busy_for(const struct pages *pages);

struct source_state pages_source(const struct pages *pages);

#endif
