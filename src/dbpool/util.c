/* Helpers for threads and time. */
#include "dbpool/util.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Blocks all signals in the thread: a signal for the application must not be handled in a thread
 * that the application does not know. */
int start_thread(pthread_t *ret_thread, const char *name, void *(*run)(void *), void *data)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int r = pthread_create(ret_thread, NULL, run, data);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r == 0)
		(void)pthread_setname_np(*ret_thread, name);
	return -r;
}

/* Cached, because a system call each time would double the cost of an acquisition. Not of the
 * initial-exec model, which saves 3 ns but needs static TLS: a program that loads the library with
 * dlopen() has little of it. */
static __thread int32_t kept;

int32_t thread_id(void)
{
	if (!kept)
		kept = (int32_t)syscall(SYS_gettid);
	return kept;
}

void thread_id_forget(void)
{
	kept = 0;
}

static int64_t read_clock(clockid_t clock)
{
	struct timespec ts;
	clock_gettime(clock, &ts);
	return ts.tv_sec * INT64_C(1000000) + ts.tv_nsec / 1000;
}

int64_t now_usec(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

int64_t now_coarse(void)
{
	return read_clock(CLOCK_MONOTONIC_COARSE);
}

int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

struct timespec to_timespec(int64_t usec)
{
	return (struct timespec){ .tv_sec = usec / 1000000, .tv_nsec = usec % 1000000 * 1000 };
}

void init_lock(pthread_mutex_t *mutex)
{
	pthread_mutexattr_t attributes;
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ADAPTIVE_NP);
	pthread_mutex_init(mutex, &attributes);
	pthread_mutexattr_destroy(&attributes);
}

void init_cond(pthread_cond_t *cond)
{
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attributes);
	pthread_condattr_destroy(&attributes);
}

void wait_until(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t until)
{
	struct timespec ts = to_timespec(until);
	if (until == INT64_MAX)
		pthread_cond_wait(cond, mutex);
	else
		pthread_cond_timedwait(cond, mutex, &ts);
}

const char *format_usec(int64_t usec, char text[static 24])
{
	long long ms = usec / 1000, seconds = ms / 1000;
	if (ms < 10000)
		snprintf(text, 24, "%lld.%01llds", seconds, ms % 1000 / 100);
	else if (seconds < 60)
		snprintf(text, 24, "%llds", seconds);
	else if (seconds < 3600)
		snprintf(text, 24, "%lldm%02llds", seconds / 60, seconds % 60);
	else
		snprintf(text, 24, "%lldh%02lldm", seconds / 3600, seconds / 60 % 60);
	return text;
}
