/* Reads the settings: the table of keys decides which keys and values are allowed. */
#include "config/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/text.h"
#include "config/document.h"
#include "config/field.h"
#include "config/file.h"
#include "config/nearest.h"
#include "config/theme.h"

/* "leaks" is the section of "leaks.idle". */
static bool is_section(const struct config_key *key, const char *name)
{
	size_t len = strlen(name);
	return strncmp(key->name, name, len) == 0 && key->name[len] == '.';
}

static bool section_exists(const char *name)
{
	size_t count;
	const struct config_key *keys = config_keys(&count);
	for (size_t i = 0; i < count; i++)
		if (is_section(&keys[i], name))
			return true;
	return false;
}

/* If the key exists in other sections, their full names: "leaks.idle" for "idle". NULL if not. */
static const char *misplaced(struct arena *arena, const char *name)
{
	size_t count;
	const struct config_key *keys = config_keys(&count);
	const char *last = strrchr(name, '.'), *found = NULL;
	last = last ? last + 1 : name;
	for (size_t i = 0; i < count; i++) {
		const char *dot = strrchr(keys[i].name, '.');
		if (strcmp(dot ? dot + 1 : keys[i].name, last) != 0)
			continue;
		found = found ? arena_printf(arena, "%s or %s", found, keys[i].name) : keys[i].name;
	}
	return found;
}

/* The keys of the section that the unknown key is in: "a, b, c"; NULL outside sections. */
static const char *neighbours(struct arena *arena, const char *name)
{
	size_t count, section = strcspn(name, ".");
	const struct config_key *keys = config_keys(&count);
	const char *list = NULL;
	for (size_t i = 0; name[section] && i < count; i++)
		if (strncmp(keys[i].name, name, section + 1) == 0)
			list = arena_printf(arena, "%s%s%s", list ? list : "", list ? ", " : "",
				keys[i].name + section + 1);
	return list;
}

static const char *nearest_key(struct arena *arena, const char *name)
{
	size_t count, known = 0;
	const struct config_key *keys = config_keys(&count);
	const char **names = arena_array(arena, count * 2, sizeof(*names));
	for (size_t i = 0; i < count; i++) {
		names[known++] = keys[i].name;
		const char *dot = strchr(keys[i].name, '.');
		if (dot)
			names[known++] =
				arena_strndup(arena, keys[i].name, (size_t)(dot - keys[i].name));
	}
	const char *nearest = nearest_name(name, names, known);
	return nearest ? nearest : misplaced(arena, name);
}

static int unknown_key(struct arena *arena, const struct node *node, struct config_error *ret_error)
{
	const char *name = document_key(arena, node), *nearest = nearest_key(arena, name);
	if (nearest)
		return document_error(node, ret_error, "unknown key; did you mean %s?", nearest);
	const char *list = neighbours(arena, name);
	if (list)
		return document_error(node, ret_error, "unknown key; there are %s", list);
	return document_error(node, ret_error, "unknown key; man dbtop-config has them all");
}

static int read_entries(
	struct config *config, const struct node *map, struct config_error *ret_error);

static int read_entry(
	struct config *config, const struct node *node, struct config_error *ret_error)
{
	/* The dots are our notation of a path; a key in YAML has none. */
	if (strchr(node->key, '.'))
		return document_error(node, ret_error,
			"a key must not contain a dot: write a section's keys indented under its "
			"name");
	const char *name = document_key(config->arena, node);
	const struct config_key *key = config_key_find(name);
	if (key)
		return field_read(config, key, node, ret_error);
	if (!section_exists(name))
		return unknown_key(config->arena, node, ret_error);
	if (node->kind == NODE_NOTHING)
		return 0;
	if (node->kind != NODE_MAP)
		return document_error(
			node, ret_error, "expected a section: its keys indented under it");
	return read_entries(config, node, ret_error);
}

static int read_entries(
	struct config *config, const struct node *map, struct config_error *ret_error)
{
	for (const struct node *entry = map->first; entry; entry = entry->next) {
		int r = read_entry(config, entry, ret_error);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The defaults are read in the same way as a file's values. */
static void set_default(struct config *config, const struct config_key *key)
{
	struct config_error error;
	const struct node *root;
	const char *text = arena_printf(config->arena, "%s: %s", key->name, key->fallback);
	if (document_parse(config->arena, "defaults", text, strlen(text), &root, &error) < 0 ||
		field_read(config, key, root->first, &error) < 0)
		abort(); /* The table itself is wrong; a test reads all of it. */
}

struct config *config_defaults(void)
{
	struct arena *arena = arena_new();
	struct config *config = arena_alloc(arena, sizeof(*config));
	config->arena = arena;
	size_t count;
	const struct config_key *keys = config_keys(&count);
	for (size_t i = 0; i < count; i++)
		set_default(config, &keys[i]);
	return config;
}

void config_free(struct config *config)
{
	if (config)
		arena_free(config->arena);
}

/* Reads the document over the defaults, if r is not an error; returns r or the result. */
static int finish(struct config *config, int r, const struct node *root, struct config **ret_config,
	struct config_error *ret_error)
{
	if (r == 0)
		r = read_entries(config, root, ret_error);
	if (r < 0) {
		config_free(config);
		return r;
	}
	config->root = root;
	*ret_config = config;
	return 0;
}

/* The key whose value is a command that dbtop runs; NULL if there is none. */
static const char *find_command(const struct config *config)
{
	for (size_t i = 0; i < config->databases.count; i++)
		if (config->databases.items[i].password_command.count)
			return "password_command";
	for (size_t i = 0; i < config->hosts.count; i++)
		if (config->hosts.items[i].command.count)
			return "hosts";
	return config->proxy.start.count ? "proxy.start" : NULL;
}

/* Who may write to the file could run a command as us. */
static int check_trust(const struct config *config, const char *path,
	const struct file_trust *trust, struct config_error *ret_error)
{
	const char *command = find_command(config);
	if (!command || (trust->is_ours && !trust->is_writable))
		return 0;
	if (!trust->is_ours)
		error_set(ret_error, path, 0, command,
			"names a command, and the file is neither yours nor root's");
	else
		error_set(ret_error, path, 0, command,
			"names a command, and others may write to the file: chmod go-w");
	return -EPERM;
}

int config_load(const char *path, struct config **ret_config, struct config_error *ret_error)
{
	struct config *config = config_defaults(), *loaded;
	const struct node *root = NULL;
	struct file_trust trust;
	int r = document_load(config->arena, path, &root, &trust, ret_error);
	if (r == -ENOENT || r == -ENOTDIR)
		error_set(ret_error, path, 0, NULL,
			"there is no such file: check -c, or begin with a copy of "
			"config.example.yaml");
	r = finish(config, r, root, &loaded, ret_error);
	if (r < 0)
		return r;
	r = check_trust(loaded, path, &trust, ret_error);
	if (r < 0)
		config_free(loaded);
	else
		*ret_config = loaded;
	return r;
}

int config_parse(const char *file, const char *text, size_t len, struct config **ret_config,
	struct config_error *ret_error)
{
	struct config *config = config_defaults();
	const struct node *root = NULL;
	int r = document_parse(config->arena, file, text, len, &root, ret_error);
	return finish(config, r, root, ret_config, ret_error);
}

/* The list as nodes, with one more node at its end. */
static struct node *list_with(
	struct arena *arena, const struct config_list *list, const struct node *item)
{
	struct node *node = arena_alloc(arena, sizeof(*node)), **end = &node->first;
	*node = (struct node){ .kind = NODE_LIST, .key = item->key };
	for (size_t i = 0; i <= list->count; i++) {
		struct node *copy = arena_alloc(arena, sizeof(*copy));
		*copy = (struct node){ .kind = NODE_TEXT,
			.text = i < list->count ? list->items[i] : item->text,
			.parent = node };
		*end = copy;
		end = &copy->next;
	}
	return node;
}

int config_set(struct config *config, const char *key, const char *value, const char *origin,
	struct config_error *ret_error)
{
	const struct config_key *found = config_key_find(key);
	if (!found || found->type == CONFIG_DATABASES || found->type == CONFIG_PATTERNS)
		return -ENOENT;
	const struct node text = {
		.kind = NODE_TEXT,
		.text = text_clean(config->arena, value, strlen(value), TEXT_LINE),
		.key = arena_strdup(config->arena, origin),
	};
	if (strcmp(text.text, value) != 0)
		return document_error(
			&text, ret_error, "contains a control or invisible character");
	static const struct config_list none = { 0 };
	if (found->type == CONFIG_HOSTS)
		return field_read(config, found, list_with(config->arena, &none, &text), ret_error);
	if (found->type != CONFIG_LIST)
		return field_read(config, found, &text, ret_error);
	const struct config_list *list = (void *)((char *)config + found->offset);
	return field_read(config, found, list_with(config->arena, list, &text), ret_error);
}

static bool is_known(const char *name, const char *const *known, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(name, known[i]) == 0)
			return true;
	return false;
}

/* The file's node of a key outside sections; NULL if the file does not have it. */
static const struct node *file_node(const struct config *config, const char *key)
{
	const struct node *node = config->root ? config->root->first : NULL;
	while (node && strcmp(node->key, key) != 0)
		node = node->next;
	return node;
}

int config_find_theme(const struct config *config, const char *const *folders,
	struct theme *ret_theme, struct config_error *ret_error)
{
	int r = theme_find(config->theme, folders, ret_theme, ret_error);
	const struct node *node = file_node(config, "theme");
	/* an option replaces the text of the file */
	if (r != -ENOENT || !node || node->text != config->theme)
		return r;
	struct config_error found = *ret_error;
	error_set(ret_error, node->file, node->line, NULL, "%s", found.text);
	return r;
}

/* The node of the i-th column; NULL if it is not from a file. */
static const struct node *column_node(const struct config *config, size_t index)
{
	const struct node *node = file_node(config, "columns");
	node = node ? node->first : NULL;
	while (node && index--)
		node = node->next;
	return node;
}

int config_check_columns(const struct config *config, const char *const *known, size_t count,
	struct config_error *ret_error)
{
	static const struct node nowhere = { .key = "columns" };
	for (size_t i = 0; i < config->columns.count; i++) {
		const char *const *names = config->columns.items, *name = names[i];
		const struct node *node = column_node(config, i);
		char quote[ERROR_QUOTE_MAX];
		if (is_known(name, names, i))
			return document_error(node ? node : &nowhere, ret_error,
				"the column %s is given twice", error_quote(name, quote));
		if (is_known(name, known, count))
			continue;
		const char *nearest = nearest_name(name, known, count);
		return document_error(node ? node : &nowhere, ret_error, "unknown column %s%s%s%s",
			error_quote(name, quote), nearest ? "; did you mean " : "",
			nearest ? nearest : "", nearest ? "?" : "");
	}
	return 0;
}
