/* The stats pages in other mount namespaces than ours: of a service with a private /tmp, or of a
 * container. They are looked for where a process lives that holds an end of a connection to the
 * server, in the usual folders of its user, through /proc/PID/root.
 *
 * The contents of such a namespace are hostile. No link is followed, nothing but regular files is
 * opened, and a page counts only for a living process of that namespace and of the file's user. A
 * file system that hangs holds up the private pages, and nothing else. */
#ifndef COLLECT_PRIVATE_PAGES_H
#define COLLECT_PRIVATE_PAGES_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct peers;
struct pool_pages;
struct private_pages;

struct private_pages_callbacks {
	void *data;
	/* A scan is done. Called on the loop's thread. */
	void (*done)(void *data);
};

struct private_pages *private_pages_new(uv_loop_t *loop, const char *proc_root,
	const struct private_pages_callbacks *callbacks) __attribute__((returns_nonnull));

/* `done` is not called after this. NULL is allowed. */
void private_pages_free(struct private_pages *pages);

/* Scans once, if there is something to scan; `done` follows. Folders without a page are scanned
 * again only for another `peers`, which may be NULL. False if nothing was started; *ret_busy: the
 * last scan still runs. */
bool private_pages_refresh(struct private_pages *pages, const struct peers *peers, bool *ret_busy);

/* Of the last scan; borrowed. NULL: none. */
const struct pool_pages *private_pages_latest(const struct private_pages *pages);

/* The process whose pages the running scan reads; 0: none. */
int32_t private_pages_reads(const struct private_pages *pages);

/* Whether the last scan left pages out, because there are too many. */
bool private_pages_left_out(const struct private_pages *pages);

#endif
