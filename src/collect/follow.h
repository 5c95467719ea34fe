/* The processes of one application and their connections, looked at every few milliseconds.
 *
 * Cheap enough for that, and nothing of it reaches the server: of each process its own descriptors
 * are read; the kernel's table of sockets only when one of them is new; the table of all processes,
 * which tells who is whose child, less often. Off the loop's thread. */
#ifndef COLLECT_FOLLOW_H
#define COLLECT_FOLLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "model/endpoint.h"
#include "proc/procfs.h"

struct arena;
struct follow;

#define FOLLOW_PORTS_MOST 8

struct follow_process {
	int32_t pid;
	uint64_t start_ticks;
	char name[PROCFS_COMM_MAX]; /* clean */
	bool refused;               /* we may not see its descriptors */
	bool exiting;               /* the kernel is ending it: it closes nothing itself any more */
	struct procfs_signals signals; /* zero when they cannot be read */
};

/* A connection to one of the ports, which one of the processes has open. */
struct follow_socket {
	uint32_t inode;
	int32_t pid;
	uint16_t port;         /* the server's */
	struct endpoint local; /* its end; AF_UNIX */
	uint32_t server_inode; /* over a Unix socket: the server's end */
	bool established;
	int64_t first_seen; /* monotonic: when its descriptor was first seen */
};

struct follow_sample {
	struct arena *arena;              /* of what follows */
	int64_t began_at;                 /* monotonic: the world is no older than this … */
	int64_t taken_at;                 /* … and what is missing was so before this */
	bool whole;                       /* children were looked for, too */
	struct follow_process *processes; /* those that have not ended */
	size_t n_processes;
	struct follow_socket *sockets;
	size_t n_sockets;
};

struct follow_callbacks {
	void *data;
	/* On the loop's thread; the sample is gone after the call. */
	void (*sampled)(void *data, const struct follow_sample *sample);
};

/* proc_root is "/proc", or a recorded tree; copied. Never NULL; it follows nobody yet. */
struct follow *follow_new(uv_loop_t *loop, const char *proc_root,
	const struct follow_callbacks *callbacks) __attribute__((returns_nonnull));

/* Nothing is called any more. Run the loop until it is empty. NULL is allowed. */
void follow_free(struct follow *follow);

/* This process, as long as it is the one with these start_ticks, and its descendants. */
void follow_process(struct follow *follow, int32_t pid, uint64_t start_ticks);

/* Whoever is a child of this process, which itself is not followed: a subreaper's orphans. */
void follow_children_of(struct follow *follow, int32_t pid);

/* The ports whose connections are told of. */
void follow_set_ports(struct follow *follow, const uint16_t *ports, size_t count);

/* Looks once in `interval` µs; 0 stops. Slower when looking, or sampled(), takes long: neither has
 * more than a share of the time. */
void follow_set_interval(struct follow *follow, int64_t interval);

/* Looks at once, for children too; after the look under way when there is one. */
void follow_now(struct follow *follow);

/* Looks here and now, on the caller's thread: until the loop turns again no other look begins, and
 * what a later sample has and this one lacks came after it. False, and no look, while one is under
 * way: its sampled() is yet to come. The caller frees the sample's arena. `whole`: for children,
 * too.
 */
bool follow_look_here(struct follow *follow, bool whole, struct follow_sample *ret_sample);

#endif
