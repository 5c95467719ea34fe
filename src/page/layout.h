/* The stats page: the layout of libdbpool's file, byte by byte. docs/stats-page.md describes it for
 * readers in other languages. Both change together, with PAGE_VERSION.
 *
 * Integers are in the machine's byte order, because a page is read on the machine that wrote it.
 * Texts end with a zero byte. Instants are microseconds: `…_realtime` since 1970-01-01 UTC,
 * `…_monotonic` of CLOCK_MONOTONIC. Each aligned integer is written in one store. A block whose
 * fields belong together has a sequence number, which is odd while the block is being written. */
#ifndef PAGE_LAYOUT_H
#define PAGE_LAYOUT_H

#include <stdint.h>

#define PAGE_MAGIC   "DBPOOLPG" /* 8 bytes, without a terminator */
#define PAGE_VERSION 2          /* 1 was never released */
#define PAGE_SUFFIX  ".page"

#define PAGE_SLOTS_MAX   256
#define PAGE_HOOKS_MAX   16
#define PAGE_BUCKETS     32
#define PAGE_NAME_MAX    64
#define PAGE_SITE_MAX    64
#define PAGE_SERVER_MAX  256
#define PAGE_BOOT_MAX    40
#define PAGE_HOST_MAX    72
#define PAGE_MACHINE_MAX 32

#define PAGE_UNKNOWN INT64_MIN   /* an instant or a number that is not known */
#define PAGE_NEVER   INT64_C(-1) /* a limit that is switched off */

enum page_phase {
	PAGE_STARTING = 1,
	PAGE_RUNNING,
	PAGE_STOPPING,   /* no longer lends */
	PAGE_FLUSHING,   /* the application's hooks run */
	PAGE_DRAINING,   /* waits for borrowers */
	PAGE_CANCELLING, /* cancels running queries */
	PAGE_CLOSING,
	PAGE_DONE,
	PAGE_PHASES,
};

enum page_slot_state {
	PAGE_SLOT_EMPTY,
	PAGE_SLOT_CONNECTING,
	PAGE_SLOT_IDLE, /* in the pool's reserve */
	PAGE_SLOT_HELD, /* borrowed */
	PAGE_SLOT_CLOSING,
	PAGE_SLOT_STATES,
};

enum page_hook_state {
	PAGE_HOOK_WAITING,
	PAGE_HOOK_RUNNING,
	PAGE_HOOK_DONE,
	PAGE_HOOK_FAILED, /* see result */
	PAGE_HOOK_LATE,   /* it ran over its deadline; the shutdown went on without it */
	PAGE_HOOK_STATES,
};

enum page_hook_phase {
	PAGE_HOOK_STOP,
	PAGE_HOOK_FLUSH,
	PAGE_HOOK_CLOSED,
	PAGE_HOOK_PHASES,
};

/* What is on the disk when an outbox has taken a write. */
enum page_fsync {
	PAGE_FSYNC_FULL,
	PAGE_FSYNC_NORMAL, /* a power loss may take the last writes */
	PAGE_FSYNCS,
};

/* Offsets and sizes. A reader uses these instead of its own sizeof, so that a later version may
 * append fields. */
struct page_head {
	char magic[8];
	uint32_t version;
	uint32_t file_size;
	uint32_t slots_at, slot_size,
		slot_count; /* one slot for each connection: 1 to PAGE_SLOTS_MAX */
	uint32_t hooks_at, hook_size, hook_count;
	uint8_t reserved[24];
};

/* Written once, before the file gets its final name. */
struct page_identity {
	int32_t pid; /* in the process's own pid namespace */
	uint32_t uid;
	uint64_t start_ticks;   /* when the process started: field 22 of /proc/PID/stat */
	uint64_t pid_namespace; /* inode of /proc/self/ns/pid; 0: unknown */
	int64_t created_realtime, created_monotonic;
	char boot_id[PAGE_BOOT_MAX]; /* /proc/sys/kernel/random/boot_id */
	char hostname[PAGE_HOST_MAX];
	char name[PAGE_NAME_MAX];       /* the pool's name; application_name is NAME/PID/SLOT */
	char server[PAGE_SERVER_MAX];   /* "host:port/database", never a password */
	char machine[PAGE_MACHINE_MAX]; /* /etc/machine-id, without a zero byte; zeros: unknown */
	uint64_t time_namespace;        /* inode of /proc/self/ns/time; 0: unknown, or none */
};

/* The configuration. Durations are in microseconds, or PAGE_NEVER. */
struct page_limits {
	uint32_t min, max;
	int64_t acquire_timeout, idle_lifetime, max_lifetime;
	int64_t held; /* a connection held for longer is a leak */
	int64_t reclaim;
	uint64_t max_uses;
	uint64_t reserved;
};

/* One moment on both clocks, updated about once a second. It converts a slot's monotonic instants
 * into wall time, and shows that the pool is alive. */
struct page_clock {
	uint32_t seq, unused;
	int64_t realtime, monotonic;
	uint8_t reserved[40];
};

/* The outboxes that send their writes over this pool. What waits in them is in files on this
 * machine: the end of the process does not lose it. */
struct page_outbox {
	uint32_t count;          /* 0: none */
	uint32_t fsync;          /* enum page_fsync: of the one that syncs least */
	int64_t waiting;         /* writes that the server has not confirmed */
	int64_t oldest_realtime; /* when the oldest of these was stored; 0: none waits */
	uint64_t rejected;       /* writes that the server refused, in the files */
};

/* Numbers of the whole pool, which change seldom. Each number is consistent, but they may be of
 * different moments. */
struct page_totals {
	uint32_t phase; /* enum page_phase */
	uint32_t waiters;
	uint64_t timeouts;
	uint64_t errors; /* connections that could not be opened, or broke later */
	uint64_t opened, closed;
	uint64_t leaked; /* leaks reported so far */
	uint64_t reclaimed;
	int64_t pending_writes; /* as the application set it; PAGE_UNKNOWN */
	uint64_t lost_slots;    /* sessions that ended while they were borrowed */
	struct page_outbox outbox;
	uint64_t waited; /* microseconds: the sum of what `wait` counts */
	uint64_t reserved[2];
};

/* A slot's counters. Each slot has its own, because they then stay in the cache of the processor
 * that uses the slot; a reader adds them up. Each number is consistent, but they may be of
 * different moments. */
struct page_counters {
	uint64_t acquired;
	uint64_t at_once; /* acquired without waiting: these are not in the histogram `wait` */
	uint64_t released;
	uint64_t resets;      /* times the connection was cleaned after use */
	int64_t longest_hold; /* of the holds that have ended, microseconds */
	uint64_t reserved[3];
	uint64_t hold[PAGE_BUCKETS]; /* histogram of how long the connection was held */
};

struct page_slot {
	uint32_t seq;
	uint32_t state;           /* enum page_slot_state */
	int32_t backend_pid;      /* 0 when there is none */
	int32_t thread;           /* the borrower's thread id, 0 when there is none */
	int64_t since_monotonic;  /* when this state began */
	int64_t backend_start;    /* realtime, as in pg_stat_activity, or PAGE_UNKNOWN */
	int64_t opened_monotonic; /* when the connection was opened */
	uint64_t uses;            /* of this connection */
	uint32_t leaked;          /* 1 while this hold is reported as a leak */
	uint32_t unused;
	/* when the borrower last got a result; 0: never. Before since_monotonic: in an earlier
	 * hold. Not guarded by seq */
	int64_t last_result_monotonic;
	char site[PAGE_SITE_MAX];      /* "file.c:212" of the borrower; of the last one when idle */
	struct page_counters counters; /* not guarded by seq */
};

struct page_hook {
	uint32_t seq;
	uint32_t phase;   /* enum page_hook_phase */
	uint32_t state;   /* enum page_hook_state */
	int32_t result;   /* what the hook returned */
	int64_t duration; /* microseconds, 0 before it ran */
	int64_t deadline; /* in microseconds */
	char name[48];    /* empty: no hook */
	uint8_t reserved[16];
};

/* Histograms are in microseconds: bucket 0 counts values below 1, bucket i values from 2^(i−1) to
 * below 2^i, the last bucket all larger ones. */
struct page {
	struct page_head head;         /* 0 */
	struct page_identity identity; /* 64 */
	struct page_limits limits;     /* 576 */
	struct page_clock clock;       /* 640 */
	struct page_totals totals;     /* 704 */
	uint64_t wait[PAGE_BUCKETS];   /* 832: how long acquire waited, when it had to wait */
	struct page_hook hooks[PAGE_HOOKS_MAX]; /* 1088 */
	struct page_slot slots[];               /* 2624 */
};

_Static_assert(sizeof(struct page_head) == 64, "layout");
_Static_assert(sizeof(struct page_identity) == 512, "layout");
_Static_assert(sizeof(struct page_limits) == 64, "layout");
_Static_assert(sizeof(struct page_clock) == 64, "layout");
_Static_assert(sizeof(struct page_totals) == 128, "layout");
_Static_assert(sizeof(struct page_hook) == 96, "layout");
_Static_assert(sizeof(struct page_counters) == 320, "layout");
_Static_assert(sizeof(struct page_slot) == 448, "layout");
_Static_assert(sizeof(struct page) == 2624, "layout");

#endif
