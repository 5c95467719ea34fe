/* Runs scans, one after the other, on worker threads.
 *
 * What a scan uses (sockets, owners, the block it fills) is the worker's while it runs.
 *
 * Reading a process may block for as long as that process hangs in the kernel. Such a scan is
 * abandoned together with everything it uses. Later scans do not read the command line of that
 * process. */
#include "collect/clients.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/instant.h"
#include "base/mem.h"
#include "collect/machine_scan.h"
#include "loop/handle.h"
#include "loop/worker.h"
#include "model/peers.h"
#include "proc/procfs.h"

/* When a process no longer hangs, its command line is read again after this many timeouts: a
 * process that hangs again and again must not delay every scan. */
#define RETRY_AFTER 12

/* The maximum number of scans that may hang: each occupies a thread. */
#define MOST_STUCK 4

/* What a scan uses. The next scan reuses it. */
struct scan {
	struct clients *clients;
	bool left_alone; /* abandoned: it hangs */
	struct worker *worker;
	struct machine_scan *machine;
	struct peers *peers;
	bool fresh, search;
};

/* A process in which a scan hangs. */
struct stuck_scan {
	struct scan *scan;
	int32_t pid;
	uint64_t start_ticks;
};

struct clients {
	uv_loop_t *loop;
	char *proc_root;
	struct clients_callbacks callbacks;
	struct peers *latest;
	unsigned scans, scans_before; /* before: the walks of abandoned scans */
	bool asked;
	struct peers_target target; /* of the requested scan */
	bool fresh, search;
	uint16_t *ports;
	size_t n_ports;

	struct scan *scan;
	uv_timer_t *watchdog;
	int64_t timeout;
	int32_t watched;       /* the process that was read when the watchdog last ran */
	struct procfs *procfs; /* for the loop's thread: only reads start times */
	struct stuck_scan stuck[MOST_STUCK];
	size_t n_stuck;
	int64_t retry_at; /* monotonic: when to read again the processes that no longer hang; 0:
			     none */
	char error[128];
};

static void start(struct clients *clients);
static void scan_on_worker(void *data);
static void after_scan(void *data);

static void destroy_scan(void *data)
{
	struct scan *scan = data;
	peers_unref(scan->peers);
	machine_scan_free(scan->machine);
	free(scan);
}

static struct scan *scan_new(struct clients *clients)
{
	struct scan *scan = mem_alloc(sizeof(*scan));
	scan->clients = clients;
	scan->worker = worker_new(clients->loop,
		&(struct worker_callbacks){ scan, scan_on_worker, after_scan, destroy_scan });
	scan->machine = machine_scan_new(clients->proc_root);
	return scan;
}

/* The next scan starts without cached data, so it searches all that may be translated, too. It
 * skips the processes that hang now. */
static void renew_scan(struct clients *clients)
{
	clients->scans_before += clients->scans;
	clients->scans = 0;
	clients->search = true;
	clients->scan = scan_new(clients);
	struct procfs *procfs = machine_scan_procfs(clients->scan->machine);
	for (size_t i = 0; i < clients->n_stuck; i++)
		procfs_skip(procfs, clients->stuck[i].pid, clients->stuck[i].start_ticks);
	if (clients->n_stuck == MOST_STUCK)
		procfs_skip_all(procfs);
}

/* Abandons the running scan; the next one skips the process in which it hangs. When the maximum
 * number of scans hang, the next scan reads no command lines at all. */
static void leave_alone(struct clients *clients, int32_t pid)
{
	struct procfs_stat stat;
	struct scan *stuck = clients->scan;
	bool full = clients->n_stuck == MOST_STUCK;
	if (full || procfs_stat(clients->procfs, pid, &stat) < 0)
		return;
	clients->stuck[clients->n_stuck++] = (struct stuck_scan){ stuck, pid, stat.start_ticks };
	stuck->left_alone = true;
	clients->fresh |= stuck->fresh;
	clients->search |= stuck->search;
	renew_scan(clients);
	snprintf(clients->error, sizeof(clients->error),
		"process %" PRId32 " hangs in the kernel: its command line cannot be read", pid);
	start(clients);
}

/* The process no longer hangs, or it has ended: the abandoned scan is done. */
static void came_back(struct clients *clients, struct scan *scan)
{
	for (size_t i = 0; i < clients->n_stuck; i++)
		if (clients->stuck[i].scan == scan) {
			clients->stuck[i] = clients->stuck[--clients->n_stuck];
			break;
		}
	if (!clients->n_stuck)
		clients->error[0] = '\0';
	worker_free(scan->worker);
	clients->retry_at = instant_monotonic() + RETRY_AFTER * clients->timeout;
}

/* If the scan reads the same process at two ticks, it has read that process all the time in
 * between. */
static void on_watchdog(uv_timer_t *timer)
{
	struct clients *clients = timer->data;
	if (!worker_is_busy(clients->scan->worker))
		return;
	int32_t pid = procfs_reads(machine_scan_procfs(clients->scan->machine));
	if (pid && pid == clients->watched) {
		leave_alone(clients, pid);
		return;
	}
	clients->watched = pid;
}

static void watch_over(struct clients *clients)
{
	uint64_t ms = (uint64_t)(clients->timeout / USEC_PER_MSEC);
	clients->watched = 0;
	uv_timer_start(clients->watchdog, on_watchdog, ms / 2, ms / 2);
}

struct clients *clients_new(
	uv_loop_t *loop, const char *proc_root, const struct clients_callbacks *callbacks)
{
	struct clients *clients = mem_alloc(sizeof(*clients));
	clients->loop = loop;
	clients->proc_root = mem_strdup(proc_root);
	clients->callbacks = *callbacks;
	clients->timeout = CLIENTS_TIMEOUT;
	clients->procfs = procfs_new(proc_root);
	clients->scan = scan_new(clients);
	clients->watchdog = handle_new_timer(loop, clients);
	return clients;
}

void clients_set_timeout(struct clients *clients, int64_t timeout)
{
	clients->timeout = timeout;
}

static void scan_on_worker(void *data)
{
	struct scan *scan = data;
	machine_scan_read(scan->machine, scan->peers, scan->fresh, scan->search);
}

static void after_scan(void *data)
{
	struct scan *scan = data;
	struct clients *clients = scan->clients;
	if (scan->left_alone) {
		came_back(clients, scan);
		return;
	}
	uv_timer_stop(clients->watchdog);
	peers_unref(clients->latest);
	clients->latest = scan->peers;
	scan->peers = NULL;
	clients->scans = machine_scan_walks(scan->machine);
	if (clients->asked)
		start(clients);
	if (clients->callbacks.published)
		clients->callbacks.published(clients->callbacks.data);
}

static void list_ports(const struct clients *clients, struct peers *peers)
{
	peers->ports = arena_array(peers->arena, clients->n_ports, sizeof(*peers->ports));
	for (size_t i = 0; i < clients->n_ports; i++)
		if (!peers_port(peers, clients->ports[i]))
			peers->ports[peers->n_ports++].port = clients->ports[i];
}

void clients_set_ports(struct clients *clients, const uint16_t *ports, size_t count)
{
	clients->ports = mem_resize(clients->ports, count + 1, sizeof(*ports));
	if (count)
		memcpy(clients->ports, ports, count * sizeof(*ports));
	clients->n_ports = count;
}

static void start(struct clients *clients)
{
	if (clients->retry_at && instant_monotonic() >= clients->retry_at) {
		clients->retry_at = 0;
		worker_free(clients->scan->worker);
		renew_scan(clients);
	}
	struct scan *scan = clients->scan;
	scan->peers = peers_new();
	scan->peers->target = clients->target;
	list_ports(clients, scan->peers);
	scan->fresh = clients->fresh;
	scan->search = clients->search || clients->fresh;
	clients->asked = clients->fresh = clients->search = false;
	watch_over(clients);
	worker_start(scan->worker);
}

void clients_scan(struct clients *clients, const struct peers_target *target, bool fresh)
{
	clients->target = *target;
	clients->fresh |= fresh;
	clients->asked = true;
	if (!worker_is_busy(clients->scan->worker))
		start(clients);
}

void clients_search_networks(struct clients *clients)
{
	clients->search = true;
}

void clients_free(struct clients *clients)
{
	if (!clients)
		return;
	handle_close(clients->watchdog);
	worker_free(clients->scan->worker);
	for (size_t i = 0; i < clients->n_stuck; i++)
		worker_free(clients->stuck[i].scan->worker);
	peers_unref(clients->latest);
	procfs_free(clients->procfs);
	free(clients->proc_root);
	free(clients->ports);
	free(clients);
}

const struct peers *clients_latest(const struct clients *clients)
{
	return clients->latest;
}

int64_t clients_busy_for(const struct clients *clients)
{
	return worker_busy_for(clients->scan->worker);
}

const char *clients_trouble(const struct clients *clients)
{
	return clients->error[0] ? clients->error : NULL;
}

unsigned clients_walks(const struct clients *clients)
{
	return clients->scans_before + clients->scans;
}
