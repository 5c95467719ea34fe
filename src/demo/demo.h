/* A private server with a leaking application, for --demo. */
#ifndef DEMO_DEMO_H
#define DEMO_DEMO_H

#include "demo/private_server.h"

struct demo;

/* Removes libpq's variables (PG…) from the environment: they are meant for another server. */
void demo_drop_libpq_variables(void);

/* Starts both and waits until all processes work; takes about a second. Removes libpq's
 * variables first. Everything is removed by
 * demo_stop(), and also when dbtop ends in any other way. Returns 0, or a negative errno with one
 * line in error. */
int demo_start(struct demo **ret_demo, char error[static PRIVATE_SERVER_ERROR_MAX])
	__attribute__((warn_unused_result));

/* The folder of its application's stats pages. */
const char *demo_pages(const struct demo *demo);

/* NULL is allowed. */
void demo_stop(struct demo *demo);

const char *demo_conninfo(const struct demo *demo);

#endif
