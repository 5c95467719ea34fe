/* The settings: a YAML file whose keys and values are checked, read into one struct. */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/error.h"
#include "model/rules.h"

struct arena;
struct node;

struct config_list {
	const char **items; /* items[count] is NULL; no item is empty */
	size_t count;
};

struct config_database {
	const char *name, *conninfo; /* neither is empty; names differ */
};

struct config_databases {
	const struct config_database *items; /* in the order of the file */
	size_t count;
};

struct config_proxy {
	const char *process; /* the process's name; "": no proxy */
	int port;            /* the port where it listens; 0: the port that dbtop connects to */
	const char *health;  /* its health endpoint's http:// or https:// URL; "": not used */
	/* its command as argv, never run by a shell; empty: cannot be started */
	struct config_list start;
};

struct config_emergency {
	int64_t grace; /* µs between SIGTERM and SIGKILL */
	struct patterns applications;
};

/* Its arena owns everything. It is const after the options were applied. All text is valid UTF-8
 * without control characters, and never NULL. */
struct config {
	struct config_databases databases;
	int64_t interval; /* µs */
	const char *theme;
	struct rules rules; /* leaks and protect; scope is NULL */
	struct config_list pgbouncer;
	const char *pages; /* "": libdbpool's default folder */
	struct config_proxy proxy;
	struct config_emergency emergency;
	/* unchecked names, see config_check_columns(); none: the view's default */
	struct config_list columns;
	int kill_limit; /* terminations per minute before dbtop asks again */
	bool mouse, bell;
	bool readonly;
	const char *log; /* "": none */

	struct arena *arena;
	/* the file's root, to name lines in later errors; NULL: built-in defaults */
	const struct node *root;
};

enum config_type {
	CONFIG_BOOLEAN,
	CONFIG_INTEGER,  /* int */
	CONFIG_SECONDS,  /* int64_t, µs: a number of seconds */
	CONFIG_DURATION, /* int64_t, µs: a number with an optional unit */
	CONFIG_LIMIT,    /* the same, or "none": RULES_NO_LIMIT */
	CONFIG_TEXT,
	CONFIG_THEME,     /* text: a theme's name */
	CONFIG_URL,       /* text: http:// or https://, or empty */
	CONFIG_LIST,      /* struct config_list */
	CONFIG_PATTERNS,  /* struct patterns */
	CONFIG_DATABASES, /* struct config_databases */
};

/* One row for each key. The rows drive reading, the defaults, the errors and the documentation. */
struct config_key {
	const char *name; /* dotted: "leaks.idle" */
	enum config_type type;
	const char *fallback;    /* the default, as YAML */
	const char *description; /* one line */
	const char *min,
		*max;  /* INTEGER, SECONDS, DURATION: in the notation of the file, inclusive */
	size_t offset; /* offset in struct config */
};

/* All keys, in the order of config.example.yaml. */
const struct config_key *config_keys(size_t *ret_count) __attribute__((returns_nonnull));

/* Finds a key by its dotted name; NULL if there is none. */
const struct config_key *config_key_find(const char *name);

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
