/* Passes parameters to libpq as a connection string. PQconnectStartParams() replaces an empty value
 * by that of the environment or the service file; a connection string keeps it. */
#ifndef SESSION_CONNINFO_H
#define SESSION_CONNINFO_H

#include <libpq-fe.h>

struct params;

/* Begins to connect with exactly these parameters. May read files (the service file, the passfile)
 * and look up a host that has no hostaddr, so it must not be called in the loop's thread. Returns
 * NULL when out of memory; the attempt may already have failed (PQstatus). Error messages are
 * verbose, as failure_read() needs them; notices are dropped. */
PGconn *conninfo_start(const struct params *params);

#endif
