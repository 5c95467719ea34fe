/* What a node of a settings file holds, as the type its key calls for. Each returns 0, or -EINVAL
 * with *ret_error set and the output untouched. */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct config_error;
struct node;

/* Only true and false: YAML's yes, no, on and off are an error that says so. */
int value_boolean(const struct node *node, bool *ret_value, struct config_error *ret_error)
	__attribute__((warn_unused_result));

/* Unquoted decimal digits; min and max as they are written, both allowed. */
int value_integer(const struct node *node, const char *min, const char *max, int *ret_value,
	struct config_error *ret_error) __attribute__((warn_unused_result));

/* A number of seconds without a unit, in µs. */
int value_seconds(const struct node *node, const char *min, const char *max, int64_t *ret_usec,
	struct config_error *ret_error) __attribute__((warn_unused_result));

/* Whatever base/duration reads, in µs. */
int value_duration(const struct node *node, const char *min, const char *max, int64_t *ret_usec,
	struct config_error *ret_error) __attribute__((warn_unused_result));

/* Text, which may be "". It lives as long as the node. */
int value_text(const struct node *node, const char **ret_text, struct config_error *ret_error)
	__attribute__((warn_unused_result));

/* A list of texts, none of them empty; nothing is an empty list. The array is the arena's and has a
 * NULL after its end, as execv() wants it. */
int value_list(struct arena *arena, const struct node *node, const char ***ret_items,
	size_t *ret_count, struct config_error *ret_error) __attribute__((warn_unused_result));

/* Sets "expected WHAT, found …" and returns -EINVAL. The found value is quoted: not for values that
 * may hold a password. */
int value_unexpected(const struct node *node, const char *what, struct config_error *ret_error);

#endif
