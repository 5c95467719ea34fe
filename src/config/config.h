/* The settings: a YAML file, checked key by key, as one struct. */
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
	const char *process;      /* the process's name; "": there is none */
	int port;                 /* where it listens; 0: the port we connect to */
	const char *health;       /* http:// or https:// URL; "": not asked */
	struct config_list start; /* argv, never a shell's line; none: cannot be started */
};

struct config_emergency {
	int64_t grace; /* µs between SIGTERM and SIGKILL */
	struct patterns applications;
};

/* Everything lives in it and ends with it. Const once the options have been laid over it. All text
 * is valid UTF-8 without control characters, and never NULL. */
struct config {
	struct config_databases databases;
	int64_t interval; /* µs */
	const char *theme;
	struct rules rules; /* leaks and protect; scope is NULL */
	struct config_list pgbouncer;
	const char *pages; /* "": where libdbpool puts them */
	struct config_proxy proxy;
	struct config_emergency emergency;
	struct config_list
		columns; /* unchecked names, see config_check_columns(); none: the view's */
	int kill_limit;  /* terminations a minute before it asks again */
	bool mouse, bell;
	bool readonly;
	const char *log; /* "": none */

	struct arena *arena;
	const struct node *root; /* the file, for later errors' lines; NULL: built-in defaults */
};

enum config_type {
	CONFIG_BOOLEAN,
	CONFIG_INTEGER,  /* int */
	CONFIG_SECONDS,  /* int64_t, µs: a number of seconds */
	CONFIG_DURATION, /* int64_t, µs: a number with an optional unit */
	CONFIG_TEXT,
	CONFIG_THEME,     /* text: a theme's name */
	CONFIG_URL,       /* text: http:// or https://, or empty */
	CONFIG_LIST,      /* struct config_list */
	CONFIG_PATTERNS,  /* struct patterns */
	CONFIG_DATABASES, /* struct config_databases */
};

/* One row a key: it drives reading, the defaults, the errors and the documentation. */
struct config_key {
	const char *name; /* dotted: "leaks.idle" */
	enum config_type type;
	const char *fallback;    /* the default, as YAML */
	const char *description; /* one line */
	const char *min, *max;   /* INTEGER, SECONDS, DURATION: as written, both allowed */
	size_t offset;           /* in struct config */
};

/* All keys, in the order of config.example.yaml. */
const struct config_key *config_keys(size_t *ret_count) __attribute__((returns_nonnull));

/* The key of that dotted name, or NULL. */
const struct config_key *config_key_find(const char *name);

/* Never NULL; the caller frees it. */
struct config *config_defaults(void) __attribute__((returns_nonnull, warn_unused_result));

/* The file's values over the defaults; the caller frees it. Returns 0, or a negative errno with
 * *ret_error set: a file is taken whole or not at all. */
int config_load(const char *path, struct config **ret_config, struct config_error *ret_error)
	__attribute__((warn_unused_result));

/* The same from memory; file is what errors call it. */
int config_parse(const char *file, const char *text, size_t len, struct config **ret_config,
	struct config_error *ret_error) __attribute__((warn_unused_result));

/* NULL is allowed. */
void config_free(struct config *config);

/* Lays an option over the file: sets the key to the value, which is checked as the file's would be;
 * a list gets it as one more item. The error begins with origin ("--interval"). Returns 0, -EINVAL,
 * or -ENOENT for a key that there is not, or that one value cannot set (databases). */
int config_set(struct config *config, const char *key, const char *value, const char *origin,
	struct config_error *ret_error) __attribute__((warn_unused_result));

/* Whether each of `columns` is one of the names the view knows: the view's table is not ours to
 * include. Returns 0, or -EINVAL with *ret_error naming file, line and the nearest known name. */
int config_check_columns(const struct config *config, const char *const *known, size_t count,
	struct config_error *ret_error) __attribute__((warn_unused_result));

/* The folders with dbtop's files. */
struct config_places {
	const char *user;   /* $XDG_CONFIG_HOME/dbtop, or ~/.config/dbtop; NULL: no home */
	const char *system; /* /etc/dbtop */
};

/* From the values of $XDG_CONFIG_HOME and $HOME, which may be NULL; what is not an absolute path is
 * passed over, as the XDG base directory specification has it. */
struct config_places config_places(struct arena *arena, const char *config_home, const char *home);

/* Which file to load: the explicit one whether it exists or not (loading it says so); else the
 * first config.yaml that is there, readable or not. Returns 0; 1 when there is none: built-in
 * defaults. */
int config_find(struct arena *arena, const char *explicit_path, const struct config_places *places,
	const char **ret_path) __attribute__((warn_unused_result));

#endif
