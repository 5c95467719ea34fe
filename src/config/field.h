/* One field of the settings, read from its node. */
#ifndef CONFIG_FIELD_H
#define CONFIG_FIELD_H

struct config;
struct config_error;
struct config_key;
struct node;

/* Checks the node's value and stores it; its text stays where the node is. Returns 0, or -EINVAL
 * with *ret_error set and the field as it was. */
int field_read(struct config *config, const struct config_key *key, const struct node *node,
	struct config_error *ret_error) __attribute__((warn_unused_result));

#endif
