/* The settings: a YAML file whose keys and values are checked, read into one struct. */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config_keys.h"
#include "config/error.h"

struct arena;
struct theme;

/* The defaults. Never returns NULL; the caller frees the result. */
struct config *config_defaults(void) __attribute__((returns_nonnull, warn_unused_result));

/* Reads a file over the defaults; the caller frees the result. Returns 0, or a negative errno with
 * *ret_error set; after an error nothing of the file is used. */
int config_load(const char *path, struct config **ret_config, struct config_error *ret_error)
	__attribute__((warn_unused_result));

/* The same from memory; `file` is its name in errors. */
int config_parse(const char *file, const char *text, size_t len, struct config **ret_config,
	struct config_error *ret_error) __attribute__((warn_unused_result));

/* NULL is allowed. */
void config_free(struct config *config);

/* Sets a key to the value of an option, which is checked like a file's value; to a list it is added
 * as one more item. The error begins with origin ("--interval"). Returns 0, -EINVAL, or -ENOENT for
 * a key that does not exist, or that one value cannot set (databases). */
int config_set(struct config *config, const char *key, const char *value, const char *origin,
	struct config_error *ret_error) __attribute__((warn_unused_result));

/* Checks that each of `columns` is one of the names, which the view knows; config may not include
 * the view. Returns 0, or -EINVAL with *ret_error naming file, line and the nearest known name. */
int config_check_columns(const struct config *config, const char *const *known, size_t count,
	struct config_error *ret_error) __attribute__((warn_unused_result));

/* theme_find() for the theme of the settings; an error about a name that the file gives has its
 * line. */
int config_find_theme(const struct config *config, const char *const *folders,
	struct theme *ret_theme, struct config_error *ret_error)
	__attribute__((warn_unused_result));

/* The folders that contain dbtop's files. */
struct config_places {
	const char *user;   /* $XDG_CONFIG_HOME/dbtop, or ~/.config/dbtop; NULL: no home */
	const char *system; /* /etc/dbtop */
};

/* Finds them by the values of $XDG_CONFIG_HOME and $HOME, which may be NULL. A value that is not an
 * absolute path is ignored, as the XDG base directory specification requires. */
struct config_places config_places(struct arena *arena, const char *config_home, const char *home);

/* Chooses the file: the explicit one, even if it does not exist (loading it reports that); else the
 * first config.yaml that exists, even if it is unreadable. Returns 0, or 1 if there is none: use
 * the defaults. */
int config_find(struct arena *arena, const char *explicit_path, const struct config_places *places,
	const char **ret_path) __attribute__((warn_unused_result));

#endif
