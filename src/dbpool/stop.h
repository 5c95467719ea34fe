/* Asks for the shutdown, and waits for its end: see dbpool_shutdown(). */
#ifndef DBPOOL_STOP_H
#define DBPOOL_STOP_H

struct dbpool;

/* Asks the housekeeper to shut the pool down, and returns at once. */
void pool_request_end(struct dbpool *pool);

#endif
