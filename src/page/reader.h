/* Reads stats pages. A page is a stranger's file: nothing in it is believed before it was checked,
 * and it is copied with pread(), because a mapping of a file that somebody cuts short kills its
 * reader with SIGBUS. Allocates nothing, never blocks the writer. */
#ifndef PAGE_READER_H
#define PAGE_READER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "page/layout.h"

#define PAGE_PATH_MAX 512

enum page_status {
	PAGE_OK,
	PAGE_DEAD_OWNER, /* whole, and its process is proven dead: evidence of what it held */
	PAGE_DAMAGED,    /* no page, cut short, or a field that cannot be */
	PAGE_FOREIGN, /* another user's, a link, no plain file, or writable by others: not read */
	PAGE_TOO_NEW, /* of a later version of the layout */
	PAGE_STATUSES,
};

/* Who is reading: a process is alive or dead only as seen from here. */
struct page_host {
	char boot_id[PAGE_BOOT_MAX];
	char hostname[PAGE_HOST_MAX];
	char machine[PAGE_MACHINE_MAX]; /* as in the page */
	uint64_t pid_namespace;         /* 0 unknown */
	uint64_t time_namespace;        /* 0 unknown, or the kernel has none */
	bool own_proc;                  /* /proc is of our own pid namespace */
	char proc[64];                  /* where /proc is */
};

/* One slot, of one moment. */
struct page_slot_copy {
	bool torn; /* it changed faster than it could be read: the rest is not filled in */
	enum page_slot_state state;
	int32_t backend_pid;   /* 0 when there is none */
	int32_t thread;        /* 0 when there is none */
	int64_t since;         /* realtime; PAGE_UNKNOWN */
	int64_t backend_start; /* realtime; PAGE_UNKNOWN */
	int64_t opened;        /* realtime; PAGE_UNKNOWN */
	uint64_t uses;
	bool leaked;              /* reported as held for too long */
	char site[PAGE_SITE_MAX]; /* "" when unknown */
};

struct page_hook_copy {
	enum page_hook_phase phase;
	enum page_hook_state state;
	int32_t result;
	int64_t duration, deadline; /* microseconds */
	char name[48];
};

/* What the pool has done and does, all slots together. The numbers are not of one moment. */
struct page_sums {
	unsigned open, held, idle; /* slots */
	uint32_t waiters;
	unsigned leaks; /* held for longer than the limit right now */
	uint64_t acquired, released, timeouts, errors, opened, closed;
	uint64_t resets, leaked, reclaimed;
	int64_t pending_writes;      /* PAGE_UNKNOWN */
	int64_t longest_hold;        /* microseconds */
	uint64_t wait[PAGE_BUCKETS]; /* how long acquire took: see page_bucket() */
	uint64_t hold[PAGE_BUCKETS]; /* how long connections were held */
};

/* A checked copy. Texts are printable ASCII: whatever else was there is '?'. Instants are realtime
 * by the writer's own pair of clocks. */
struct page_copy {
	int32_t pid;
	uint32_t uid; /* of the owner of file and folder, whatever the page says */
	uint64_t start_ticks;
	uint64_t pid_namespace;
	bool owner_visible; /* false: in another pid namespace, on another host, or hidden by /proc:
			       dead or alive is not known here */
	int64_t created;
	int64_t seen; /* the writer's last sign of life, realtime */
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

/* This machine, as /proc below `proc` ("/proc") tells. What cannot be read stays empty, and no
 * owner is then proven dead. */
void page_host_read(const char *proc, struct page_host *ret);

/* Opens `file` in the open folder, checks and copies it. Returns a page_status; *ret is filled in
 * for PAGE_OK and PAGE_DEAD_OWNER alone. Or a negative errno: -ENOENT it is gone, -EACCES. */
int page_read(int folder, const char *file, const struct page_host *host, struct page_copy *ret)
	__attribute__((warn_unused_result));

enum page_owner {
	PAGE_OWNER_UNKNOWN, /* not visible from here, or hidden */
	PAGE_OWNER_ALIVE,
	PAGE_OWNER_DEAD, /* certain: the kernel knows no such process, another one has its pid, or
			    the same host has booted since */
};

/* What became of the process that wrote the page. */
enum page_owner page_owner(const struct page_host *host, const struct page_identity *identity);

/* When a process began, in ticks after boot: `process` is a pid or "self". 0 when it cannot be
 * read. */
uint64_t page_start_ticks(const char *proc, const char *process);

/* What is called for each page of a scan; `copy` is NULL unless the status is PAGE_OK or
 * PAGE_DEAD_OWNER, and is gone after the call. `path` is the whole path. */
typedef void page_found_fn(void *data, const char *path, int status, const struct page_copy *copy);

/* Every "*.page" of a folder, in no order. Returns 0, -ENOENT when there is no such folder, -EPERM
 * when it is not a plain folder of ours (or, for root, of one user) that only its owner may write
 * to, or a negative errno. `buffer` is the caller's, for one copy at a time. */
int page_scan(const char *folder, const struct page_host *host, struct page_copy *buffer,
	page_found_fn *found, void *data);

/* The same of several folders, `most` pages of all of them: each folder has the same share, and
 * what it does not need goes to the others. *ret_left_out is how many pages there are beyond that.
 * Returns 0, or the first folder's error, while the others are read; -ENOMEM. */
int page_scan_folders(char *const *folders, size_t n, size_t most, const struct page_host *host,
	struct page_copy *buffer, page_found_fn *found, void *data, size_t *ret_left_out);

/* Every folder that a pool of this user, or for root of any user, may have put its page in:
 * $XDG_RUNTIME_DIR/dbpool, /run/user/UID/dbpool and /tmp/dbpool-UID, of that user. Missing ones are
 * fine. Returns 0 or -ENOMEM. */
int page_scan_all(const struct page_host *host, size_t most, struct page_copy *buffer,
	page_found_fn *found, void *data, size_t *ret_left_out);

/* Removes the page at this path if it still is that process's, ours, and its process is proven
 * dead. Returns 0; -ENOENT when it is gone already, -ESTALE when it is not that any more, -EPERM
 * when the file or its folder is another user's, or another negative errno. */
int page_clear(const char *path, const struct page_host *host, int32_t pid, uint64_t start_ticks,
	struct page_copy *buffer) __attribute__((warn_unused_result));

/* "running", "idle", …: for people and JSON. */
const char *page_phase_name(enum page_phase phase);
const char *page_slot_state_name(enum page_slot_state state);
const char *page_hook_state_name(enum page_hook_state state);

/* The upper bound in microseconds of the bucket that holds the given share (0.99) of a histogram;
 * −1 when it is empty. */
int64_t page_percentile(const uint64_t buckets[static PAGE_BUCKETS], double share);

#endif
