/* Parameters as a connection string. PQconnectStartParams() ignores an empty value and takes the
 * one of the environment or the service file; in a connection string an empty value counts. */
#ifndef SESSION_CONNINFO_H
#define SESSION_CONNINFO_H

#include <libpq-fe.h>

struct params;

/* Begins to connect with exactly these. May read files (the service file, the passfile), and looks
 * up a host that has no hostaddr: not for the loop's thread. NULL when out of memory; the attempt
 * may already have failed (PQstatus). Its errors are verbose, as failure_read() wants them; notices
 * are dropped. */
PGconn *conninfo_start(const struct params *params);

#endif
