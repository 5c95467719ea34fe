#include "collect/namespace_visit.h"

#include <fcntl.h>
#include <sched.h>

#include "base/cleanup.h"
#include "base/thread.h"
#include "proc/procfs.h"

void namespace_visit(void *(*run)(void *data), void *data)
{
	pthread_t thread;
	if (thread_start(&thread, run, data) == 0)
		pthread_join(thread, NULL);
}

bool namespace_visit_enter(const struct procfs *procfs, int process, uint64_t id)
{
	CLEANUP(cleanup_fd) int fd = openat(process, "ns/net", O_RDONLY | O_CLOEXEC);
	return fd >= 0 && setns(fd, CLONE_NEWNET) == 0 &&
		procfs_namespace(procfs_root(procfs), "thread-self/ns/net") == id;
}
