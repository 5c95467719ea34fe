/* What libpq would connect with, cut into single hosts: so that each address gets a time limit of
 * its own, and names are looked up where that holds nobody up. */
#ifndef SESSION_HOSTS_H
#define SESSION_HOSTS_H

#include <stdbool.h>
#include <stddef.h>

struct params;

/* Adds the environment, the service file and libpq's own defaults to what is wanted, as libpq does.
 * Reads files: not for the loop's thread. Returns NULL, or why it cannot be done, which the caller
 * frees; then ret_all is untouched. The caller clears it. */
char *hosts_settle(const struct params *wanted, struct params *ret_all);

/* One of the hosts; "" where nothing is said. */
struct host {
	char *name;    /* a name, an address or a socket's folder */
	char *address; /* hostaddr: not to be looked up */
	char *port;
};

/* Cuts host, hostaddr and port, which may be lists. Returns 0, or -EINVAL when they do not match:
 * libpq has the words for that. The caller frees the list. */
int hosts_cut(const struct params *all, struct host **ret_hosts, size_t *ret_count)
	__attribute__((warn_unused_result));

/* NULL is allowed. */
void hosts_free(struct host *hosts, size_t count);

/* Whether it has to be looked up: neither an address nor a socket's folder nor an abstract socket.
 */
bool host_is_name(const struct host *host);

#endif
