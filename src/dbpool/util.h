/* Threads and time. */
#ifndef DBPOOL_UTIL_H
#define DBPOOL_UTIL_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

/* Starts a thread with all signals blocked. Returns 0 or a negative errno. */
int start_thread(pthread_t *ret_thread, const char *name, void *(*run)(void *), void *data);

/* The calling thread's id; cached. */
int32_t thread_id(void);
void thread_id_forget(void);

/* Microseconds of CLOCK_MONOTONIC. */
int64_t now_usec(void);
/* The same, some milliseconds late, but cheaper to read. */
int64_t now_coarse(void);
struct timespec to_timespec(int64_t usec);

/* The earlier of two instants. */
int64_t earlier(int64_t a, int64_t b);

/* Initializes a mutex that is held for less time than a thread needs to sleep and wake up: a thread
 * spins for a moment before it sleeps. */
void init_lock(pthread_mutex_t *mutex);

/* Initializes a condition variable whose deadlines are of CLOCK_MONOTONIC. */
void init_cond(pthread_cond_t *cond);

/* Waits on `cond` with the mutex held. `until` is monotonic; INT64_MAX: no limit. */
void wait_until(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t until);

/* Formats a length of time for people. */
const char *format_usec(int64_t usec, char text[static 24]);

#endif
