/* A settings file as a small tree of nodes that know their line: YAML without its surprises.
 *
 * Of YAML 1.1 this takes mappings, lists and plain or quoted text. What makes a value mean
 * something that is not written where it stands is refused: anchors, aliases, merge keys, tags, a
 * key given twice, more than one document. So is what no settings file holds: over 1 MiB, over 8
 * levels, over 10,000 nodes, a text over 4 KiB, a NUL or any character that a terminal obeys or
 * hides. */
#ifndef CONFIG_DOCUMENT_H
#define CONFIG_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct config_error;

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
	const char *key;  /* an entry of a mapping; NULL for a list's item and the root */
	const char *file; /* as in the error's text; NULL: no file */
	int line;         /* from 1, where the key or the item begins; 0: no file */
	const struct node *parent;
	struct node *first, *next; /* NODE_LIST, NODE_MAP: its children, in the order of the file */
};

/* Reads a file into a tree that lives in the arena. The root is a NODE_MAP, or NODE_NOTHING for a
 * file that holds nothing (comments are nothing). Returns 0, or a negative errno with *ret_error
 * set: -EINVAL for what is in the file, -EFBIG, or why it could not be opened or read. */
int document_load(struct arena *arena, const char *path, const struct node **ret_root,
	struct config_error *ret_error) __attribute__((warn_unused_result));

/* The same from memory; file is what errors call it. */
int document_parse(struct arena *arena, const char *file, const char *text, size_t len,
	const struct node **ret_root, struct config_error *ret_error)
	__attribute__((warn_unused_result));

/* The dotted key: "leaks.idle"; a list's item has its list's, the root "". In the arena. */
const char *document_key(struct arena *arena, const struct node *node);

/* Sets the error with the node's file, line and dotted key before the text. Returns -EINVAL. */
int document_error(const struct node *node, struct config_error *ret_error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
