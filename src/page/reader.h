/* Reads stats pages. A page is untrusted input: every field is checked before it is used. It is
 * copied with pread(), because if another process truncates a mapped file, its reader gets SIGBUS.
 * Allocates nothing and never blocks the writer. */
#ifndef PAGE_READER_H
#define PAGE_READER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "page/host.h"
#include "page/layout.h"

#define PAGE_PATH_MAX 512

enum page_status {
	PAGE_OK,
	PAGE_DEAD_OWNER, /* complete, and its process is proven dead: evidence of what it held */
	PAGE_DAMAGED,    /* not a page, truncated, or a field has an impossible value */
	PAGE_FOREIGN, /* another user's, a link, not a regular file, or writable by others: not read
		       */
	PAGE_TOO_NEW, /* of a later layout version */
	PAGE_STATUSES,
};

/* A consistent copy of one slot. */
struct page_slot_copy {
	bool torn; /* it changed during each try to read it: the other fields are not set */
	enum page_slot_state state;
	int32_t backend_pid;   /* 0 when there is none */
	int32_t thread;        /* 0 when there is none */
	int64_t since;         /* realtime; PAGE_UNKNOWN */
	int64_t backend_start; /* realtime; PAGE_UNKNOWN */
	int64_t opened;        /* realtime; PAGE_UNKNOWN */
	int64_t last_result;   /* realtime: the last result of this hold; PAGE_UNKNOWN: none */
	uint64_t uses;
	bool leaked;              /* is reported as a leak */
	char site[PAGE_SITE_MAX]; /* "" when unknown */
};

struct page_hook_copy {
	enum page_hook_phase phase;
	enum page_hook_state state;
	int32_t result;
	int64_t duration, deadline; /* microseconds */
	char name[48];
};

/* The numbers of the whole pool, all slots added up. They may be of different moments. */
struct page_sums {
	unsigned open, held, idle; /* slots */
	uint32_t waiters;
	unsigned leaks; /* held for too long at present */
	uint64_t acquired, released, timeouts, errors, opened, closed;
	uint64_t resets, leaked, reclaimed, lost_slots;
	int64_t pending_writes;      /* PAGE_UNKNOWN */
	struct page_outbox outbox;   /* its numbers may be of different moments */
	int64_t longest_hold;        /* microseconds */
	uint64_t wait[PAGE_BUCKETS]; /* how long acquire took: see page_bucket() */
	uint64_t waited;             /* microseconds, by all of these together */
	uint64_t hold[PAGE_BUCKETS]; /* how long connections were held */
};

/* A checked copy of a page. Texts are printable ASCII; other bytes are replaced by '?'. Instants
 * are realtime, converted with the writer's pair of clocks. */
struct page_copy {
	int32_t pid;
	uint32_t uid; /* the owner of the file and its folder; the page's own field is not used */
	uint64_t start_ticks;
	uint64_t pid_namespace;
	bool owner_visible; /* false: it is in another pid namespace, on another host, or hidden by
			       /proc, so it is not known here whether it is alive */
	bool same_boot;     /* it was written on this machine, since it was booted */
	int64_t created;
	int64_t seen; /* the writer's last update of the clock, realtime */
	char hostname[PAGE_HOST_MAX];
	char name[PAGE_NAME_MAX];
	char server[PAGE_SERVER_MAX];

	struct page_limits limits;
	enum page_phase phase;
	struct page_sums totals;
	uint32_t n_slots, n_hooks;
	struct page_hook_copy hooks[PAGE_HOOKS_MAX];
	struct page_slot_copy slots[PAGE_SLOTS_MAX];
};

/* Opens `file` in the open folder, checks it and copies it. Returns a page_status, or a negative
 * errno: -ENOENT when the file does not exist, -EACCES, … *ret is filled in only for PAGE_OK and
 * PAGE_DEAD_OWNER. */
int page_read(int folder, const char *file, const struct page_host *host, struct page_copy *ret)
	__attribute__((warn_unused_result));

/* Like page_read(), but keeps the file open, to read it on with page_reread(), also after it was
 * removed: *ret_fd is the caller's. It is set only for PAGE_OK and PAGE_DEAD_OWNER. */
int page_open(int folder, const char *file, const struct page_host *host, struct page_copy *ret,
	int *ret_fd) __attribute__((warn_unused_result));

/* Reads an open page again. Returns a page_status or a negative errno. *ret_removed: the file had
 * been removed before it was read, so that its owner changes it no more. */
int page_reread(int fd, const struct page_host *host, struct page_copy *ret, bool *ret_removed)
	__attribute__((warn_unused_result));

/* Called for each page of a scan. `copy` is NULL unless the status is PAGE_OK or PAGE_DEAD_OWNER;
 * it is valid during the call only. `path` is the whole path. */
typedef void page_found_fn(void *data, const char *path, int status, const struct page_copy *copy);

/* Reads every "*.page" of a folder, in any order. Returns 0, -ENOENT when there is no such folder,
 * -EPERM when it is not a real folder of ours (for root: of any user) that only its owner may write
 * to, or another negative errno. `buffer` is the caller's, for one copy at a time. */
int page_scan(const char *folder, const struct page_host *host, struct page_copy *buffer,
	page_found_fn *found, void *data);

/* Opens a folder of pages for reading. What follows "/proc/PID/root/" in the path is looked up in
 * the root of that process, without any link, so that the process cannot lead us elsewhere. Returns
 * a descriptor or a negative errno. */
int page_open_folder(const char *path) __attribute__((warn_unused_result));

/* The same, below an open root: `path` is relative to it. Needs Linux 5.6. */
int page_open_folder_in(int root, const char *path) __attribute__((warn_unused_result));

/* Takes the descriptor of a folder and reads at most `most` of its pages. The folder must be
 * `owner`'s, and ours (for root: any user's); `folder` is its path for `found`. *ret_more: there
 * were more pages. Returns 0 or a negative errno as page_scan() does. */
int page_scan_open(int fd, uid_t owner, const char *folder, size_t most,
	const struct page_host *host, struct page_copy *buffer, page_found_fn *found, void *data,
	bool *ret_more);

/* Scans several folders, at most `most` pages in all. Each folder gets the same share; what a
 * folder does not need goes to the others. *ret_left_out is the number of pages that were not read
 * for that reason. Returns 0, -ENOMEM, or the first folder's error; the other folders are read all
 * the same. */
int page_scan_folders(char *const *folders, size_t n, size_t most, const struct page_host *host,
	struct page_copy *buffer, page_found_fn *found, void *data, size_t *ret_left_out);

/* The number of such folders of other users, which only root may read; 0 for root. A folder within
 * another user's own folder is not seen. */
size_t page_count_others(void);

/* Scans every folder in which a pool of this user (for root: of any user) may have put its page:
 * $XDG_RUNTIME_DIR/dbpool, /run/user/UID/dbpool and /tmp/dbpool-UID, of that user. Missing folders
 * are no error. Returns 0 or -ENOMEM. */
int page_scan_all(const struct page_host *host, size_t most, struct page_copy *buffer,
	page_found_fn *found, void *data, size_t *ret_left_out);

/* Removes the page at this path if it is ours, still that process's, and the process is proven
 * dead. Returns 0; -ENOENT when the file does not exist, -ESTALE when it is another page now or its
 * process is not proven dead, -EPERM when the file or its folder is another user's, or another
 * negative errno. */
int page_clear(const char *path, const struct page_host *host, int32_t pid, uint64_t start_ticks,
	struct page_copy *buffer) __attribute__((warn_unused_result));

/* A name for people and JSON: "running", … */
const char *page_phase_name(enum page_phase phase);

/* The upper bound, in microseconds, of the bucket that contains the given share (such as 0.99) of a
 * histogram; −1 when it is empty. */
int64_t page_percentile(const uint64_t buckets[static PAGE_BUCKETS], double share);

#endif
