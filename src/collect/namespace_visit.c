#include "collect/namespace_visit.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "proc/procfs.h"

/* Faults stay unblocked: their handler, which restores the terminal, must run in the thread of the
 * fault. */
void namespace_visit(void *(*run)(void *data), void *data)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
	sigset_t blocked, before;
	pthread_t thread;
	sigfillset(&blocked);
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		sigdelset(&blocked, faults[i]);
	pthread_sigmask(SIG_SETMASK, &blocked, &before);
	int error = pthread_create(&thread, NULL, run, data);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error == 0)
		pthread_join(thread, NULL);
}

bool namespace_visit_enter(const struct procfs *procfs, int process, uint64_t id)
{
	CLEANUP(cleanup_fd) int fd = openat(process, "ns/net", O_RDONLY | O_CLOEXEC);
	return fd >= 0 && setns(fd, CLONE_NEWNET) == 0 &&
		procfs_namespace(procfs_root(procfs), "thread-self/ns/net") == id;
}
