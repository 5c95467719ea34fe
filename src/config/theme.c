/* Reads themes as strictly as the settings. */
#include "config/theme.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "config/document.h"
#include "config/file.h"
#include "config/nearest.h"
#include "config/value.h"

#define SUFFIX ".yaml"

static const char *const color_words[] = {
	"black",
	"red",
	"green",
	"yellow",
	"blue",
	"magenta",
	"cyan",
	"white",
	"bright-black",
	"bright-red",
	"bright-green",
	"bright-yellow",
	"bright-blue",
	"bright-magenta",
	"bright-cyan",
	"bright-white",
	"default",
};
#define COLOR_WORDS (sizeof(color_words) / sizeof(color_words[0]))

static bool parse_word(const char *text, int *ret_color)
{
	for (size_t i = 0; i < COLOR_WORDS; i++)
		if (strcmp(text, color_words[i]) == 0) {
			*ret_color = i < 16 ? (int)i : THEME_DEFAULT;
			return true;
		}
	return false;
}

static bool parse_rgb(const char *text, int *ret_color)
{
	if (text[0] != '#' || strspn(text + 1, "0123456789abcdefABCDEF") != 6 || text[7])
		return false;
	*ret_color = THEME_RGB((int)strtol(text + 1, NULL, 16));
	return true;
}

static bool parse_index(const char *text, int *ret_color)
{
	size_t digits = strspn(text, "0123456789");
	if (digits == 0 || digits > 3 || text[digits] || (digits > 1 && text[0] == '0') ||
		atoi(text) > 255)
		return false;
	*ret_color = atoi(text);
	return true;
}

static int read_color(const struct node *node, void *field, struct config_error *ret_error)
{
	int *ret_color = field;
	static const char expected[] = "a colour (default, red, bright-red, 0 to 255, \"#rrggbb\")";
	if (node->kind == NODE_NOTHING)
		return document_error(node, ret_error,
			"expected %s, found nothing (# begins a comment: quote \"#rrggbb\")",
			expected);
	if (node->kind == NODE_TEXT &&
		(parse_word(node->text, ret_color) || parse_rgb(node->text, ret_color) ||
			parse_index(node->text, ret_color)))
		return 0;
	const char *nearest =
		node->kind == NODE_TEXT ? nearest_name(node->text, color_words, COLOR_WORDS) : NULL;
	if (!nearest)
		return value_unexpected(node, expected, ret_error);
	char quote[ERROR_QUOTE_MAX];
	return document_error(node, ret_error, "unknown colour %s; did you mean %s?",
		error_quote(node->text, quote), nearest);
}

static int read_attribute(const struct node *node, void *field, struct config_error *ret_error)
{
	return value_boolean(node, field, ret_error);
}

/* The properties of a style in a theme file. */
static const struct {
	const char *name;
	int (*read)(const struct node *node, void *field, struct config_error *ret_error);
	size_t offset;
} traits[] = {
	{ "fg", read_color, offsetof(struct theme_style, fg) },
	{ "bg", read_color, offsetof(struct theme_style, bg) },
	{ "bold", read_attribute, offsetof(struct theme_style, bold) },
	{ "dim", read_attribute, offsetof(struct theme_style, dim) },
	{ "underline", read_attribute, offsetof(struct theme_style, underline) },
	{ "reverse", read_attribute, offsetof(struct theme_style, reverse) },
	{ "italic", read_attribute, offsetof(struct theme_style, italic) },
};
#define TRAITS (sizeof(traits) / sizeof(traits[0]))

static int unknown(const struct node *node, const char *what, const char *const *names,
	size_t count, struct config_error *ret_error)
{
	const char *nearest = nearest_name(node->key, names, count);
	if (!nearest)
		return document_error(node, ret_error, "unknown %s", what);
	return document_error(node, ret_error, "unknown %s; did you mean %s?", what, nearest);
}

static int read_trait(
	const struct node *node, struct theme_style *style, struct config_error *ret_error)
{
	const char *names[TRAITS];
	for (size_t i = 0; i < TRAITS; i++) {
		if (strcmp(node->key, traits[i].name) == 0)
			return traits[i].read(node, (char *)style + traits[i].offset, ret_error);
		names[i] = traits[i].name;
	}
	return unknown(node, "key", names, TRAITS, ret_error);
}

static int read_traits(
	const struct node *node, struct theme_style *style, struct config_error *ret_error)
{
	if (node->kind != NODE_MAP)
		return value_unexpected(node, "a style, such as {fg: red, bold: true}", ret_error);
	for (const struct node *trait = node->first; trait; trait = trait->next) {
		int r = read_trait(trait, style, ret_error);
		if (r < 0)
			return r;
	}
	return 0;
}

static const struct node *entry_of(const struct node *map, const char *key)
{
	const struct node *entry = map->first;
	while (entry && strcmp(entry->key, key) != 0)
		entry = entry->next;
	return entry;
}

static const struct theme_style plain = { .fg = THEME_DEFAULT, .bg = THEME_DEFAULT };

/* The initial value of a style. One that is laid over others begins empty, with a default effect if
 * it stays empty. The others begin with the colours of `text`, and equal `text` if the file does
 * not name them. */
static struct theme_style initial(enum style style, const struct theme_style *text, bool is_named)
{
	struct theme_style initial = plain;
	switch (style) {
	case STYLE_SELECTED: initial.reverse = !is_named; return initial;
	case STYLE_CHANGED: initial.bold = !is_named; return initial;
	case STYLE_MATCH: initial.underline = !is_named; return initial;
	default: break;
	}
	if (!is_named)
		return *text;
	initial.fg = text->fg;
	initial.bg = text->bg;
	return initial;
}

static int check_names(const struct node *styles, struct config_error *ret_error)
{
	const char *names[STYLE_COUNT];
	for (size_t i = 0; i < STYLE_COUNT; i++)
		names[i] = style_name(i);
	for (const struct node *entry = styles->first; entry; entry = entry->next) {
		size_t i = 0;
		while (i < STYLE_COUNT && strcmp(entry->key, names[i]) != 0)
			i++;
		if (i == STYLE_COUNT)
			return unknown(entry, "style", names, STYLE_COUNT, ret_error);
	}
	return 0;
}

/* `text` is the first style, so it is complete when the others need it. */
static int read_styles(
	const struct node *styles, struct theme *ret_theme, struct config_error *ret_error)
{
	if (styles->kind != NODE_MAP && styles->kind != NODE_NOTHING)
		return value_unexpected(styles, "styles by name", ret_error);
	int r = check_names(styles, ret_error);
	for (size_t i = 0; r == 0 && i < STYLE_COUNT; i++) {
		const struct node *entry = entry_of(styles, style_name(i));
		const struct theme_style *text = i == STYLE_TEXT ? &plain : ret_theme->styles;
		ret_theme->styles[i] = initial(i, text, entry);
		if (entry)
			r = read_traits(entry, &ret_theme->styles[i], ret_error);
	}
	return r;
}

static int read_root(
	const struct node *root, struct theme *ret_theme, struct config_error *ret_error)
{
	static const char *const names[] = { "description", "styles" };
	static const struct node none = { .kind = NODE_NOTHING };
	const char *description;
	for (const struct node *entry = root->first; entry; entry = entry->next) {
		if (strcmp(entry->key, names[0]) != 0 && strcmp(entry->key, names[1]) != 0)
			return unknown(entry, "key", names, 2, ret_error);
		if (entry->key[0] == 'd' && value_text(entry, &description, ret_error) < 0)
			return -EINVAL;
	}
	const struct node *styles = entry_of(root, "styles");
	return read_styles(styles ? styles : &none, ret_theme, ret_error);
}

bool theme_name_is_valid(const char *name)
{
	return *name && name[0] != '.' && !strchr(name, '/') && strlen(name) < THEME_NAME_MAX;
}

/* The theme's name: "/usr/share/dbtop/themes/night.yaml" is night; cut if it is too long. */
static void set_name(struct theme *theme, const char *file)
{
	const char *slash = strrchr(file, '/');
	const char *name = slash ? slash + 1 : file;
	size_t len = strlen(name), suffix = sizeof(SUFFIX) - 1;
	if (len > suffix && strcmp(name + len - suffix, SUFFIX) == 0)
		len -= suffix;
	snprintf(theme->name, sizeof(theme->name), "%.*s", (int)len, name);
}

static int finish(int r, const struct node *root, const char *file, struct theme *ret_theme,
	struct config_error *ret_error)
{
	struct theme theme = { 0 };
	if (r == 0)
		r = read_root(root, &theme, ret_error);
	if (r < 0)
		return r;
	set_name(&theme, file);
	*ret_theme = theme;
	return 0;
}

int theme_load(const char *path, struct theme *ret_theme, struct config_error *ret_error)
{
	struct arena *arena = arena_new();
	const struct node *root = NULL;
	struct file_trust trust; /* anybody may choose colours */
	int r = document_load(arena, path, &root, &trust, ret_error);
	r = finish(r, root, path, ret_theme, ret_error);
	arena_free(arena);
	return r;
}

int theme_parse(const char *file, const char *text, size_t len, struct theme *ret_theme,
	struct config_error *ret_error)
{
	struct arena *arena = arena_new();
	const struct node *root = NULL;
	int r = document_parse(arena, file, text, len, &root, ret_error);
	r = finish(r, root, file, ret_theme, ret_error);
	arena_free(arena);
	return r;
}
