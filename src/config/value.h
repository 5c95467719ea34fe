/* Reads the value of a node as the type of its key. Each function returns 0, or -EINVAL with
 * *ret_error set and the output unchanged. */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct config_error;
struct node;

/* Accepts only true and false: YAML's yes, no, on and off are an error that says so. */
int value_boolean(const struct node *node, bool *ret_value, struct config_error *ret_error)
	__attribute__((warn_unused_result));

/* Unquoted decimal digits; min and max are in the notation of the file, inclusive. */
int value_integer(const struct node *node, const char *min, const char *max, int *ret_value,
	struct config_error *ret_error) __attribute__((warn_unused_result));

/* A number of seconds without a unit, in µs. */
int value_seconds(const struct node *node, const char *min, const char *max, int64_t *ret_usec,
	struct config_error *ret_error) __attribute__((warn_unused_result));

/* Any duration that base/duration reads, in µs. */
int value_duration(const struct node *node, const char *min, const char *max, int64_t *ret_usec,
	struct config_error *ret_error) __attribute__((warn_unused_result));

/* Text, which may be "". It is valid as long as the node. */
int value_text(const struct node *node, const char **ret_text, struct config_error *ret_error)
	__attribute__((warn_unused_result));

/* A list of texts, none of them empty; an empty value is an empty list. The array is in the arena
 * and ends with NULL, as execv() needs it. */
int value_list(struct arena *arena, const struct node *node, const char ***ret_items,
	size_t *ret_count, struct config_error *ret_error) __attribute__((warn_unused_result));

/* Sets "expected WHAT, found …" and returns -EINVAL. The error contains the found value: do not use
 * it for values that may contain a password. */
int value_unexpected(const struct node *node, const char *what, struct config_error *ret_error);

#endif
