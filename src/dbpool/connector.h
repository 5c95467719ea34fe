/* The thread that opens and closes connections. */
#ifndef DBPOOL_CONNECTOR_H
#define DBPOOL_CONNECTOR_H

void *connector_run(void *pool);

#endif
