#include "session/hosts.h"

#include <errno.h>
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "session/conninfo.h"
#include "session/params.h"

/* Not a valid value of sslmode or target_session_attrs. */
#define NO_VALUE "dbtop"

/* libpq ignores a password file that does not exist. */
#define NO_FILE "/dev/null/none"

struct pair {
	const char *keyword, *value;
};

/* Copies the values that are set, except those of the replaced keywords. */
static void copy_options(const PQconninfoOption *options, const struct pair replaced[static 2],
	struct params *ret_params)
{
	for (const PQconninfoOption *option = options; option->keyword; option++)
		if (option->val && strcmp(option->keyword, replaced[0].keyword) != 0 &&
			strcmp(option->keyword, replaced[1].keyword) != 0)
			params_set(ret_params, option->keyword, option->val);
}

static bool has_value(const PQconninfoOption *options, const struct pair *pair)
{
	for (const PQconninfoOption *option = options; option->keyword; option++)
		if (strcmp(option->keyword, pair->keyword) == 0)
			return option->val && strcmp(option->val, pair->value) == 0;
	return false;
}

/* Wipes the values first, which PQconninfoFree() does not. */
static void free_options(PQconninfoOption *options)
{
	for (PQconninfoOption *option = options; option->keyword; option++)
		if (option->val)
			explicit_bzero(option->val, strlen(option->val));
	PQconninfoFree(options);
}

/* libpq reads the service file only when it opens a connection. The first replaced keyword gets a
 * value that libpq refuses: it then reads everything and connects to nothing. Returns NULL with the
 * values of all keywords but the replaced ones, or the error, which the caller frees. */
static char *read_options(const struct params *wanted, const struct pair replaced[static 2],
	struct params *ret_params)
{
	struct params asked = { 0 };
	params_lay_over(&asked, wanted);
	for (int i = 0; i < 2; i++)
		params_set(&asked, replaced[i].keyword, replaced[i].value);
	PGconn *conn = conninfo_start(&asked);
	PQconninfoOption *options = conn ? PQconninfo(conn) : NULL;
	params_clear(&asked);
	if (!options) {
		PQfinish(conn);
		return mem_strdup("out of memory");
	}
	char *error = NULL;
	if (has_value(options, &replaced[0]))
		copy_options(options, replaced, ret_params);
	else
		error = mem_strdup(PQerrorMessage(conn));
	free_options(options);
	PQfinish(conn);
	return error;
}

static void copy_value(struct params *to, const struct params *from, const char *keyword)
{
	const char *value = params_get(from, keyword);
	if (value)
		params_set(to, keyword, value);
}

/* Each pass replaces two keywords; their values come from the other pass. Neither pass reads the
 * password file: libpq would warn on stderr about a file that others can read, on top of the
 * warning of the attempt itself. */
char *hosts_complete(const struct params *wanted, struct params *ret_all)
{
	static const struct pair first[] = { { "sslmode", NO_VALUE }, { "password", NO_VALUE } };
	static const struct pair second[] = { { "target_session_attrs", NO_VALUE },
		{ "passfile", NO_FILE } };
	struct params all = { 0 }, rest = { 0 };
	char *error = read_options(wanted, first, &all);
	if (!error)
		error = read_options(wanted, second, &rest);
	if (!error) {
		copy_value(&all, &rest, "sslmode");
		copy_value(&all, &rest, "password");
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

/* Returns the i-th item of a list, the only item of a list of one, or "" of an empty list. */
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
