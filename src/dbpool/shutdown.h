/* The shutdown, step by step. */
#ifndef DBPOOL_SHUTDOWN_H
#define DBPOOL_SHUTDOWN_H

struct dbpool;

/* Runs in the housekeeper's thread. */
void shutdown_run(struct dbpool *pool);

#endif
