/* Stores a key's value in its field, by the key's type. */
#include "config/field.h"

#include <string.h>

#include "base/arena.h"
#include "config/config_keys.h"
#include "config/document.h"
#include "config/theme.h"
#include "config/value.h"
#include "model/host_ends.h"

/* The field of a value, and its type. */
struct key_value {
	struct arena *arena;
	const struct config_key *key;
	void *field;
};

static int read_boolean(
	const struct key_value *value, const struct node *node, struct config_error *ret_error)
{
	return value_boolean(node, value->field, ret_error);
}

static int read_integer(
	const struct key_value *value, const struct node *node, struct config_error *ret_error)
{
	return value_integer(node, value->key->min, value->key->max, value->field, ret_error);
}

static int read_seconds(
	const struct key_value *value, const struct node *node, struct config_error *ret_error)
{
	return value_seconds(node, value->key->min, value->key->max, value->field, ret_error);
}

static int read_duration(
	const struct key_value *value, const struct node *node, struct config_error *ret_error)
{
	return value_duration(node, value->key->min, value->key->max, value->field, ret_error);
}

static int read_limit(
	const struct key_value *value, const struct node *node, struct config_error *ret_error)
{
	if (node->kind == NODE_TEXT && strcmp(node->text, "none") == 0) {
		*(int64_t *)value->field = RULES_NO_LIMIT;
		return 0;
	}
	return read_duration(value, node, ret_error);
}

static int read_certainty(
	const struct key_value *value, const struct node *node, struct config_error *ret_error)
{
	for (int i = CERTAINTY_PRESUMED; node->kind == NODE_TEXT && i < CERTAINTY_COUNT; i++) {
		if (strcmp(node->text, certainty_name((enum certainty)i)) == 0) {
			*(enum certainty *)value->field = (enum certainty)i;
			return 0;
		}
	}
	return value_unexpected(node, "proven, declared or presumed", ret_error);
}

static int read_text(
	const struct key_value *value, const struct node *node, struct config_error *ret_error)
{
	return value_text(node, value->field, ret_error);
}

static int read_theme(
	const struct key_value *value, const struct node *node, struct config_error *ret_error)
{
	if (node->kind != NODE_TEXT || !theme_name_is_valid(node->text))
		return value_unexpected(node, "a theme's name", ret_error);
	return value_text(node, value->field, ret_error);
}

static int read_url(
	const struct key_value *value, const struct node *node, struct config_error *ret_error)
{
	const char *text;
	int r = value_text(node, &text, ret_error);
	if (r < 0)
		return r;
	/* The value is not shown in the error: it may contain a password. */
	if (*text && strncmp(text, "http://", 7) != 0 && strncmp(text, "https://", 8) != 0)
		return document_error(
			node, ret_error, "expected \"\", or a URL with http:// or https://");
	*(const char **)value->field = text;
	return 0;
}

static int read_list(
	const struct key_value *value, const struct node *node, struct config_error *ret_error)
{
	struct config_list *list = value->field;
	return value_list(value->arena, node, &list->items, &list->count, ret_error);
}

static int read_patterns(
	const struct key_value *value, const struct node *node, struct config_error *ret_error)
{
	struct patterns *patterns = value->field;
	return value_list(value->arena, node, &patterns->items, &patterns->count, ret_error);
}

static int read_conninfo(
	const struct node *node, const char **ret_conninfo, struct config_error *ret_error)
{
	int r = value_text(node, ret_conninfo, ret_error);
	if (r == 0 && !**ret_conninfo)
		return document_error(node, ret_error, "expected a conninfo, found \"\"");
	return r;
}

/* {conninfo, password_command} */
static int read_database_keys(struct arena *arena, const struct node *node,
	struct config_database *database, struct config_error *ret_error)
{
	struct config_list *command = &database->password_command;
	int r = 0;
	for (const struct node *key = node->first; r == 0 && key; key = key->next) {
		if (strcmp(key->key, "conninfo") == 0)
			r = read_conninfo(key, &database->conninfo, ret_error);
		else if (strcmp(key->key, "password_command") == 0)
			r = value_list(arena, key, &command->items, &command->count, ret_error);
		else
			r = document_error(key, ret_error,
				"unknown key; expected conninfo or password_command");
	}
	if (r == 0 && !database->conninfo)
		r = document_error(node, ret_error, "there is no conninfo");
	return r;
}

/* On the command line CONNINFO may be the name of a configured database. A name that looks like a
 * conninfo could not be selected, so it is refused. */
static int read_database(struct arena *arena, const struct node *node,
	struct config_database *ret_database, struct config_error *ret_error)
{
	struct config_database database = { .name = node->key };
	if (strchr(node->key, '=') || strstr(node->key, "://"))
		return document_error(node, ret_error, "expected a name, not a conninfo");
	int r = node->kind == NODE_MAP ? read_database_keys(arena, node, &database, ret_error)
				       : read_conninfo(node, &database.conninfo, ret_error);
	if (r == 0)
		*ret_database = database;
	return r;
}

static int read_databases(
	const struct key_value *value, const struct node *node, struct config_error *ret_error)
{
	if (node->kind != NODE_MAP && node->kind != NODE_NOTHING)
		return document_error(node, ret_error, "expected lines of the form NAME: CONNINFO");
	size_t count = 0;
	for (const struct node *entry = node->first; entry; entry = entry->next)
		count++;
	struct config_database *items = arena_array(value->arena, count + 1, sizeof(*items));
	struct config_database *item = items;
	for (const struct node *entry = node->first; entry; entry = entry->next) {
		int r = read_database(value->arena, entry, item++, ret_error);
		if (r < 0)
			return r;
	}
	*(struct config_databases *)value->field =
		(struct config_databases){ .items = items, .count = count };
	return 0;
}

/* ssh would read a name that begins with - as an option. */
static int read_host_name(
	const struct node *node, const char **ret_name, struct config_error *ret_error)
{
	const char *name;
	int r = value_text(node, &name, ret_error);
	if (r < 0)
		return r;
	if (!*name || *name == '-' || strchr(name, ' '))
		return value_unexpected(node, "a host as ssh takes it", ret_error);
	*ret_name = name;
	return 0;
}

static int read_addresses(struct arena *arena, const struct node *node, struct config_host *host,
	struct config_error *ret_error)
{
	struct config_list texts;
	int r = value_list(arena, node, &texts.items, &texts.count, ret_error);
	if (r < 0)
		return r;
	struct endpoint *addresses = arena_array(arena, texts.count, sizeof(*addresses));
	const struct node *item = node->first;
	for (size_t i = 0; i < texts.count; i++, item = item->next)
		if (!endpoint_parse(texts.items[i], &addresses[i]) || addresses[i].port ||
			endpoint_is_loopback(&addresses[i]))
			return value_unexpected(
				item, "an IP address that is not a loopback address", ret_error);
	if (texts.count > HOST_ADDRESSES_MOST)
		return value_unexpected(node, "at most 64 addresses", ret_error);
	host->addresses = addresses;
	host->n_addresses = texts.count;
	return 0;
}

/* {name, command, addresses} */
static int read_host_keys(struct arena *arena, const struct node *node, struct config_host *host,
	struct config_error *ret_error)
{
	int r = 0;
	for (const struct node *key = node->first; r == 0 && key; key = key->next) {
		if (strcmp(key->key, "name") == 0)
			r = read_host_name(key, &host->name, ret_error);
		else if (strcmp(key->key, "command") == 0)
			r = value_list(
				arena, key, &host->command.items, &host->command.count, ret_error);
		else if (strcmp(key->key, "addresses") == 0)
			r = read_addresses(arena, key, host, ret_error);
		else
			r = document_error(
				key, ret_error, "unknown key; expected name, command or addresses");
	}
	if (r == 0 && !host->name)
		r = document_error(node, ret_error, "there is no name");
	return r;
}

static int read_host(struct arena *arena, const struct node *node,
	const struct config_hosts *before, struct config_host *ret_host,
	struct config_error *ret_error)
{
	struct config_host host = { 0 };
	int r = node->kind == NODE_MAP ? read_host_keys(arena, node, &host, ret_error)
				       : read_host_name(node, &host.name, ret_error);
	for (size_t i = 0; r == 0 && i < before->count; i++)
		if (strcmp(before->items[i].name, host.name) == 0)
			r = document_error(node, ret_error, "the host is given twice");
	if (r == 0)
		*ret_host = host;
	return r;
}

/* The hosts of the list are added to those that are there. */
static int read_hosts(
	const struct key_value *value, const struct node *node, struct config_error *ret_error)
{
	struct config_hosts *hosts = value->field, all = { NULL, hosts->count };
	if (node->kind != NODE_LIST && node->kind != NODE_NOTHING)
		return value_unexpected(node, "a list of hosts, [A, B]", ret_error);
	size_t count = hosts->count;
	for (const struct node *item = node->first; item; item = item->next)
		count++;
	struct config_host *items = arena_array(value->arena, count + 1, sizeof(*items));
	for (size_t i = 0; i < hosts->count; i++)
		items[i] = hosts->items[i];
	all.items = items;
	for (const struct node *item = node->first; item; item = item->next) {
		int r = read_host(value->arena, item, &all, &items[all.count], ret_error);
		if (r < 0)
			return r;
		all.count++;
	}
	*hosts = all;
	return 0;
}

static int (*const readers[])(
	const struct key_value *value, const struct node *node, struct config_error *ret_error) = {
	[CONFIG_BOOLEAN] = read_boolean,
	[CONFIG_INTEGER] = read_integer,
	[CONFIG_SECONDS] = read_seconds,
	[CONFIG_DURATION] = read_duration,
	[CONFIG_LIMIT] = read_limit,
	[CONFIG_CERTAINTY] = read_certainty,
	[CONFIG_TEXT] = read_text,
	[CONFIG_THEME] = read_theme,
	[CONFIG_URL] = read_url,
	[CONFIG_LIST] = read_list,
	[CONFIG_PATTERNS] = read_patterns,
	[CONFIG_DATABASES] = read_databases,
	[CONFIG_HOSTS] = read_hosts,
};

int field_read(struct config *config, const struct config_key *key, const struct node *node,
	struct config_error *ret_error)
{
	const struct key_value value = {
		.arena = config->arena,
		.key = key,
		.field = (char *)config + key->offset,
	};
	return readers[key->type](&value, node, ret_error);
}
