/* From the command line and the config file to what libpq connects with. */
#ifndef MODES_CONNECT_H
#define MODES_CONNECT_H

#include <stdbool.h>

struct config;
struct options;
struct params;
struct session;

/* CONNINFO may be a URI, key=value pairs, the name of one of the config file's databases, or else a
 * database's name, as in psql; so may -d. The options -h -p -U -d stand over it. Returns 0, or
 * −EINVAL after one line on stderr. The caller clears them. */
int connect_params(const struct options *options, const struct config *config,
	struct params *ret_params) __attribute__((warn_unused_result));

/* Reads one conninfo, URI or pairs, over the list. 0, or −EINVAL after one line on stderr. */
int connect_conninfo(const char *conninfo, struct params *params)
	__attribute__((warn_unused_result));

/* An address of the server is being tried, for the first time: connect_timeout says how long. */
bool connect_is_under_way(const struct session *session);

#endif
