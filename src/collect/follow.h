/* Follows the processes of one application and their connections, with a sample every few
 * milliseconds.
 *
 * A sample is cheap, and the server notices nothing of it. It reads the descriptors of the
 * application's processes only; the kernel's table of sockets only if one of them is new; and, less
 * often, the table of all processes, which shows who is whose child. Samples are taken on a worker
 * thread. */
#ifndef COLLECT_FOLLOW_H
#define COLLECT_FOLLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "collect/followed_container.h"
#include "model/endpoint.h"
#include "proc/procfs.h"

struct arena;
struct follow;

#define FOLLOW_PORTS_MOST 8

struct follow_process {
	int32_t pid;
	uint64_t start_ticks;
	char name[PROCFS_COMM_MAX]; /* clean */
	bool refused;               /* we may not read its descriptors */
	bool exiting;   /* the kernel is ending it: it no longer closes anything itself */
	bool contained; /* it is in the followed container */
	struct procfs_signals signals; /* zero when they cannot be read */
};

/* A connection to one of the ports, held open by one of the processes. */
struct follow_socket {
	uint32_t inode;
	int32_t pid;
	uint16_t port;         /* the server's */
	struct endpoint local; /* the client end; AF_UNIX */
	uint32_t server_inode; /* over a Unix socket: the server's end */
	bool established;
	bool ended;         /* the server had closed it when it was first seen */
	int64_t first_seen; /* monotonic: when its descriptor was first seen */
};

struct follow_sample {
	struct arena *arena;              /* memory of the fields below */
	int64_t began_at;                 /* monotonic: everything was read after this */
	int64_t taken_at;                 /* monotonic: what is missing had gone before this */
	bool whole;                       /* the scan included children */
	struct follow_process *processes; /* those that have not ended */
	size_t n_processes;
	struct follow_socket *sockets;
	size_t n_sockets;
	char container[CONTAINER_ID_DIGITS + 1]; /* of follow_container(); "" while not known */
	bool container_seen;                     /* a process of it was found, now or before */
};

struct follow_callbacks {
	void *data;
	/* Called on the loop's thread; the sample is freed after the call. */
	void (*sampled)(void *data, const struct follow_sample *sample);
};

/* proc_root is "/proc" or a recorded tree; copied. Never NULL; it follows no process yet. */
struct follow *follow_new(uv_loop_t *loop, const char *proc_root,
	const struct follow_callbacks *callbacks) __attribute__((returns_nonnull));

/* No callback runs after this. Run the loop until it is empty. NULL is allowed. */
void follow_free(struct follow *follow);

/* Follows this process, if it still has these start_ticks, and its descendants. */
void follow_process(struct follow *follow, int32_t pid, uint64_t start_ticks);

/* Follows every child of this process, but not the process itself: the orphans of a subreaper. */
void follow_children_of(struct follow *follow, int32_t pid);

/* Follows also the processes of a container, and their descendants: `id_file` is the file into
 * which the engine writes its id, and `since` are the start ticks of the engine's client. Call it
 * before the first sample. */
void follow_container(struct follow *follow, const char *id_file, uint64_t since);

/* Reports connections to these ports only. */
void follow_set_ports(struct follow *follow, const uint16_t *ports, size_t count);

/* Takes a sample every `interval` µs; 0 stops. The interval gets longer if scans or sampled() take
 * long, so that both take only a share of the time. */
void follow_set_interval(struct follow *follow, int64_t interval);

/* Takes a sample at once, including children; if a scan is running, after it. */
void follow_now(struct follow *follow);

/* Takes a sample on the caller's thread. No other scan begins until the loop runs again: what a
 * later sample has and this one lacks appeared after it. False, without a sample, if a scan is
 * running: its sampled() is still to be called. The caller frees the sample's arena. `whole`:
 * include children. */
bool follow_scan_here(struct follow *follow, bool whole, struct follow_sample *ret_sample);

#endif
