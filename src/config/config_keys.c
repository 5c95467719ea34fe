/* Every key of the settings file. */
#include "config/config_keys.h"

#include <string.h>

#define LONGEST_LIMIT "3650d"

#define AT(member) .offset = offsetof(struct config, member)

static const struct config_key keys[] = {
	{ "databases", CONFIG_DATABASES, "{}",
		"servers by name, each a conninfo as psql takes it: dbtop NAME, or --all",
		AT(databases) },
	{ "interval", CONFIG_SECONDS, "1", "seconds between two refreshes", .min = "0.1",
		.max = "3600", AT(interval) },
	{ "theme", CONFIG_THEME, "default", "colours: a file in themes/, without .yaml",
		AT(theme) },
	{ "leaks.idle", CONFIG_DURATION, "5min", "idle for longer is presumed leaked", .min = "1ms",
		.max = LONGEST_LIMIT, AT(rules.idle) },
	{ "leaks.transaction", CONFIG_DURATION, "5min",
		"idle in transaction for longer is presumed leaked", .min = "1ms",
		.max = LONGEST_LIMIT, AT(rules.transaction) },
	{ "leaks.held", CONFIG_LIMIT, "none",
		"borrowed and at rest for longer is leaked; none: by the pool's own limit",
		.min = "1ms", .max = LONGEST_LIMIT, AT(rules.held) },
	{ "protect.applications", CONFIG_PATTERNS, "[]",
		"application names that never count as leaked, as shell patterns: [\"psql*\"]",
		AT(rules.protected_applications) },
	{ "protect.users", CONFIG_PATTERNS, "[]", "the same for database users",
		AT(rules.protected_users) },
	{ "protect.processes", CONFIG_PATTERNS, "[]",
		"the same for names of processes, which an emergency leaves alone, too",
		AT(rules.protected_processes) },
	{ "pgbouncer", CONFIG_LIST, "[]", "PgBouncer admin consoles, each a conninfo",
		AT(pgbouncer) },
	{ "pages", CONFIG_TEXT, "\"\"",
		"folder with the pools' stats pages; empty: where libdbpool puts them", AT(pages) },
	{ "hosts", CONFIG_HOSTS, "[]",
		"other machines whose dbtop is asked over ssh for the processes there", AT(hosts) },
	{ "proxy.process", CONFIG_TEXT, "cloud-sql-proxy",
		"name of the local proxy's process; empty: there is none", AT(proxy.process) },
	{ "proxy.port", CONFIG_INTEGER, "0",
		"port the proxy listens on; 0: the one dbtop connects to", .min = "0",
		.max = "65535", AT(proxy.port) },
	{ "proxy.health", CONFIG_URL, "http://localhost:9090",
		"where the proxy reports its health; empty: not used", AT(proxy.health) },
	{ "proxy.start", CONFIG_LIST, "[]",
		"command that starts the proxy, one item an argument; no shell reads it",
		AT(proxy.start) },
	{ "proxy.autostart", CONFIG_BOOLEAN, "false",
		"true: dbtop starts the proxy when nobody listens there", AT(proxy.autostart) },
	{ "emergency.grace", CONFIG_DURATION, "10s",
		"time a process has between SIGTERM and SIGKILL", .min = "0s", .max = "1h",
		AT(emergency.grace) },
	{ "emergency.applications", CONFIG_PATTERNS, "[]",
		"what an emergency stops, as shell patterns: names or command lines of processes, "
		"or application names; empty: all it may stop",
		AT(emergency.applications) },
	{ "guard.for", CONFIG_DURATION, "30s", "the guard ends what has been a leak for so long",
		.min = "0s", .max = LONGEST_LIMIT, AT(guard.after) },
	{ "guard.min_certainty", CONFIG_CERTAINTY, "proven",
		"what the guard ends: proven, declared (and proven) or presumed (all leaks)",
		AT(guard.min_certainty) },
	{ "guard.yes", CONFIG_BOOLEAN, "false", "true: the guard needs no --yes", AT(guard.yes) },
	{ "metrics.processes", CONFIG_INTEGER, "20",
		"so many of the processes with the most connections are shown by name", .min = "0",
		.max = "1000", AT(metrics_processes) },
	{ "columns", CONFIG_LIST, "[]", "columns of the table in order; empty: all that fit",
		AT(columns) },
	{ "mouse", CONFIG_BOOLEAN, "true",
		"dbtop uses clicks and the wheel; selecting text then needs Shift", AT(mouse) },
	{ "bell", CONFIG_BOOLEAN, "false", "ring when more connections are leaked than before",
		AT(bell) },
	{ "kill_limit", CONFIG_INTEGER, "60", "terminations a minute before dbtop asks again",
		.min = "1", .max = "100000", AT(kill_limit) },
	{ "readonly", CONFIG_BOOLEAN, "false", "true: no action can be taken", AT(readonly) },
	{ "log", CONFIG_TEXT, "\"\"", "file for dbtop's own log; empty: none", AT(log) },
};

const struct config_key *config_keys(size_t *ret_count)
{
	*ret_count = sizeof(keys) / sizeof(keys[0]);
	return keys;
}

const struct config_key *config_key_find(const char *name)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strcmp(keys[i].name, name) == 0)
			return &keys[i];
	return NULL;
}
