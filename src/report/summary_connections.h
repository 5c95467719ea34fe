/* The connections of the report, below the processes at their other ends. */
#ifndef REPORT_SUMMARY_CONNECTIONS_H
#define REPORT_SUMMARY_CONNECTIONS_H

#include <stdbool.h>

struct assessment;
struct printer;

/* Prints each connection in scope that our role may see, and how many it may not. Without an answer
 * of the server: the processes that hold sockets to it. */
void summary_connections_put(
	struct printer *printer, const struct assessment *assessment, bool with_queries);

#endif
