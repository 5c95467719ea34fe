/* The parameters that libpq would use, split into single hosts, so that each address gets its own
 * time limit, and names are looked up in a thread that may block. */
#ifndef SESSION_HOSTS_H
#define SESSION_HOSTS_H

#include <stdbool.h>
#include <stddef.h>

struct params;

/* Adds the environment, the service file and libpq's own defaults to `wanted`, as libpq does. Reads
 * files, so it must not be called in the loop's thread. Returns NULL, or an error that the caller
 * frees; ret_all then does not change. The caller clears ret_all. */
char *hosts_complete(const struct params *wanted, struct params *ret_all);

/* One host; a value that is not set is "". */
struct host {
	char *name;    /* a name, an address or a socket's folder */
	char *address; /* hostaddr: needs no look-up */
	char *port;
};

/* Splits host, hostaddr and port, which may be lists. Returns 0, or -EINVAL when their lengths do
 * not match; libpq has the message for that. The caller frees the list. */
int hosts_cut(const struct params *all, struct host **ret_hosts, size_t *ret_count)
	__attribute__((warn_unused_result));

/* NULL is allowed. */
void hosts_free(struct host *hosts, size_t count);

/* True if the host must be looked up: it is no address, no socket's folder and no abstract
 * socket. */
bool host_is_name(const struct host *host);

#endif
