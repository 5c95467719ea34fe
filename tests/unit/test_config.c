/* config: the settings file, its defaults, its errors, and hostile files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../support/config_fixture.h"
#include "base/arena.h"
#include "base/cleanup.h"
#include "config/config.h"
#include "config/document.h"
#include "config/nearest.h"

static void defaults_are_what_the_manual_says(void **state)
{
	(void)state;
	struct config *config = config_defaults();
	assert_int_equal(config->interval, 1000000);
	assert_string_equal(config->theme, "default");
	assert_int_equal(config->rules.idle, RULES_IDLE_DEFAULT);
	assert_int_equal(config->rules.transaction, RULES_TRANSACTION_DEFAULT);
	assert_int_equal(config->rules.held, RULES_NO_LIMIT);
	assert_null(config->rules.scope);
	assert_int_equal(config->databases.count, 0);
	assert_int_equal(config->proxy.start.count, 0);
	assert_null(config->proxy.start.items[0]);
	assert_int_equal(config->emergency.grace, 10000000);
	assert_int_equal(config->guard.after, 30000000);
	assert_int_equal(config->guard.min_certainty, CERTAINTY_PROVEN);
	assert_false(config->guard.yes);
	assert_int_equal(config->metrics_processes, 20);
	assert_int_equal(config->kill_limit, 60);
	assert_false(config->readonly);
	assert_string_equal(config->log, "");
	assert_null(config->root);
	config_free(config);
	config_free(NULL);
}

static void every_key_is_read(void **state)
{
	(void)state;
	struct config *config = loaded(FULL);
	assert_int_equal(config->databases.count, 2);
	assert_string_equal(config->databases.items[0].name, "zeta");
	assert_string_equal(config->databases.items[1].name, "alpha");
	assert_string_equal(
		config->databases.items[1].conninfo, "host=/run/postgresql dbname=staging");
	assert_int_equal(config->interval, 250000);
	assert_string_equal(config->theme, "night");
	assert_int_equal(config->rules.idle, 90000000);
	assert_int_equal(config->rules.transaction, 300000);
	assert_int_equal(config->rules.held, INT64_C(7200000000));
	assert_true(patterns_match(&config->rules.protected_applications, "backup 7"));
	assert_int_equal(config->rules.protected_applications.count, 2);
	assert_true(patterns_match(&config->rules.protected_users, "migrator"));
	assert_true(patterns_match(&config->rules.protected_processes, "my worker"));
	assert_int_equal(config->pgbouncer.count, 2);
	assert_string_equal(
		config->pgbouncer.items[1], "host=127.0.0.2 port=6432 dbname=pgbouncer");
	assert_string_equal(config->pages, "/run/dbpool");
	assert_int_equal(config->hosts.count, 2);
	assert_string_equal(config->hosts.items[0].name, "web1");
	assert_int_equal(config->hosts.items[0].command.count, 0);
	assert_string_equal(config->hosts.items[1].command.items[0], "podman");
	assert_int_equal(config->hosts.items[1].n_addresses, 2);
	assert_string_equal(config->proxy.process, "");
	assert_int_equal(config->proxy.port, 65535);
	assert_string_equal(config->proxy.health, "https://10.0.0.1:9090");
	assert_int_equal(config->proxy.start.count, 4);
	assert_true(config->proxy.autostart);
	assert_string_equal(config->proxy.start.items[2], "a b;c");
	assert_string_equal(config->proxy.start.items[3], "$HOME");
	assert_null(config->proxy.start.items[4]);
	assert_int_equal(config->emergency.grace, 0);
	assert_true(patterns_match(&config->emergency.applications, "app"));
	assert_int_equal(config->guard.after, 60000000);
	assert_int_equal(config->guard.min_certainty, CERTAINTY_DECLARED);
	assert_true(config->guard.yes);
	assert_int_equal(config->metrics_processes, 5);
	assert_int_equal(config->columns.count, 3);
	assert_string_equal(config->columns.items[2], "query");
	assert_false(config->mouse);
	assert_true(config->bell);
	assert_int_equal(config->kill_limit, 5);
	assert_true(config->readonly);
	assert_string_equal(config->log, "/var/log/dbtop Größe.log");
	config_free(config);
}

static void what_holds_nothing_is_the_defaults(void **state)
{
	(void)state;
	static const char *const texts[] = { "", "\n\n", "# a comment", "---\n", "--- ~\n...\n",
		"{}", "\xef\xbb\xbf# with a byte-order mark\n",
		"leaks:\nprotect:\n  users:\npgbouncer:\ndatabases:\n" };
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct config *config = parsed(texts[i]);
		assert_int_equal(config->rules.idle, RULES_IDLE_DEFAULT);
		assert_int_equal(config->rules.protected_users.count, 0);
		assert_int_equal(config->pgbouncer.count, 0);
		config_free(config);
	}
}

static const struct node *parse(struct arena *arena, const char *file, const char *text)
{
	const struct node *root = NULL;
	struct config_error error = { 0 };
	int r = document_parse(arena, file, text, strlen(text), &root, &error);
	assert_string_equal(error.text, "");
	assert_int_equal(r, 0);
	return root;
}

/* The node at a dotted path, or NULL. */
static const struct node *find(struct arena *arena, const struct node *map, const char *path)
{
	for (const struct node *node = map->first; node; node = node->next) {
		const char *key = document_key(arena, node);
		size_t len = strlen(key);
		if (strcmp(key, path) == 0)
			return node;
		if (strncmp(path, key, len) == 0 && path[len] == '.')
			return find(arena, node, path);
	}
	return NULL;
}

static size_t count_leaves(const struct node *map)
{
	size_t count = 0;
	for (const struct node *node = map->first; node; node = node->next)
		count += node->kind == NODE_MAP && node->first ? count_leaves(node) : 1;
	return count;
}

static void the_full_file_holds_every_key(void **state)
{
	(void)state;
	struct arena *arena = arena_new();
	CLEANUP(cleanup_free) char *text = read_whole(FULL);
	const struct node *full = parse(arena, FULL, text);
	size_t count;
	const struct config_key *keys = config_keys(&count);
	for (size_t i = 0; i < count; i++)
		if (!find(arena, full, keys[i].name))
			fail_msg("%s has no %s", FULL, keys[i].name);
	arena_free(arena);
}

static void example_holds_every_key_with_its_default(void **state)
{
	(void)state;
	struct arena *arena = arena_new();
	CLEANUP(cleanup_free) char *text = read_whole(EXAMPLE);
	const struct node *example = parse(arena, EXAMPLE, text);
	size_t count;
	const struct config_key *keys = config_keys(&count);
	for (size_t i = 0; i < count; i++) {
		const struct node *shown = find(arena, example, keys[i].name);
		assert_non_null(shown);
		const struct node *fallback =
			parse(arena, "k", arena_printf(arena, "k: %s", keys[i].fallback))->first;
		assert_int_equal(shown->kind, fallback->kind);
		assert_int_equal(shown->quoted, fallback->quoted);
		assert_null(shown->first);
		assert_null(fallback->first);
		if (shown->kind == NODE_TEXT)
			assert_string_equal(shown->text, fallback->text);
		assert_non_null(strstr(text, arena_printf(arena, "# %s\n", keys[i].description)));
	}
	assert_int_equal(count_leaves(example), count);
	arena_free(arena);
	config_free(loaded(EXAMPLE));
}

/* The keys that the example has as comments are accepted without the comment sign, too. */
static void example_with_its_samples_loads(void **state)
{
	(void)state;
	struct arena *arena = arena_new();
	CLEANUP(cleanup_free) char *text = read_whole(EXAMPLE);
	char *sampled = arena_alloc(arena, 65536);
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		char *sign = strstr(line, "#  ");
		if (sign)
			*sign = ' ';
		char *empty = strstr(line, "{}") ? strstr(line, "{}") : strstr(line, "start: []");
		if (empty)
			*(strchr(empty, '[') ? strchr(empty, '[') : empty) = '\0';
		if (strcmp(line, "pgbouncer: []") == 0 || strcmp(line, "hosts: []") == 0 ||
			strcmp(line, "columns: []") == 0)
			*strstr(line, " []") = '\0';
		strcat(strcat(sampled, line), "\n");
	}
	struct config *config = parsed(sampled);
	assert_int_equal(config->databases.count, 3);
	assert_int_equal(config->databases.items[2].password_command.count, 3);
	assert_int_equal(config->pgbouncer.count, 1);
	assert_int_equal(config->hosts.count, 2);
	assert_int_equal(config->hosts.items[1].command.count, 7);
	assert_int_equal(config->proxy.start.count, 3);
	assert_int_equal(config->columns.count, 5);
	config_free(config);
	arena_free(arena);
}

static void names_and_types_of_keys_are_checked(void **state)
{
	(void)state;
	static const struct {
		const char *text, *error;
	} cases[] = {
		{ "leaks:\n  idel: 5\n",
			"f.yaml:2: leaks.idel: unknown key; did you mean leaks.idle?" },
		{ "\nleak:\n  idle: 5\n", "f.yaml:2: leak: unknown key; did you mean leaks?" },
		{ "idle: 5\n", "f.yaml:1: idle: unknown key; did you mean leaks.idle?" },
		{ "proxy: {grace: 5}\n",
			"f.yaml:1: proxy.grace: unknown key; did you mean emergency.grace?" },
		{ "applications: []\n",
			"f.yaml:1: applications: unknown key; did you mean protect.applications or "
			"emergency.applications?" },
		{ "protect:\n  app: []\n",
			"f.yaml:2: protect.app: unknown key; did you mean protect.applications?" },
		{ "inter: 5\n", "f.yaml:1: inter: unknown key; did you mean interval?" },
		{ "protect: {zebra: []}\n",
			"f.yaml:1: protect.zebra: unknown key; there are applications, users, "
			"processes" },
		{ "zebra: 5\n", "f.yaml:1: zebra: unknown key; man dbtop-config has them all" },
		{ "leaks.idle: 5\n",
			"f.yaml:1: leaks.idle: a key must not contain a dot: write a section's "
			"keys indented "
			"under its name" },
		{ "leaks: 5\n", "f.yaml:1: leaks: expected a section: its keys indented under it" },
		{ "interval: 1\ninterval: 2\n",
			"f.yaml:2: interval: given twice, first in line 1" },
		{ "leaks: {idle: 1}\nleaks: {held: 1}\n",
			"f.yaml:2: leaks: given twice, first in line 1" },
		{ "interval: fast\n",
			"f.yaml:1: interval: expected a number of seconds from 0.1 "
			"to 3600, found \"fast\"" },
		{ "\"\": 1\n", "f.yaml:1: a key is empty" },
		{ "[interval]: 1\n", "f.yaml:1: a key must be text" },
		{ "interval\n", "f.yaml:1: expected lines of the form KEY: VALUE" },
		{ "- interval\n", "f.yaml:1: expected lines of the form KEY: VALUE" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_refused(cases[i].text, cases[i].error);
}

#define NINE "10.1.0.1,10.1.0.2,10.1.0.3,10.1.0.4,10.1.0.5,10.1.0.6,10.1.0.7,10.1.0.8,10.1.0.9"

static void values_are_checked(void **state)
{
	(void)state;
	static const char interval[] =
		"f.yaml:1: interval: expected a number of seconds from 0.1 to 3600, found ";
	static const char idle[] = "f.yaml:1: leaks.idle: expected a duration from 1ms to 3650d, "
				   "such as 300 (seconds), 300ms, 5min or 2h, found ";
	static const char port[] =
		"f.yaml:1: proxy.port: expected a whole number from 0 to 65535, found ";
	static const struct {
		const char *text, *error, *found;
	} cases[] = {
		{ "interval: 0.09\n", interval, "\"0.09\"" },
		{ "interval: 3600.1\n", interval, "\"3600.1\"" },
		{ "interval: -1\n", interval, "\"-1\"" },
		{ "interval: 1s\n", interval, "\"1s\"" },
		{ "interval: 1e1\n", interval, "\"1e1\"" },
		{ "interval: .inf\n", interval, "\".inf\"" },
		{ "interval: 1.2.3\n", interval, "\"1.2.3\"" },
		{ "interval: \"1\"\n", interval, "the text \"1\"" },
		{ "interval:\n", interval, "nothing" },
		{ "interval: null\n", interval, "nothing" },
		{ "interval: [1]\n", interval, "a list" },
		{ "interval: {a: 1}\n", interval, "a mapping" },
		{ "leaks: {idle: 0}\n", idle, "\"0\"" },
		{ "leaks: {idle: 5m}\n", idle, "\"5m\"" },
		{ "leaks: {idle: -5}\n", idle, "\"-5\"" },
		{ "leaks: {idle: 4000d}\n", idle, "\"4000d\"" },
		{ "leaks: {idle: []}\n", idle, "a list" },
		{ "proxy: {port: 65536}\n", port, "\"65536\"" },
		{ "proxy: {port: 010}\n", port, "\"010\"" },
		{ "proxy: {port: 0x10}\n", port, "\"0x10\"" },
		{ "proxy: {port: 5432.0}\n", port, "\"5432.0\"" },
		{ "proxy: {port: 99999999999999999999}\n", port, "\"99999999999999999999\"" },
		{ "proxy: {port: \"5432\"}\n", port, "the text \"5432\"" },
		{ "kill_limit: 0\n",
			"f.yaml:1: kill_limit: expected a whole number from 1 to 100000, found ",
			"\"0\"" },
		{ "readonly: 1\n", "f.yaml:1: readonly: expected true or false, found ", "\"1\"" },
		{ "readonly: \"true\"\n", "f.yaml:1: readonly: expected true or false, found ",
			"the text \"true\"" },
		{ "readonly: yes\n",
			"f.yaml:1: readonly: expected true or false (YAML's other words for them, "
			"such as yes and no, are not taken), found ",
			"\"yes\"" },
		{ "readonly: TRUE\n",
			"f.yaml:1: readonly: expected true or false (YAML's other words for them, "
			"such as yes and no, are not taken), found ",
			"\"TRUE\"" },
		{ "theme: ../evil\n", "f.yaml:1: theme: expected a theme's name, found ",
			"\"../evil\"" },
		{ "theme: \"\"\n", "f.yaml:1: theme: expected a theme's name, found ",
			"the text \"\"" },
		{ "guard: {min_certainty: sure}\n",
			"f.yaml:1: guard.min_certainty: expected proven, declared or presumed, "
			"found ",
			"\"sure\"" },
		{ "log: null\n", "f.yaml:1: log: expected text, found ", "nothing" },
		{ "hosts: web1\n", "f.yaml:1: hosts: expected a list of hosts, [A, B], found ",
			"\"web1\"" },
		{ "hosts: [\"-oProxyCommand=id\"]\n",
			"f.yaml:1: hosts: expected a host as ssh takes it, found ",
			"the text \"-oProxyCommand=id\"" },
		{ "hosts: [{name: -G}]\n",
			"f.yaml:1: hosts.name: expected a host as ssh takes it, found ", "\"-G\"" },
		{ "hosts: [web1, web1]\n", "f.yaml:1: hosts: the host is given twice", "" },
		{ "hosts: [{command: [ssh]}]\n", "f.yaml:1: hosts: there is no name", "" },
		{ "hosts: [{name: a, address: 10.0.0.1}]\n",
			"f.yaml:1: hosts.address: unknown key; expected name, command or addresses",
			"" },
		{ "hosts: [{name: a, addresses: [127.0.0.1]}]\n",
			"f.yaml:1: hosts.addresses: expected an IP address that is not a loopback "
			"address, found ",
			"\"127.0.0.1\"" },
		{ "hosts: [{name: a, addresses: [" NINE "," NINE "," NINE "," NINE "," NINE "," NINE
		  "," NINE ",10.0.0.1,10.0.0.2]}]\n",
			"f.yaml:1: hosts.addresses: expected at most 64 addresses, found ",
			"a list" },
		{ "hosts: [{name: a, addresses: [\"10.0.0.1:22\"]}]\n",
			"f.yaml:1: hosts.addresses: expected an IP address that is not a loopback "
			"address, found ",
			"the text \"10.0.0.1:22\"" },
		{ "pages: [a]\n", "f.yaml:1: pages: expected text, found ", "a list" },
		{ "protect:\n  users:\n    - app\n    - \"\"\n",
			"f.yaml:4: protect.users: expected text that is not empty, found ",
			"the text \"\"" },
		{ "protect: {users: app}\n",
			"f.yaml:1: protect.users: expected a list, [A, B], found ",
			"a single value" },
		{ "pgbouncer: [[a]]\n", "f.yaml:1: pgbouncer: expected text, found ", "a list" },
		{ "proxy: {start: cloud-sql-proxy x}\n",
			"f.yaml:1: proxy.start: expected a list, [A, B], found ",
			"a single value" },
		{ "databases: []\n",
			"f.yaml:1: databases: expected lines of the form NAME: CONNINFO", "" },
		{ "databases:\n  a: [x]\n", "f.yaml:2: databases.a: expected text, found ",
			"a list" },
		{ "databases:\n  a: \"\"\n", "f.yaml:2: databases.a: expected a conninfo, found ",
			"\"\"" },
		{ "databases:\n  a: {password_command: [x]}\n",
			"f.yaml:2: databases.a: there is no conninfo", "" },
		{ "databases:\n  a: {conninfo: x, password: y}\n",
			"f.yaml:2: databases.a.password: unknown key; expected conninfo or "
			"password_command",
			"" },
		{ "databases:\n  a: {conninfo: x, password_command: y}\n",
			"f.yaml:2: databases.a.password_command: expected a list, [A, B], found ",
			"a single value" },
		{ "databases:\n  host=x: a\n",
			"f.yaml:2: databases.host=x: expected a name, not a conninfo", "" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char expected[512];
		snprintf(expected, sizeof(expected), "%s%s", cases[i].error, cases[i].found);
		assert_refused(cases[i].text, expected);
	}
}

static void passwords_are_not_repeated(void **state)
{
	(void)state;
	static const char *const texts[] = { "pgbouncer: host=x password=hunter2\n",
		"proxy: {health: \"ftp://u:hunter2@h\"}\n", "databases: host=x password=hunter2\n",
		"databases: {a: {b: hunter2}}\n", "databases: {a: \"password=hunter2\\n\"}\n" };
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_null(strstr(refused(texts[i], strlen(texts[i])).text, "hunter2"));
}

static void limits_themselves_are_allowed(void **state)
{
	(void)state;
	struct config *config = parsed("interval: 0.1\nleaks: {idle: 1ms, held: 3650d}\n"
				       "proxy: {port: 0}\nemergency: {grace: 1h}\nkill_limit: 1\n");
	assert_int_equal(config->interval, 100000);
	assert_int_equal(config->rules.idle, 1000);
	assert_int_equal(config->emergency.grace, INT64_C(3600000000));
	config_free(config);
	config = parsed("interval: 3600\nkill_limit: 100000\n");
	assert_int_equal(config->interval, INT64_C(3600000000));
	assert_int_equal(config->kill_limit, 100000);
	config_free(config);
}

static void nearest_is_near(void **state)
{
	(void)state;
	assert_int_equal(nearest_distance("idle", "idle"), 0);
	assert_int_equal(nearest_distance("idel", "idle"), 1);
	assert_int_equal(nearest_distance("", "idle"), 4);
	assert_int_equal(nearest_distance("kitten", "sitting"), 3);
	static const char *const names[] = { "interval", "held", "idle", "leaks.held" };
	assert_string_equal(nearest_name("intervall", names, 4), "interval");
	assert_string_equal(nearest_name("hled", names, 4), "held");
	assert_string_equal(nearest_name("leaks.hold", names, 4), "leaks.held");
	assert_null(nearest_name("leaks.cold", names, 4));
	assert_string_equal(nearest_name("inter", names, 4), "interval");
	assert_string_equal(nearest_name("leaks.hel", names, 4), "leaks.held");
	assert_null(nearest_name("in", names, 4));
	assert_null(nearest_name("leaks.", names, 4));
	assert_null(nearest_name("x", names, 4));
	assert_null(nearest_name("", names, 4));
	CLEANUP(cleanup_free) char *giant = repeated("interval", 1000);
	assert_null(nearest_name(giant, names, 4));
}

static void options_are_laid_over_the_file(void **state)
{
	(void)state;
	struct config *config = parsed("interval: 5\npgbouncer: [host=a]\n");
	struct config_error error = { 0 };
	assert_int_equal(config_set(config, "interval", "0.5", "--interval", &error), 0);
	assert_int_equal(config->interval, 500000);
	assert_int_equal(config_set(config, "leaks.held", "2min", "--held-limit", &error), 0);
	assert_int_equal(config->rules.held, 120000000);
	assert_int_equal(config_set(config, "readonly", "true", "--readonly", &error), 0);
	assert_true(config->readonly);
	assert_int_equal(config_set(config, "pgbouncer", "host=b", "--pgbouncer", &error), 0);
	assert_int_equal(config->pgbouncer.count, 2);
	assert_string_equal(config->pgbouncer.items[0], "host=a");
	assert_string_equal(config->pgbouncer.items[1], "host=b");
	assert_null(config->pgbouncer.items[2]);

	assert_int_equal(config_set(config, "interval", "fast", "--interval", &error), -EINVAL);
	assert_string_equal(error.text,
		"--interval: expected a number of seconds from 0.1 to 3600, found \"fast\"");
	assert_int_equal(config_set(config, "pgbouncer", "", "--pgbouncer", &error), -EINVAL);
	assert_string_equal(error.text, "--pgbouncer: expected text that is not empty, found \"\"");
	assert_int_equal(config_set(config, "log", "a\033b", "--log", &error), -EINVAL);
	assert_string_equal(error.text, "--log: contains a control or invisible character");
	assert_int_equal(config->interval, 500000);
	assert_int_equal(config->pgbouncer.count, 2);
	assert_int_equal(config_set(config, "databases", "x", "x", &error), -ENOENT);
	assert_int_equal(config_set(config, "protect.users", "x", "x", &error), -ENOENT);
	assert_int_equal(config_set(config, "zebra", "x", "x", &error), -ENOENT);
	config_free(config);
}

static void columns_are_checked_against_the_views(void **state)
{
	(void)state;
	static const char *const known[] = { "pid", "status", "client", "query" };
	struct config_error error = { 0 };
	struct config *config = parsed("columns: [pid, query]\n");
	assert_int_equal(config_check_columns(config, known, 4, &error), 0);
	config_free(config);
	config = parsed("interval: 1\ncolumns:\n  - pid\n  - clinet\n");
	assert_int_equal(config_check_columns(config, known, 4, &error), -EINVAL);
	assert_string_equal(
		error.text, "f.yaml:4: columns: unknown column \"clinet\"; did you mean client?");
	config_free(config);
	config = parsed("columns:\n  - pid\n  - query\n  - pid\n");
	assert_int_equal(config_check_columns(config, known, 4, &error), -EINVAL);
	assert_string_equal(error.text, "f.yaml:4: columns: the column \"pid\" is given twice");
	config_free(config);
	config = config_defaults();
	assert_int_equal(config_check_columns(config, known, 4, &error), 0);
	assert_int_equal(config_set(config, "columns", "zebra", "x", &error), 0);
	assert_int_equal(config_check_columns(config, known, 4, &error), -EINVAL);
	assert_string_equal(error.text, "columns: unknown column \"zebra\"");
	config_free(config);
}

int main(void)
{
	setlocale(LC_ALL, "C.UTF-8");
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_what_the_manual_says),
		cmocka_unit_test(the_full_file_holds_every_key),
		cmocka_unit_test(every_key_is_read),
		cmocka_unit_test(what_holds_nothing_is_the_defaults),
		cmocka_unit_test(example_holds_every_key_with_its_default),
		cmocka_unit_test(example_with_its_samples_loads),
		cmocka_unit_test(names_and_types_of_keys_are_checked),
		cmocka_unit_test(values_are_checked),
		cmocka_unit_test(passwords_are_not_repeated),
		cmocka_unit_test(limits_themselves_are_allowed),
		cmocka_unit_test(nearest_is_near),
		cmocka_unit_test(options_are_laid_over_the_file),
		cmocka_unit_test(columns_are_checked_against_the_views),
	};
	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
