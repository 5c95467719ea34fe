/* The settings, and the table of the keys that set them. */
#ifndef CONFIG_CONFIG_KEYS_H
#define CONFIG_CONFIG_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/endpoint.h"
#include "model/rules.h"
#include "model/verdict.h"

struct arena;
struct node;

struct config_list {
	const char **items; /* items[count] is NULL; no item is empty */
	size_t count;
};

struct config_database {
	const char *name, *conninfo;         /* neither is empty; names differ */
	struct config_list password_command; /* prints the password, as argv; empty: none */
};

struct config_databases {
	const struct config_database *items; /* in the order of the file */
	size_t count;
};

/* Another machine whose dbtop is asked. */
struct config_host {
	const char *name;           /* a destination of ssh: not empty, does not begin with - */
	struct config_list command; /* what is run instead of ssh, as argv; empty: ssh */
	const struct endpoint *addresses; /* those that it speaks for; none: those of its name */
	size_t n_addresses;
};

struct config_hosts {
	const struct config_host *items; /* names differ */
	size_t count;
};

struct config_proxy {
	const char *process; /* the process's name; "": no proxy */
	int port;            /* the port where it listens; 0: the port that dbtop connects to */
	const char *health;  /* its health endpoint's http:// or https:// URL; "": not used */
	/* its command as argv, never run by a shell; empty: cannot be started */
	struct config_list start;
	bool autostart; /* it is started when nobody listens there */
};

struct config_emergency {
	int64_t grace; /* µs between SIGTERM and SIGKILL */
	struct patterns applications;
};

struct config_guard {
	int64_t after; /* µs that something is a leak before it is ended */
	enum certainty min_certainty;
	bool yes; /* the guard needs no --yes */
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
	struct config_hosts hosts;
	struct config_proxy proxy;
	struct config_emergency emergency;
	struct config_guard guard;
	int metrics_processes; /* so many are shown by name in the metrics */
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
	CONFIG_INTEGER,   /* int */
	CONFIG_SECONDS,   /* int64_t, µs: a number of seconds */
	CONFIG_DURATION,  /* int64_t, µs: a number with an optional unit */
	CONFIG_LIMIT,     /* the same, or "none": RULES_NO_LIMIT */
	CONFIG_CERTAINTY, /* enum certainty: proven, declared or presumed */
	CONFIG_TEXT,
	CONFIG_THEME,     /* text: a theme's name */
	CONFIG_URL,       /* text: http:// or https://, or empty */
	CONFIG_LIST,      /* struct config_list */
	CONFIG_PATTERNS,  /* struct patterns */
	CONFIG_DATABASES, /* struct config_databases */
	CONFIG_HOSTS,     /* struct config_hosts */
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

#endif
