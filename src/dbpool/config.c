/* Settings: defaults, limits, and the comparison of two configurations. */
#include "dbpool/config.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dbpool/error.h"

struct setting {
	const char *name;
	size_t offset; /* of an int in struct dbpool_config */
	int standard, least, most;
};

#define SETTING(name, standard, least, most)                                                       \
	{                                                                                          \
#name, offsetof(struct dbpool_config, name), standard, least, most                 \
	}

/* DBPOOL_OFF is allowed where it is the minimum. */
static const struct setting settings[] = {
	SETTING(min, 1, DBPOOL_OFF, DBPOOL_MAX),
	SETTING(max, 3, 1, DBPOOL_MAX),
	SETTING(acquire_timeout_ms, 5000, DBPOOL_OFF, INT_MAX),
	SETTING(connect_timeout_ms, 5000, 1, INT_MAX),
	SETTING(idle_lifetime_ms, 300000, DBPOOL_OFF, INT_MAX),
	SETTING(max_lifetime_ms, 1800000, DBPOOL_OFF, INT_MAX),
	SETTING(max_uses, 10000, DBPOOL_OFF, INT_MAX),
	SETTING(validate_after_ms, 1000, DBPOOL_OFF, INT_MAX),
	SETTING(held_ms, 60000, DBPOOL_OFF, INT_MAX),
	SETTING(reclaim_ms, DBPOOL_OFF, DBPOOL_OFF, INT_MAX),
	SETTING(check_interval_ms, 1000, DBPOOL_OFF, INT_MAX),
	SETTING(idle_in_transaction_ms, 300000, DBPOOL_OFF, INT_MAX),
	SETTING(shutdown_ms, 10000, 1, INT_MAX),
	SETTING(drain_ms, 3000, DBPOOL_OFF, INT_MAX),
	SETTING(lazy, 0, 0, 1),
	SETTING(no_signals, 0, 0, 1),
	SETTING(no_exit, 0, 0, 1),
	SETTING(no_predecessors, 0, 0, 1),
	SETTING(no_page, 0, 0, 1),
	SETTING(no_log, 0, 0, 1),
	SETTING(log_borrowing, 0, 0, 1),
};

#define N_SETTINGS (sizeof(settings) / sizeof(settings[0]))

static int *value_of(struct dbpool_config *config, const struct setting *setting)
{
	return (int *)(void *)((char *)config + setting->offset);
}

static int fill_in(struct dbpool_config *config)
{
	for (size_t i = 0; i < N_SETTINGS; i++) {
		const struct setting *setting = &settings[i];
		int *value = value_of(config, setting);
		if (*value == 0)
			*value = setting->standard;
		if (*value < setting->least || *value > setting->most)
			return fail(-EINVAL, "%s is %d: it must be %d to %d%s", setting->name,
				*value, setting->least == DBPOOL_OFF ? 1 : setting->least,
				setting->most, setting->least == DBPOOL_OFF ? ", or off" : "");
	}
	if (config->min > config->max)
		return fail(-EINVAL, "min is %d, but max is %d: min must not be larger",
			config->min, config->max);
	if ((unsigned)config->reset > DBPOOL_RESET_NEVER)
		return fail(-EINVAL, "reset is %d: it must be a value of enum dbpool_reset",
			(int)config->reset);
	return 0;
}

static int64_t usec(int ms)
{
	return ms == DBPOOL_OFF ? INT64_MAX : ms * INT64_C(1000);
}

static void convert(struct pool_config *config)
{
	const struct dbpool_config *raw = &config->raw;
	config->min = raw->min == DBPOOL_OFF ? 0 : (unsigned)raw->min;
	config->max = (unsigned)raw->max;
	config->acquire_timeout = usec(raw->acquire_timeout_ms);
	config->connect_timeout = usec(raw->connect_timeout_ms);
	config->idle_lifetime = usec(raw->idle_lifetime_ms);
	config->max_lifetime = usec(raw->max_lifetime_ms);
	config->validate_after = usec(raw->validate_after_ms);
	config->held = usec(raw->held_ms);
	config->reclaim = usec(raw->reclaim_ms);
	config->shutdown = usec(raw->shutdown_ms);
	config->drain = raw->drain_ms == DBPOOL_OFF ? 0 : usec(raw->drain_ms);
	config->check_interval = usec(raw->check_interval_ms);
	config->idle_in_transaction = usec(raw->idle_in_transaction_ms);
	config->max_uses = raw->max_uses == DBPOOL_OFF ? UINT_MAX : (unsigned)raw->max_uses;
}

/* libpq's rule: a text with an equals sign or a URI's scheme is a connection string, any other text
 * is a database name. */
static bool is_conninfo(const char *text)
{
	return strchr(text, '=') || strncmp(text, "postgres://", 11) == 0 ||
		strncmp(text, "postgresql://", 13) == 0;
}

static void take_option(const PQconninfoOption *options, const char *keyword, const char **value)
{
	for (const PQconninfoOption *option = options; option && option->keyword; option++)
		if (option->val && *option->val && strcmp(option->keyword, keyword) == 0)
			*value = option->val;
}

/* A connection string may contain a password. */
static void wipe(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
}

void config_free_options(PQconninfoOption *options)
{
	for (PQconninfoOption *option = options; option && option->keyword; option++)
		wipe(option->val);
	PQconninfoFree(options);
}

/* Makes "host:port/database", almost as libpq resolves it: a service file named in conninfo is not
 * read. */
static int name_server(struct pool_config *config)
{
	const char *host = "local", *port = "5432", *user = "", *database = "";
	char *error = NULL;
	PQconninfoOption *given = NULL, *standard = PQconndefaults();
	if (is_conninfo(config->conninfo)) {
		given = PQconninfoParse(config->conninfo, &error);
		if (!given) {
			int r = error
				? fail(-EINVAL, "conninfo: %.*s", (int)strcspn(error, "\n"), error)
				: -ENOMEM;
			PQfreemem(error);
			config_free_options(standard);
			return r;
		}
	} else if (config->conninfo[0]) {
		database = config->conninfo;
	}
	const PQconninfoOption *const sources[] = { standard, given };
	for (int i = 0; i < 2; i++) {
		take_option(sources[i], "host", &host);
		take_option(sources[i], "hostaddr", &host);
		take_option(sources[i], "port", &port);
		take_option(sources[i], "user", &user);
		if (i == 1 || !*config->conninfo || is_conninfo(config->conninfo))
			take_option(sources[i], "dbname", &database);
	}
	int n = asprintf(&config->server, "%s:%s/%s", host, port, *database ? database : user);
	config_free_options(standard);
	config_free_options(given);
	if (n < 0)
		config->server = NULL;
	return n < 0 ? -ENOMEM : 0;
}

static int copy_strings(struct pool_config *config)
{
	const struct dbpool_config *raw = &config->raw;
	const char *name = raw->name && *raw->name ? raw->name : program_invocation_short_name;
	config->conninfo = strdup(raw->conninfo ? raw->conninfo : "");
	config->name = strdup(name);
	config->page_folder = raw->page_folder ? strdup(raw->page_folder) : NULL;
	if (!config->conninfo || !config->name || (raw->page_folder && !config->page_folder))
		return fail(-ENOMEM, "out of memory");
	config->raw.conninfo = config->conninfo;
	config->raw.name = config->name;
	config->raw.page_folder = config->page_folder;
	return 0;
}

int config_take(const struct dbpool_config *given, struct pool_config *ret_config)
{
	struct pool_config config = { 0 };
	if (!given || given->size < offsetof(struct dbpool_config, min))
		return fail(-EINVAL, "size is not set: it must be sizeof(struct dbpool_config)");
	/* the struct of a program compiled with an older header is shorter: missing settings get
	 * their default */
	memcpy(&config.raw, given,
		given->size < sizeof(config.raw) ? given->size : sizeof(config.raw));
	config.raw.size = sizeof(config.raw);
	config.connect_timeout_given = config.raw.connect_timeout_ms != 0;
	int r = fill_in(&config.raw);
	if (r < 0)
		return r;
	convert(&config);
	r = copy_strings(&config);
	if (r == 0)
		r = name_server(&config);
	if (r < 0) {
		config_clear(&config);
		return r;
	}
	*ret_config = config;
	return 0;
}

void config_clear(struct pool_config *config)
{
	wipe(config->conninfo);
	free(config->conninfo);
	free(config->name);
	free(config->page_folder);
	free(config->server);
	*config = (struct pool_config){ 0 };
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

const char *config_difference(const struct pool_config *a, const struct pool_config *b)
{
	struct dbpool_config first = a->raw, second = b->raw;
	if (!same_text(a->conninfo, b->conninfo))
		return "conninfo";
	if (!same_text(a->name, b->name))
		return "name";
	for (size_t i = 0; i < N_SETTINGS; i++)
		if (*value_of(&first, &settings[i]) != *value_of(&second, &settings[i]))
			return settings[i].name;
	if (first.reset != second.reset)
		return "reset";
	if (!same_text(a->page_folder, b->page_folder))
		return "page_folder";
	if (first.log != second.log || first.log_data != second.log_data)
		return "log";
	return NULL;
}
