/* Threads beside the loop's. */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>

/* Starts a thread that takes no signals: those sent to the process go to the main thread. Faults
 * stay unblocked: their handler, which restores the terminal, must run in the thread of the fault.
 * Returns 0 or a negative errno. */
int thread_start(pthread_t *thread, void *(*run)(void *data), void *data)
	__attribute__((warn_unused_result));

#endif
