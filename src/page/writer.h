/* Writes a stats page: a file that other processes read at the same time.
 *
 * The stores are wait-free: no lock, no system call. Only one thread at a time may write a slot or
 * a counter; the pool's locks ensure that. */
#ifndef PAGE_WRITER_H
#define PAGE_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "page/layout.h"

struct page_writer;

struct page_writer_options {
	const char *folder; /* NULL: $XDG_RUNTIME_DIR/dbpool, or /tmp/dbpool-UID */
	const char *name;   /* the pool's name */
	const char *server; /* "host:port/database" */
	struct page_limits limits;
	uint32_t slots; /* 1 to PAGE_SLOTS_MAX */
	bool no_file;   /* in memory only */
};

/* Creates the page of a starting pool, with mode 0600, in a folder that only we can use; creates
 * the folder when it is missing. When no file can be created, the page is in memory only,
 * page_writer_path() returns NULL, and *ret_file is a negative errno. Otherwise *ret_file is 0.
 * Returns 0 or -ENOMEM. */
int page_writer_new(const struct page_writer_options *options, struct page_writer **ret_writer,
	int *ret_file) __attribute__((warn_unused_result));

/* Updates the file's times when they are an hour old. Stores through a mapping do not update them
 * on all systems, and programs that clean /tmp remove old files. */
void page_writer_keep(const struct page_writer *writer);

/* Removes the file; the mapping stays valid. */
void page_writer_remove(struct page_writer *writer);

/* In a child after fork(): frees the child's copy, and leaves the parent's file alone. */
void page_writer_forget(struct page_writer *writer);

/* Removes the file and the mapping. NULL is allowed. */
void page_writer_free(struct page_writer *writer);

/* NULL when there is no file. */
const char *page_writer_path(const struct page_writer *writer);

/* Returns the path of the folder in which pages are created; creates and checks it. Returns 0,
 * -EPERM when other users can use the folder, or another negative errno. */
int page_folder(const char *wanted, char *ret_path, size_t size)
	__attribute__((warn_unused_result));

/* The page. Counters are stored with page_set() and page_add(). */
struct page *page_writer_page(struct page_writer *writer);

/* Each is one store or load. A counter has one writer at a time. */
#define page_set(counter, value) __atomic_store_n(&(counter), (value), __ATOMIC_RELAXED)
#define page_add(counter, value) page_set(counter, page_get(counter) + (value))
#define page_get(counter)        __atomic_load_n(&(counter), __ATOMIC_RELAXED)

/* Stores the present time of both clocks, which shows that the pool is alive. */
void page_beat(struct page *page);

/* A connection was opened: stores its backend and makes the slot idle. */
void page_slot_opened(
	struct page_slot *slot, int32_t backend_pid, int64_t backend_start, int64_t now);

/* The same for a connection that was opened at an unknown time. */
void page_slot_found(
	struct page_slot *slot, int32_t backend_pid, int64_t backend_start, int64_t now);

/* Sets the state of a slot that is connecting, closing or empty. */
void page_slot_state(struct page_slot *slot, enum page_slot_state state, int64_t now);

/* The connection was lent to a thread. A NULL site keeps the present one. */
void page_slot_held(struct page_slot *slot, int64_t now, int32_t thread, const char *site);

/* The connection is back in the reserve. */
void page_slot_idle(struct page_slot *slot, int64_t now);

/* Counts a hold that has ended. */
void page_slot_released(struct page_slot *slot, int64_t hold);

/* The present hold is a leak, or is none any more. */
void page_slot_leaked(struct page_slot *slot, bool leaked);

/* Adds a hook; false when all places are taken. */
bool page_hook_add(struct page *page, const char *name, enum page_hook_phase phase,
	int64_t deadline, struct page_hook **ret_hook);

/* Frees the hook's place. */
void page_hook_remove(struct page_hook *hook);

void page_hook_set(
	struct page_hook *hook, enum page_hook_state state, int32_t result, int64_t duration);

/* The bucket of a duration in microseconds. */
static inline unsigned page_bucket(int64_t usec)
{
	if (usec < 1)
		return 0;
	unsigned bucket = 64 - (unsigned)__builtin_clzll((unsigned long long)usec);
	return bucket < PAGE_BUCKETS ? bucket : PAGE_BUCKETS - 1;
}

#endif
