/* Accepts the same ways to name a server as psql. */
#include "modes/connect.h"

#include <errno.h>
#include <libpq-fe.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "config/config.h"
#include "model/assessment.h"
#include "modes/options.h"
#include "session/hosts.h"
#include "session/params.h"
#include "session/session.h"

static bool is_conninfo(const char *text)
{
	return strncmp(text, "postgresql://", 13) == 0 || strncmp(text, "postgres://", 11) == 0 ||
		strchr(text, '=') != NULL;
}

/* A list of ports, as libpq takes it: an empty one is the default. */
static bool is_port_list(const char *text)
{
	for (char *end; *text; text = end + (*end == ',')) {
		long port = strtol(text, &end, 10);
		end += strspn(end, " ");
		if ((end != text && (port < 1 || port > UINT16_MAX)) || !strchr(",", *end))
			return false;
	}
	return true;
}

/* As libpq reads a number; an empty one is the default. */
static bool is_number(const char *text)
{
	char *end;
	errno = 0;
	(void)strtol(text, &end, 10);
	return !*text || (end != text && !errno && !end[strspn(end, " \t\n")]);
}

/* What libpq would report only with the first attempt, as if the server had answered. */
static const struct checked {
	const char *keyword, *variable;
	bool (*is_right)(const char *text);
	const char *expected;
} checks[] = {
	{ "port", "PGPORT", is_port_list, "a number from 1 to 65535" },
	{ "connect_timeout", "PGCONNECT_TIMEOUT", is_number, "a number of seconds" },
};
#define N_CHECKS (sizeof(checks) / sizeof(checks[0]))

/* NULL if the value is right, or not known. `origin` is an option, a keyword or a variable. */
static char *check_value(const struct checked *check, const char *origin, const char *value)
{
	return !value || check->is_right(value)
		? NULL
		: mem_printf("%s: expected %s, found \"%s\"", origin, check->expected, value);
}

/* The values of the environment, and the lengths of the lists. A service may replace the variables;
 * its file is read with each attempt. */
static char *check_environment(const struct params *params)
{
	static const char *const lists[][2] = { { "host", "PGHOST" }, { "hostaddr", "PGHOSTADDR" },
		{ "port", "PGPORT" } };
	if (params_get(params, "service") || getenv("PGSERVICE"))
		return NULL;
	char *error = NULL;
	for (size_t i = 0; !error && i < N_CHECKS; i++)
		if (!params_get(params, checks[i].keyword))
			error = check_value(
				&checks[i], checks[i].variable, getenv(checks[i].variable));
	struct params named = { 0 };
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		const char *value = params_get(params, lists[i][0]);
		value = value ? value : getenv(lists[i][1]);
		if (value)
			params_set(&named, lists[i][0], value);
	}
	struct host *hosts = NULL;
	size_t count = 0;
	if (!error && hosts_cut(&named, &hosts, &count) < 0)
		error = mem_strdup("host, hostaddr and port are lists of different lengths: give "
				   "one port, or one for each host");
	hosts_free(hosts, count);
	params_clear(&named);
	return error;
}

int connect_read(const char *conninfo, struct params *params, char **ret_error)
{
	char *error = NULL;
	PQconninfoOption *parsed = PQconninfoParse(conninfo, &error);
	if (!parsed) {
		/* libpq's message ends with a line break and contains no secret */
		int length = error ? (int)strcspn(error, "\n") : 0;
		*ret_error = mem_printf("%.*s", length, error ? error : "");
		PQfreemem(error);
		return -EINVAL;
	}
	char *wrong = NULL;
	for (const PQconninfoOption *option = parsed; option->keyword; option++)
		for (size_t i = 0; !wrong && i < N_CHECKS; i++)
			if (strcmp(option->keyword, checks[i].keyword) == 0)
				wrong = check_value(&checks[i], option->keyword, option->val);
	for (const PQconninfoOption *option = parsed; !wrong && option->keyword; option++)
		if (option->val)
			params_set(params, option->keyword, option->val);
	PQconninfoFree(parsed);
	if (!wrong)
		return 0;
	*ret_error = wrong;
	return -EINVAL;
}

int connect_conninfo(const char *conninfo, struct params *params)
{
	CLEANUP(cleanup_free) char *error = NULL;
	int r = connect_read(conninfo, params, &error);
	if (r < 0)
		fprintf(stderr, "dbtop: %s\n", error);
	return r;
}

/* Writes keyword=value, quoted where that is needed. */
static void put_pair(FILE *file, const PQconninfoOption *option)
{
	bool plain = *option->val && !strpbrk(option->val, " \t\n\r\f\v'\\");
	fprintf(file, "%s%s=%s", ftell(file) > 0 ? " " : "", option->keyword, plain ? "" : "'");
	for (const char *c = option->val; *c; c++)
		fprintf(file, *c == '\'' || *c == '\\' ? "\\%c" : "%c", *c);
	fputs(plain ? "" : "'", file);
}

/* libpq marks the options whose values are secret. */
char *connect_without_password(const char *text)
{
	if (!is_conninfo(text))
		return mem_strdup(text);
	PQconninfoOption *parsed = PQconninfoParse(text, NULL);
	char *cleaned = NULL;
	size_t size;
	FILE *file = parsed ? open_memstream(&cleaned, &size) : NULL;
	bool secret = false;
	for (const PQconninfoOption *option = parsed; file && option->keyword; option++) {
		bool is_secret = option->dispchar[0] == '*';
		secret |= is_secret && option->val;
		if (option->val && !is_secret)
			put_pair(file, option);
	}
	if (file)
		fclose(file);
	PQconninfoFree(parsed);
	if (secret || !file)
		return cleaned;
	free(cleaned);
	return mem_strdup(text);
}

/* Takes a connection string or a database's name. An empty text means that none is given, as in
 * psql: then PGDATABASE is used. */
static int take_database(struct params *params, const char *text)
{
	if (is_conninfo(text))
		return connect_conninfo(text, params);
	if (*text)
		params_set(params, "dbname", text);
	return 0;
}

const struct config_database *connect_configured(const struct config *config, const char *name)
{
	for (size_t i = 0; name && i < config->databases.count; i++)
		if (strcmp(config->databases.items[i].name, name) == 0)
			return &config->databases.items[i];
	return NULL;
}

static void take_option(struct params *params, const char *keyword, const char *value)
{
	if (value && *value)
		params_set(params, keyword, value);
}

/* As in psql, a connection string overrides -h, -p and -U. These override the configuration. */
int connect_params(const struct options *options, const struct config *config, const char *server,
	struct params *ret_params)
{
	struct params params = { 0 };
	const struct config_database *configured = connect_configured(config, server);
	CLEANUP(cleanup_free) char *error = check_value(&checks[0], "-p", options->port);
	int r = error ? -EINVAL : 0;
	if (r == 0 && configured)
		r = connect_conninfo(configured->conninfo, &params);
	take_option(&params, "host", options->host);
	take_option(&params, "port", options->port);
	take_option(&params, "user", options->user);
	if (r == 0 && server && !configured)
		r = take_database(&params, server);
	if (r == 0 && options->database)
		r = take_database(&params, options->database);
	if (r == 0 && (error = check_environment(&params)))
		r = -EINVAL;
	if (error)
		fprintf(stderr, "dbtop: %s\n", error);
	if (r < 0)
		params_clear(&params);
	else
		*ret_params = params;
	return r;
}

bool connect_is_under_way(const struct session *session)
{
	return session_state(session)->status == SERVER_CONNECTING && session_is_trying(session);
}
