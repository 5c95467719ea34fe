#include "session/hosts.h"

#include <errno.h>
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "session/conninfo.h"
#include "session/params.h"

/* No value of libpq's. */
#define NO_VALUE "dbtop"

/* libpq reads the service file only when it opens a connection. With a value that it refuses for
 * this keyword it reads all and connects to nothing; the other values are what it would use. */
static char *read_all_but(const char *keyword, const struct params *wanted, struct params *ret_all)
{
	struct params asked = { 0 };
	params_lay_over(&asked, wanted);
	params_set(&asked, keyword, NO_VALUE);
	PGconn *conn = conninfo_start(&asked);
	PQconninfoOption *options = conn ? PQconninfo(conn) : NULL;
	char *error = NULL;
	params_clear(&asked);
	if (!options) {
		PQfinish(conn);
		return mem_strdup("out of memory");
	}
	struct params all = { 0 };
	for (const PQconninfoOption *option = options; option->keyword; option++)
		if (option->val)
			params_set(&all, option->keyword, option->val);
	const char *refused = params_get(&all, keyword);
	if (!refused || strcmp(refused, NO_VALUE) != 0)
		error = mem_strdup(PQerrorMessage(conn));
	else
		params_lay_over(ret_all, &all);
	params_clear(&all);
	PQconninfoFree(options);
	PQfinish(conn);
	return error;
}

char *hosts_settle(const struct params *wanted, struct params *ret_all)
{
	struct params all = { 0 }, rest = { 0 };
	char *error = read_all_but("sslmode", wanted, &all);
	if (!error)
		error = read_all_but("target_session_attrs", wanted, &rest);
	if (!error) {
		params_set(&all, "sslmode", params_get(&rest, "sslmode"));
		params_lay_over(ret_all, &all);
	}
	params_clear(&all);
	params_clear(&rest);
	return error;
}

static size_t count_items(const char *list)
{
	size_t count = list && *list ? 1 : 0;
	for (const char *c = list; count && *c; c++)
		count += *c == ',';
	return count;
}

/* The i-th of a list; of one that is shorter its only one, and "" of none. */
static char *copy_item(const char *list, size_t i)
{
	size_t count = count_items(list);
	if (!count)
		return mem_strdup("");
	for (size_t skipped = 0; skipped < i && count > 1; skipped++)
		list = strchr(list, ',') + 1;
	return mem_printf("%.*s", (int)strcspn(list, ","), list);
}

int hosts_cut(const struct params *all, struct host **ret_hosts, size_t *ret_count)
{
	const char *names = params_get(all, "host"), *addresses = params_get(all, "hostaddr");
	const char *ports = params_get(all, "port");
	size_t n_names = count_items(names), n_addresses = count_items(addresses);
	size_t n_ports = count_items(ports);
	size_t count = n_addresses ? n_addresses : n_names ? n_names : 1;
	if ((n_names && n_names != count) || (n_ports > 1 && n_ports != count))
		return -EINVAL;
	struct host *hosts = mem_alloc(count * sizeof(*hosts));
	for (size_t i = 0; i < count; i++)
		hosts[i] = (struct host){
			.name = copy_item(names, i),
			.address = copy_item(addresses, i),
			.port = copy_item(ports, i),
		};
	*ret_hosts = hosts;
	*ret_count = count;
	return 0;
}

void hosts_free(struct host *hosts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(hosts[i].name);
		free(hosts[i].address);
		free(hosts[i].port);
	}
	free(hosts);
}

bool host_is_name(const struct host *host)
{
	return !*host->address && *host->name && *host->name != '/' && *host->name != '@';
}
