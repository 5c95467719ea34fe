/* Makes libpq's connection parameters from the command line and the config file. */
#ifndef MODES_CONNECT_H
#define MODES_CONNECT_H

#include <stdbool.h>

struct config;
struct config_database;
struct options;
struct params;
struct session;

/* `server`, an operand, and the argument of -d may be a URI, key=value pairs, the name of one of
 * the config file's databases, or else a database's name, as in psql; NULL: none. The options -h -p
 * -U -d override it. Returns 0, or −EINVAL after one line on stderr. The caller clears the
 * parameters.
 */
int connect_params(const struct options *options, const struct config *config, const char *server,
	struct params *ret_params) __attribute__((warn_unused_result));

/* The configured database of that name; NULL if there is none. */
const struct config_database *connect_configured(const struct config *config, const char *name);

/* Reads one conninfo, URI or pairs, and overrides the list with it. Returns 0, or −EINVAL after one
 * line on stderr. */
int connect_conninfo(const char *conninfo, struct params *params)
	__attribute__((warn_unused_result));

/* The same, and prints nothing: *ret_error, which the caller frees, says what is wrong. */
int connect_read(const char *conninfo, struct params *params, char **ret_error)
	__attribute__((warn_unused_result));

/* A copy of a connection string without its passwords, and of any other name as it is; NULL if it
 * cannot be read. */
char *connect_without_password(const char *text);

/* True while an address of the server is being tried for the first time. connect_timeout limits how
 * long that takes. */
bool connect_is_under_way(const struct session *session);

#endif
