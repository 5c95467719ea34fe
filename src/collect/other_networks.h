/* The sockets in other network namespaces of this machine than ours.
 *
 * A namespace is known by the processes that live in it and that we may look into: root sees all, a
 * user those of his own processes (rootless containers). Its sockets are read from inside by
 * sock_diag, in a thread that is started for the scan and ends with it: setns(2) changes the thread
 * that calls it, and a thread that could not come back must run nothing else. That needs
 * CAP_SYS_ADMIN; without it they are read from /proc/PID/net, which costs twice as much and shows
 * no peers of Unix sockets.
 *
 * A namespace may translate addresses, too: that of a Kubernetes node in a container, for instance.
 * What the kernel tracks there is read first, because it shows at which ports there are clients.
 *
 * Each namespace costs a walk over the kernel's table. So they are listed only when a search is
 * requested, and one in which nothing of interest was found is not read again until then. No
 * descriptor of a namespace is kept: it would keep the namespace alive. */
#ifndef COLLECT_OTHER_NETWORKS_H
#define COLLECT_OTHER_NETWORKS_H

#include <stdbool.h>

struct other_networks;
struct peers;

/* Never NULL. Use it on one thread at a time. */
struct other_networks *other_networks_new(const char *proc_root) __attribute__((returns_nonnull));
/* NULL is allowed. */
void other_networks_free(struct other_networks *networks);

/* Fills in network_id, networks, searched_at and all_networks of the block, and adds to nat what
 * the others translate. Its target, dumped_at, and what our own namespace has must be set. `search`
 * looks for namespaces and reads them all; the first call always does. The sockets are those at one
 * of the server's ports. */
void other_networks_dump(struct other_networks *networks, bool search, struct peers *peers);

#endif
