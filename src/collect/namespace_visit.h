/* Runs a function in other network namespaces. setns(2) changes the thread that calls it, and a
 * thread that could not come back must run nothing else: it is started for this and ends with it.
 */
#ifndef COLLECT_NAMESPACE_VISIT_H
#define COLLECT_NAMESPACE_VISIT_H

#include <stdbool.h>
#include <stdint.h>

struct procfs;

/* Runs the function in a thread of its own and waits for its end. Without such a thread it is not
 * run. */
void namespace_visit(void *(*run)(void *data), void *data);

/* Moves the thread of namespace_visit() into the network namespace with this inode, by a descriptor
 * of /proc/PID of a process in it. False, with the thread in any namespace, if that is not allowed
 * (it needs CAP_SYS_ADMIN), or if the process is in another one by now. */
bool namespace_visit_enter(const struct procfs *procfs, int process, uint64_t id);

#endif
