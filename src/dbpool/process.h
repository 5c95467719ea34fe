/* What the whole process does: fork, exit, and signals that end it. */
#ifndef DBPOOL_PROCESS_H
#define DBPOOL_PROCESS_H

struct dbpool;

/* From then on fork(), exit() and, unless configured otherwise, signals act on the pool. Returns 0
 * or a negative errno. */
int process_join(struct dbpool *pool);
void process_leave(struct dbpool *pool);
/* Registers the exit handler once more, after OpenSSL, which the first connection initializes, has
 * registered its own. exit() calls the last registered handler first, so OpenSSL still works while
 * the pool closes its connections. */
void process_at_exit_again(void);
/* The number of calls of fork() so far. */
unsigned process_forks(void);

#endif
