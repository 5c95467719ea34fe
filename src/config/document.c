/* Makes a tree of libyaml's events, and refuses what a settings file may not contain. */
#include "config/document.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <yaml.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "config/error.h"
#include "config/file.h"

#define DEPTH_MAX      8
#define NODES_MAX      10000
#define TEXT_BYTES_MAX 4096

#define MESSAGE_MAX 320

struct parser {
	yaml_parser_t yaml;
	struct arena *arena;
	const char *file, *text;
	size_t len, nodes;
	struct config_error *error;
};

static int read_value(
	struct parser *parser, struct node *node, const yaml_event_t *event, int depth);

const char *document_key(struct arena *arena, const struct node *node)
{
	if (!node->parent)
		return node->key ? node->key : "";
	const char *parent = document_key(arena, node->parent);
	if (!node->key)
		return parent;
	return *parent ? arena_printf(arena, "%s.%s", parent, node->key) : node->key;
}

int document_error(const struct node *node, struct config_error *ret_error, const char *format, ...)
{
	char message[MESSAGE_MAX];
	va_list args;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	struct arena *arena = arena_new();
	const char *key = document_key(arena, node);
	error_set(ret_error, node->file, node->line, *key ? key : NULL, "%s", message);
	arena_free(arena);
	return -EINVAL;
}

/* The reader's errors (invalid UTF-8, control characters) have an offset instead of a line. */
static int line_of_offset(const struct parser *parser, size_t offset)
{
	int line = 1;
	for (size_t i = 0; i < offset && i < parser->len; i++)
		line += parser->text[i] == '\n';
	return line;
}

static int syntax_error(struct parser *parser)
{
	const yaml_parser_t *yaml = &parser->yaml;
	if (yaml->error == YAML_MEMORY_ERROR) {
		error_set(parser->error, parser->file, 0, NULL, "out of memory");
		return -ENOMEM;
	}
	int line = yaml->error == YAML_READER_ERROR ? line_of_offset(parser, yaml->problem_offset)
						    : (int)yaml->problem_mark.line + 1;
	error_set(parser->error, parser->file, line, NULL, "not valid YAML: %s%s%s",
		yaml->problem ? yaml->problem : "cannot be read", yaml->context ? ", " : "",
		yaml->context ? yaml->context : "");
	return -EINVAL;
}

/* Refuses what refers to another place, or changes the type of a value. */
static const char *surprise(const yaml_event_t *event)
{
	const yaml_char_t *anchor = NULL, *tag = NULL;
	switch (event->type) {
	case YAML_ALIAS_EVENT: return "aliases (*name) are not supported";
	case YAML_SCALAR_EVENT:
		anchor = event->data.scalar.anchor;
		tag = event->data.scalar.tag;
		break;
	case YAML_SEQUENCE_START_EVENT:
		anchor = event->data.sequence_start.anchor;
		tag = event->data.sequence_start.tag;
		break;
	case YAML_MAPPING_START_EVENT:
		anchor = event->data.mapping_start.anchor;
		tag = event->data.mapping_start.tag;
		break;
	default: break;
	}
	if (anchor)
		return "anchors (&name) are not supported";
	return tag ? "tags (!name) are not supported" : NULL;
}

static int line_of(const yaml_event_t *event)
{
	return (int)event->start_mark.line + 1;
}

/* The caller deletes the event, even after an error. */
static int next_event(struct parser *parser, yaml_event_t *ret_event)
{
	if (!yaml_parser_parse(&parser->yaml, ret_event))
		return syntax_error(parser);
	const char *refused = surprise(ret_event);
	if (refused) {
		error_set(parser->error, parser->file, line_of(ret_event), NULL, "%s", refused);
		return -EINVAL;
	}
	return 0;
}

static int new_node(
	struct parser *parser, const struct node *parent, int line, struct node **ret_node)
{
	if (parser->nodes++ >= NODES_MAX) {
		error_set(
			parser->error, parser->file, line, NULL, "more than %d values", NODES_MAX);
		return -EINVAL;
	}
	struct node *node = arena_alloc(parser->arena, sizeof(*node));
	*node = (struct node){ .parent = parent, .file = parser->file, .line = line };
	*ret_node = node;
	return 0;
}

/* Refuses characters that a terminal hides or executes: shown text must equal the compared text. */
static int read_text(struct parser *parser, const struct node *node, const yaml_event_t *event,
	const char **ret_text)
{
	const char *value = (const char *)event->data.scalar.value;
	size_t len = event->data.scalar.length;
	if (len > TEXT_BYTES_MAX)
		return document_error(node, parser->error, "longer than %d bytes", TEXT_BYTES_MAX);
	const char *clean = text_clean(parser->arena, value, len, TEXT_LINE);
	if (strlen(clean) != len || memcmp(clean, value, len) != 0)
		return document_error(node, parser->error,
			"contains a line break, or a control or invisible character");
	*ret_text = clean;
	return 0;
}

static bool means_nothing(const char *text)
{
	static const char *const words[] = { "", "~", "null", "Null", "NULL" };
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(text, words[i]) == 0)
			return true;
	return false;
}

static int read_scalar(struct parser *parser, struct node *node, const yaml_event_t *event)
{
	int r = read_text(parser, node, event, &node->text);
	if (r < 0)
		return r;
	node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	node->kind = !node->quoted && means_nothing(node->text) ? NODE_NOTHING : NODE_TEXT;
	return 0;
}

static int check_key(struct parser *parser, const struct node *entry, bool plain)
{
	if (!*entry->key)
		return document_error(entry, parser->error, "a key is empty");
	if (plain && strcmp(entry->key, "<<") == 0)
		return document_error(entry, parser->error, "merge keys are not supported");
	for (const struct node *other = entry->parent->first; other; other = other->next)
		if (strcmp(other->key, entry->key) == 0)
			return document_error(
				entry, parser->error, "given twice, first in line %d", other->line);
	return 0;
}

static int read_key(struct parser *parser, const struct node *map, const yaml_event_t *event,
	struct node **ret_entry)
{
	struct node *entry;
	int r = new_node(parser, map, line_of(event), &entry);
	if (r < 0)
		return r;
	if (event->type != YAML_SCALAR_EVENT)
		return document_error(entry, parser->error, "a key must be text");
	/* Set first, because the error for a bad key names it. */
	entry->key = text_clean(parser->arena, (const char *)event->data.scalar.value,
		event->data.scalar.length, TEXT_LINE);
	r = read_text(parser, entry, event, &entry->key);
	if (r == 0)
		r = check_key(parser, entry, event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE);
	if (r == 0)
		*ret_entry = entry;
	return r;
}

/* Reads the next child; returns 1 at the end of the list or mapping. */
static int read_child(struct parser *parser, struct node *node, int depth, struct node **ret_child)
{
	CLEANUP(yaml_event_delete) yaml_event_t event = { 0 };
	int r = next_event(parser, &event);
	if (r < 0)
		return r;
	if (event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT)
		return 1;
	if (node->kind == NODE_LIST) {
		r = new_node(parser, node, line_of(&event), ret_child);
		return r < 0 ? r : read_value(parser, *ret_child, &event, depth);
	}
	r = read_key(parser, node, &event, ret_child);
	if (r < 0)
		return r;
	CLEANUP(yaml_event_delete) yaml_event_t value = { 0 };
	r = next_event(parser, &value);
	return r < 0 ? r : read_value(parser, *ret_child, &value, depth);
}

static int read_children(struct parser *parser, struct node *node, int depth)
{
	if (depth >= DEPTH_MAX)
		return document_error(
			node, parser->error, "nested deeper than %d levels", DEPTH_MAX);
	struct node **end = &node->first;
	for (;;) {
		struct node *child = NULL;
		int r = read_child(parser, node, depth + 1, &child);
		if (r != 0)
			return r < 0 ? r : 0;
		*end = child;
		end = &child->next;
	}
}

static int read_value(
	struct parser *parser, struct node *node, const yaml_event_t *event, int depth)
{
	if (event->type == YAML_SCALAR_EVENT)
		return read_scalar(parser, node, event);
	node->kind = event->type == YAML_MAPPING_START_EVENT ? NODE_MAP : NODE_LIST;
	return read_children(parser, node, depth);
}

static int expect(struct parser *parser, yaml_event_type_t type, const char *otherwise)
{
	CLEANUP(yaml_event_delete) yaml_event_t event = { 0 };
	int r = next_event(parser, &event);
	if (r < 0 || event.type == type)
		return r;
	error_set(parser->error, parser->file, line_of(&event), NULL, "%s", otherwise);
	return -EINVAL;
}

static int read_root(struct parser *parser, const yaml_event_t *event, struct node *root)
{
	root->line = line_of(event);
	int r = read_value(parser, root, event, 0);
	if (r < 0)
		return r;
	if (root->kind != NODE_MAP && root->kind != NODE_NOTHING)
		return document_error(root, parser->error, "expected lines of the form KEY: VALUE");
	return 0;
}

/* stream-start (document-start value document-end)? stream-end */
static int read_stream(struct parser *parser, struct node *root)
{
	int r = expect(parser, YAML_STREAM_START_EVENT, "not a YAML stream");
	if (r < 0)
		return r;
	CLEANUP(yaml_event_delete) yaml_event_t start = { 0 };
	r = next_event(parser, &start);
	if (r < 0 || start.type == YAML_STREAM_END_EVENT)
		return r;
	CLEANUP(yaml_event_delete) yaml_event_t value = { 0 };
	r = next_event(parser, &value);
	if (r == 0)
		r = read_root(parser, &value, root);
	if (r == 0)
		r = expect(parser, YAML_DOCUMENT_END_EVENT, "more than one value");
	if (r == 0)
		r = expect(parser, YAML_STREAM_END_EVENT,
			"a second document: one file holds one document");
	return r;
}

int document_parse(struct arena *arena, const char *file, const char *text, size_t len,
	const struct node **ret_root, struct config_error *ret_error)
{
	struct parser parser = { .arena = arena,
		.file = arena_strdup(arena, file),
		.text = text,
		.len = len,
		.error = ret_error };
	struct node *root;
	int r = new_node(&parser, NULL, 0, &root);
	if (r < 0)
		return r;
	if (!yaml_parser_initialize(&parser.yaml))
		return syntax_error(&parser);
	/* Without this a byte-order mark would change the encoding to UTF-16. */
	yaml_parser_set_encoding(&parser.yaml, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser.yaml, (const unsigned char *)text, len);
	r = read_stream(&parser, root);
	yaml_parser_delete(&parser.yaml);
	if (r == 0)
		*ret_root = root;
	return r;
}

int document_load(struct arena *arena, const char *path, const struct node **ret_root,
	struct file_trust *ret_trust, struct config_error *ret_error)
{
	CLEANUP(cleanup_free) char *text = NULL;
	size_t len = 0;
	int r = file_read(path, &text, &len, ret_trust, ret_error);
	return r < 0 ? r : document_parse(arena, path, text, len, ret_root, ret_error);
}
