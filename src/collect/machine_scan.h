/* What one scan reads of this machine: the kernel's sockets, and the processes that have them open.
 * It keeps from scan to scan what makes the next one cheap. */
#ifndef COLLECT_MACHINE_SCAN_H
#define COLLECT_MACHINE_SCAN_H

#include <stdbool.h>

struct machine_scan;
struct peers;
struct procfs;

struct machine_scan *machine_scan_new(const char *proc_root) __attribute__((returns_nonnull));

/* NULL is allowed. */
void machine_scan_free(struct machine_scan *scan);

/* Fills the block, whose target and ports are set. `fresh`: all owners are looked for again;
 * `search`: other network namespaces and translated connections, too. May block for as long as a
 * process hangs in the kernel. */
void machine_scan_read(struct machine_scan *scan, struct peers *peers, bool fresh, bool search);

/* Borrowed; see procfs_reads() for what another thread may ask it. */
struct procfs *machine_scan_procfs(const struct machine_scan *scan);

/* How often all processes were walked over. */
unsigned machine_scan_walks(const struct machine_scan *scan);

#endif
