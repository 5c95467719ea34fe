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

static char *check_port(const char *port)
{
	return !port || is_port_list(port)
		? NULL
		: mem_printf("port: expected a number from 1 to 65535, found \"%s\"", port);
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
		if (strcmp(option->keyword, "port") == 0)
			wrong = check_port(option->val);
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
	CLEANUP(cleanup_free) char *error = check_port(options->port);
	int r = error ? -EINVAL : 0;
	if (error)
		fprintf(stderr, "dbtop: %s\n", error);
	if (r == 0 && configured)
		r = connect_conninfo(configured->conninfo, &params);
	take_option(&params, "host", options->host);
	take_option(&params, "port", options->port);
	take_option(&params, "user", options->user);
	if (r == 0 && server && !configured)
		r = take_database(&params, server);
	if (r == 0 && options->database)
		r = take_database(&params, options->database);
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
