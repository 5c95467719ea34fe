/* The demo's application on libdbpool. A library of its own: only dbtop itself links it, so that
 * the tests of libdbpool have one libdbpool in their programs. */
#ifndef DEMO_DEMO_POOL_H
#define DEMO_DEMO_POOL_H

/* Borrows one connection and forgets it, and goes on with the others of its pool. `pages` is the
 * folder of the stats page; report_ready is called when the connection is forgotten. Runs until it
 * is killed; returns an exit status when the pool is shut down. */
int demo_pool_main(const char *conninfo, const char *pages, void (*report_ready)(void));

#endif
