/* The thread that checks the pool periodically and runs its shutdown. */
#ifndef DBPOOL_HOUSEKEEPER_H
#define DBPOOL_HOUSEKEEPER_H

void *housekeeper_run(void *pool);

#endif
