/* Reads one field of the settings from its node. */
#ifndef CONFIG_FIELD_H
#define CONFIG_FIELD_H

struct config;
struct config_error;
struct config_key;
struct node;

/* Checks the node's value and stores it; text is not copied, it stays in the node's arena. Returns
 * 0, or -EINVAL with *ret_error set and the field unchanged. */
int field_read(struct config *config, const struct config_key *key, const struct node *node,
	struct config_error *ret_error) __attribute__((warn_unused_result));

#endif
