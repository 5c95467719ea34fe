/* The connections' client ends as this machine's kernel shows them. Each scan combines sockets and
 * processes into one struct peers, on a worker thread. */
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
	/* clients_latest() is new. Called on the loop's thread. */
	void (*published)(void *data);
};

/* proc_root is "/proc" or a recorded tree. It and the callbacks are copied. Never NULL. */
struct clients *clients_new(uv_loop_t *loop, const char *proc_root,
	const struct clients_callbacks *callbacks) __attribute__((returns_nonnull));

/* Nothing is published after this. A running scan keeps its memory until it is done: run the loop
 * until it is empty. NULL is allowed. */
void clients_free(struct clients *clients);

/* From the next scan on, the sockets at these ports are listed as well. The ports are copied; a
 * port that is given twice is listed once. */
void clients_set_ports(struct clients *clients, const uint16_t *ports, size_t count);

/* Requests a scan of the target, which is copied. `fresh` reads every process's descriptors, even
 * if the owners of all sockets are known; actions rely on this. One scan runs at a time; of all
 * requests during a scan only the last one's target is scanned. */
void clients_scan(struct clients *clients, const struct peers_target *target, bool fresh);

/* The next scan looks for network namespaces that have appeared or gone, and reads the sockets in
 * all of them, as the first scan and a fresh one do; and for translated connections, as a fresh one
 * does. Other scans read only those in which there was something of interest. */
void clients_search_networks(struct clients *clients);

/* A scan that reads the same process for this long (µs) hangs and is abandoned: the next scan skips
 * that process. Its command line is read again twelve times this long after the process stops
 * hanging. */
#define CLIENTS_TIMEOUT INT64_C(5000000)
void clients_set_timeout(struct clients *clients, int64_t timeout);

/* How long the running scan has taken so far, in µs; −1 if none is running. */
int64_t clients_busy_for(const struct clients *clients);

/* A sentence that names a process whose command line cannot be read because it hangs in the kernel;
 * NULL if there is none. Its sockets and its name are known all the same. */
const char *clients_trouble(const struct clients *clients);

/* Borrowed: peers_ref() keeps it. NULL until the first scan is done. */
const struct peers *clients_latest(const struct clients *clients);

/* The number of walks over the descriptors of all processes. A walk is expensive: the number must
 * not grow while connections stay the same. */
unsigned clients_walks(const struct clients *clients);

#endif
