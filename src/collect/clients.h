/* The connections' client ends, as this machine's kernel tells them: sockets and processes, put
 * together into one struct peers a look, off the loop's thread. */
#ifndef COLLECT_CLIENTS_H
#define COLLECT_CLIENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct clients;
struct peers;
struct peers_target;

struct clients_callbacks {
	void *data;
	/* clients_latest() is a new one. On the loop's thread. */
	void (*published)(void *data);
};

/* proc_root is "/proc", or a recorded tree; copied, as the callbacks are. Never NULL. */
struct clients *clients_new(uv_loop_t *loop, const char *proc_root,
	const struct clients_callbacks *callbacks) __attribute__((returns_nonnull));

/* Nothing is published any more. A look under way keeps its memory until it is done: run the loop
 * until it is empty. NULL is allowed. */
void clients_free(struct clients *clients);

/* From the next look on, the sockets at these ports are listed as well. Copied; a port that is
 * named twice is listed once. */
void clients_set_ports(struct clients *clients, const uint16_t *ports, size_t count);

/* Asks for a look at the target, which is copied. `fresh` reads every process's descriptors, also
 * when all sockets are known: what an action relies on. One look runs at a time; of those asked for
 * meanwhile one is made, for the last target. */
void clients_look(struct clients *clients, const struct peers_target *target, bool fresh);

/* A look that reads the same process for so long hangs with it: the next one begins without it.
 * Twelve times as long after the process went on, its command line is read again. */
#define CLIENTS_PATIENCE INT64_C(5000000)
void clients_set_patience(struct clients *clients, int64_t patience);

/* For how long the look under way has lasted, in µs; −1 without one. */
int64_t clients_busy_for(const struct clients *clients);

/* A process whose command line could not be read, because it hangs in the kernel: a sentence; NULL.
 * Its sockets and its name are known all the same. */
const char *clients_trouble(const struct clients *clients);

/* Borrowed: peers_ref() it to keep it. NULL before the first look is done. */
const struct peers *clients_latest(const struct clients *clients);

/* How many looks read the descriptors of all processes: the dear part, which must not grow while
 * connections stay the same. */
unsigned clients_scans(const struct clients *clients);

#endif
