/* A settings file as a small tree of nodes that know their line. A strict subset of YAML.
 *
 * It accepts the mappings, lists and plain or quoted text of YAML 1.1. It refuses everything that
 * gives a value a meaning which is not written at its place: anchors, aliases, merge keys, tags,
 * duplicate keys, more than one document. It also refuses sizes that no settings file has: over 1
 * MiB, over 8 levels, over 10,000 nodes, a text over 4 KiB; and a NUL or any character that a
 * terminal executes or hides. */
#ifndef CONFIG_DOCUMENT_H
#define CONFIG_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct config_error;
struct file_trust;

enum node_kind {
	NODE_NOTHING, /* an empty value, ~ or null */
	NODE_TEXT,
	NODE_LIST,
	NODE_MAP,
};

struct node {
	enum node_kind kind;
	bool quoted;      /* NODE_TEXT: "true" is text, true is not */
	const char *text; /* NODE_TEXT */
	const char *key;  /* the key in a mapping; NULL for an item of a list, and for the root */
	const char *file; /* as shown in errors; NULL: not from a file */
	int line;         /* the line where the key or item begins, from 1; 0: not from a file */
	const struct node *parent;
	struct node *first, *next; /* NODE_LIST, NODE_MAP: its children, in the order of the file */
};

/* Reads a file into a tree in the arena. The root is a NODE_MAP, or NODE_NOTHING for a file that is
 * empty except for comments. Returns 0, or a negative errno with *ret_error set: -EINVAL for wrong
 * contents, -EFBIG, or the error of opening or reading it. */
int document_load(struct arena *arena, const char *path, const struct node **ret_root,
	struct file_trust *ret_trust, struct config_error *ret_error)
	__attribute__((warn_unused_result));

/* The same from memory; `file` is its name in errors. */
int document_parse(struct arena *arena, const char *file, const char *text, size_t len,
	const struct node **ret_root, struct config_error *ret_error)
	__attribute__((warn_unused_result));

/* The dotted key: "leaks.idle". An item of a list has the list's key, the root "". In the arena. */
const char *document_key(struct arena *arena, const struct node *node);

/* Sets the error: the node's file, line and dotted key, then the text. Returns -EINVAL. */
int document_error(const struct node *node, struct config_error *ret_error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
