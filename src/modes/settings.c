/* Config file, options, connection parameters. */
#include "modes/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "action/proxy_plan.h"
#include "base/arena.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "config/config.h"
#include "modes/app.h"
#include "modes/connect.h"

static int fail(struct app *app, int r, const struct config_error *error)
{
	fprintf(stderr, "dbtop: %s\n", error->text);
	snprintf(app->error, sizeof(app->error), "%s", error->text);
	return r;
}

static int load_file(struct app *app)
{
	const struct config_places places =
		config_places(app->arena, getenv("XDG_CONFIG_HOME"), getenv("HOME"));
	struct config_error error;
	if (config_find(app->arena, app->options.config, &places, &app->config_path) != 0) {
		app->config = config_defaults();
		return 0;
	}
	int r = config_load(app->config_path, &app->config, &error);
	return r < 0 ? fail(app, r, &error) : 0;
}

static int set_key(struct app *app, const char *key, const char *value, const char *origin)
{
	struct config_error error;
	int r = config_set(app->config, key, value, origin, &error);
	return r < 0 ? fail(app, r, &error) : 0;
}

/* Options that replace keys of the config file; their values are checked like those of the file. */
static int lay_options_over(struct app *app)
{
	const struct options *options = &app->options;
	const struct {
		const char *value, *key, *origin;
	} overs[] = {
		{ options->interval, "interval", "--interval" },
		{ options->theme, "theme", "--theme" },
		{ options->log, "log", "--log" },
		{ options->idle_limit, "leaks.idle", "--idle-limit" },
		{ options->transaction_limit, "leaks.transaction", "--transaction-limit" },
		{ options->held_limit, "leaks.held", "--held-limit" },
		{ options->pages, "pages", "--pages" },
		{ options->for_time, "guard.for", "--for" },
		{ options->readonly ? "true" : NULL, "readonly", "--readonly" },
	};
	int r = 0;
	for (size_t i = 0; r == 0 && i < sizeof(overs) / sizeof(overs[0]); i++)
		if (overs[i].value)
			r = set_key(app, overs[i].key, overs[i].value, overs[i].origin);
	for (size_t i = 0; r == 0 && i < options->pgbouncer.count; i++)
		r = set_key(app, "pgbouncer", options->pgbouncer.items[i], "--pgbouncer");
	for (size_t i = 0; r == 0 && i < options->host_agents.count; i++)
		r = set_key(app, "hosts", options->host_agents.items[i], "--host-agent");
	return r;
}

int settings_read(struct app *app)
{
	app->arena = arena_new();
	int r = load_file(app);
	if (r == 0)
		r = lay_options_over(app);
	if (r == 0 && app->check)
		r = app->check(app);
	if (r < 0)
		return r;
	app->rules = app->config->rules;
	app->rules.scope = app->scoped ? &app->scope : NULL;
	if (app->config->proxy.start.count)
		app->proxy_start = proxy_plan_command(
			app->arena, app->config->proxy.start.items, app->config->proxy.start.count);
	return 0;
}

static int refuse(struct app *app, char *text)
{
	struct config_error error;
	snprintf(error.text, sizeof(error.text), "%s", text);
	free(text);
	return fail(app, -EINVAL, &error);
}

static struct app_server *add_server(struct app *app)
{
	app->servers = mem_resize(app->servers, app->n_servers + 1, sizeof(*app->servers));
	app->servers[app->n_servers] = (struct app_server){ 0 };
	return &app->servers[app->n_servers++];
}

/* `operand` is NULL if there is none: then libpq's defaults count. */
static int read_server(struct app *app, const char *operand)
{
	const struct config_database *database = connect_configured(app->config, operand);
	for (size_t i = 0; database && i < app->n_servers; i++)
		if (app->servers[i].name && strcmp(app->servers[i].name, database->name) == 0)
			return refuse(app, mem_printf("\"%s\" is named twice", operand));
	struct app_server *server = add_server(app);
	server->name = database ? database->name : NULL;
	if (database && database->password_command.count)
		server->password_command = database->password_command.items;
	server->command = options_retype(&app->options, operand, connect_without_password);
	return connect_params(&app->options, app->config, operand, &server->params);
}

static int read_all_servers(struct app *app)
{
	const struct config_databases *databases = &app->config->databases;
	int r = 0;
	if (databases->count == 0)
		return refuse(app,
			app->config_path
				? mem_printf("--all: %s names no databases", app->config_path)
				: mem_strdup("--all: there is no configuration file, which "
					     "would name them: man dbtop-config"));
	for (size_t i = 0; r == 0 && i < databases->count; i++)
		r = read_server(app, databases->items[i].name);
	return r;
}

static int read_servers(struct app *app)
{
	const struct option_list *operands = &app->options.servers;
	int r = 0;
	if (app->options.all)
		r = read_all_servers(app);
	else if (operands->count == 0)
		r = read_server(app, NULL);
	for (size_t i = 0; r == 0 && i < operands->count; i++)
		r = read_server(app, operands->items[i]);
	if (r == 0 && app->n_servers > 1 && app->options.ask_password)
		r = refuse(app,
			mem_strdup("-W asks for the password of one server; several need "
				   "~/.pgpass or password_command"));
	return r;
}

void settings_read_no_server(struct app *app)
{
	(void)add_server(app);
}

int settings_read_servers(struct app *app)
{
	const struct config_list *list = &app->config->pgbouncer;
	app->consoles = mem_alloc((list->count + 1) * sizeof(*app->consoles));
	int r = read_servers(app);
	for (size_t i = 0; r == 0 && i < list->count; i++) {
		r = connect_conninfo(list->items[i], &app->consoles[i]);
		if (r == 0)
			app->n_consoles++;
	}
	return r;
}

void settings_release(struct app *app)
{
	for (size_t i = 0; i < app->n_servers; i++) {
		params_clear(&app->servers[i].params);
		free(app->servers[i].command);
	}
	free(app->servers);
	app->servers = NULL;
	app->n_servers = 0;
	for (size_t i = 0; i < app->n_consoles; i++)
		params_clear(&app->consoles[i]);
	free(app->consoles);
	app->consoles = NULL;
	app->n_consoles = 0;
	config_free(app->config);
	app->config = NULL;
	arena_free(app->arena);
	app->arena = NULL;
}

/* What settings_read() and settings_read_servers() set. */
static void take(struct app *to, const struct app *from)
{
	to->arena = from->arena;
	to->config_path = from->config_path;
	to->config = from->config;
	to->rules = from->rules;
	to->servers = from->servers;
	to->n_servers = from->n_servers;
	to->consoles = from->consoles;
	to->n_consoles = from->n_consoles;
	to->proxy_start = from->proxy_start;
}

int settings_read_again(struct app *app, struct app *ret_before)
{
	struct app next = { .options = app->options, .check = app->check };
	int r = settings_read(&next);
	if (r == 0)
		r = settings_read_servers(&next);
	snprintf(app->error, sizeof(app->error), "%s", next.error);
	if (r < 0) {
		settings_release(&next);
		return r;
	}
	if (app->scoped)
		next.rules.scope = &app->scope;
	take(ret_before, app);
	take(app, &next);
	return 0;
}

static bool same_params(const struct params *a, const struct params *b)
{
	bool same = a->count == b->count;
	for (int i = 0; same && i < a->count; i++)
		same = strcmp(a->keywords[i], b->keywords[i]) == 0 &&
			strcmp(a->values[i], b->values[i]) == 0;
	return same;
}

static bool same_list(const struct config_list *a, const struct config_list *b)
{
	bool same = a->count == b->count;
	for (size_t i = 0; same && i < a->count; i++)
		same = strcmp(a->items[i], b->items[i]) == 0;
	return same;
}

/* NULL is an empty one. */
static bool same_argv(const char *const *a, const char *const *b)
{
	for (; a && b && *a && *b; a++, b++)
		if (strcmp(*a, *b) != 0)
			return false;
	return (!a || !*a) && (!b || !*b);
}

static bool same_hosts(const struct config_hosts *a, const struct config_hosts *b)
{
	bool same = a->count == b->count;
	for (size_t i = 0; same && i < a->count; i++) {
		const struct config_host *x = &a->items[i], *y = &b->items[i];
		same = strcmp(x->name, y->name) == 0 && same_list(&x->command, &y->command) &&
			x->n_addresses == y->n_addresses;
		for (size_t k = 0; same && k < x->n_addresses; k++)
			same = endpoint_same_address(&x->addresses[k], &y->addresses[k]);
	}
	return same;
}

static bool same_proxy(const struct config_proxy *a, const struct config_proxy *b)
{
	return strcmp(a->process, b->process) == 0 && a->port == b->port &&
		strcmp(a->health, b->health) == 0 && a->autostart == b->autostart &&
		same_list(&a->start, &b->start);
}

static bool same_server(const struct app_server *a, const struct app_server *b)
{
	return strcmp(a->name ? a->name : "", b->name ? b->name : "") == 0 &&
		same_params(&a->params, &b->params) &&
		same_argv(a->password_command, b->password_command);
}

static bool is_read(const struct app *app, const char *name, const struct params *params)
{
	for (size_t i = 0; i < app->n_servers; i++) {
		const struct app_server *server = &app->servers[i];
		if (server->name ? strcmp(server->name, name) == 0
				 : same_params(&server->params, params))
			return true;
	}
	return false;
}

char *settings_add_databases(struct app *app)
{
	const struct config_databases *databases = &app->config->databases;
	struct options plain = app->options;
	plain.host = plain.port = plain.user = plain.database = NULL;
	char *error = NULL;
	for (size_t i = 0; i < databases->count; i++) {
		const struct config_database *database = &databases->items[i];
		const char *name = database->name;
		CLEANUP(cleanup_free) char *why = NULL;
		struct params params = { 0 };
		if (connect_read(database->conninfo, &params, &why) < 0) {
			free(error);
			error = mem_printf("%s: %s", name, why);
			continue;
		}
		if (is_read(app, name, &params)) {
			params_clear(&params);
			continue;
		}
		*add_server(app) = (struct app_server){
			.name = name,
			.params = params,
			.password_command = database->password_command.count
				? database->password_command.items
				: NULL,
			.command = options_retype(&plain, name, connect_without_password),
		};
	}
	return error;
}

bool settings_same_servers(const struct app *a, const struct app *b)
{
	bool same = a->n_servers == b->n_servers && a->n_consoles == b->n_consoles &&
		strcmp(a->config->pages, b->config->pages) == 0 &&
		same_proxy(&a->config->proxy, &b->config->proxy) &&
		same_hosts(&a->config->hosts, &b->config->hosts);
	for (size_t i = 0; same && i < a->n_servers; i++)
		same = same_server(&a->servers[i], &b->servers[i]);
	for (size_t i = 0; same && i < a->n_consoles; i++)
		same = same_params(&a->consoles[i], &b->consoles[i]);
	return same;
}
