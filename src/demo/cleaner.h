/* A process that works when we have ended, even if we are killed. */
#ifndef DEMO_CLEANER_H
#define DEMO_CLEANER_H

struct cleaner {
	int orders; /* our end of a pipe, which closes with us */
	int done;   /* reaches its end when the cleaner has ended */
};

/* Starts the process under this name, in a session of its own; it ignores the signals of a
 * terminal. Of our descriptors it keeps the other end of `orders` alone, as 0. It calls clean(),
 * which reads that to its end before it begins to clean. Returns 0 or a negative errno. */
int cleaner_start(const char *name, void (*clean)(const void *data), const void *data,
	struct cleaner *ret_cleaner) __attribute__((warn_unused_result));

/* Closes `orders` and waits until the cleaner has ended. */
void cleaner_finish(struct cleaner *cleaner);

#endif
