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
#include <sys/stat.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "config/config.h"
#include "config/document.h"
#include "config/nearest.h"

#define EXAMPLE "config.example.yaml"
#define FULL    "tests/data/config/full.yaml"

/* Whether the text has no character that a terminal executes, and is not cut within a character. */
static void assert_clean(const char *text)
{
	struct arena *arena = arena_new();
	size_t len = strlen(text);
	assert_in_range(len, 1, sizeof(((struct config_error *)0)->text) - 1);
	assert_string_equal(text_clean(arena, text, len, TEXT_LINE), text);
	arena_free(arena);
}

static struct config_error refused(const char *text, size_t len)
{
	struct config *config = NULL;
	struct config_error error = { 0 };
	assert_int_equal(config_parse("f.yaml", text, len, &config, &error), -EINVAL);
	assert_null(config);
	assert_clean(error.text);
	return error;
}

static void assert_refused(const char *text, const char *expected)
{
	assert_string_equal(refused(text, strlen(text)).text, expected);
}

static struct config *parsed(const char *text)
{
	struct config *config = NULL;
	struct config_error error = { 0 };
	int r = config_parse("f.yaml", text, strlen(text), &config, &error);
	assert_string_equal(error.text, "");
	assert_int_equal(r, 0);
	return config;
}

static struct config *loaded(const char *path)
{
	struct config *config = NULL;
	struct config_error error = { 0 };
	int r = config_load(path, &config, &error);
	assert_string_equal(error.text, "");
	assert_int_equal(r, 0);
	return config;
}

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

static char *read_whole(const char *path)
{
	CLEANUP(cleanup_file) FILE *file = fopen(path, "re");
	assert_non_null(file);
	char *text = calloc(1, 65536);
	assert_in_range(fread(text, 1, 65535, file), 1, 65534);
	return text;
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
		{ "applications: []\n", "f.yaml:1: applications: unknown key" },
		{ "zebra: 5\n", "f.yaml:1: zebra: unknown key" },
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

static void yaml_surprises_are_refused(void **state)
{
	(void)state;
	static const struct {
		const char *text, *error;
	} cases[] = {
		{ "log: &a x\npages: *a\n", "f.yaml:1: anchors (&name) are not supported" },
		{ "leaks: &a {idle: 1}\n", "f.yaml:1: anchors (&name) are not supported" },
		{ "columns: &a []\n", "f.yaml:1: anchors (&name) are not supported" },
		{ "interval: 1\nlog: *a\n", "f.yaml:2: aliases (*name) are not supported" },
		{ "leaks:\n  <<: {idle: 1}\n", "f.yaml:2: leaks.<<: merge keys are not supported" },
		{ "log: !!binary aGk=\n", "f.yaml:1: tags (!name) are not supported" },
		{ "leaks: !x {idle: 1}\n", "f.yaml:1: tags (!name) are not supported" },
		{ "columns: !x []\n", "f.yaml:1: tags (!name) are not supported" },
		{ "interval: 1\n---\ninterval: 2\n",
			"f.yaml:2: a second document: one file holds one document" },
		{ "log: |\n  a\n  b\n",
			"f.yaml:1: log: contains a line break, or a control or "
			"invisible character" },
		{ "log: \"a\\e[2J\"\n",
			"f.yaml:1: log: contains a line break, or a control or "
			"invisible character" },
		{ "log: \"a\\0b\"\n",
			"f.yaml:1: log: contains a line break, or a control or "
			"invisible character" },
		{ "log: \"a\\u202eb\"\n",
			"f.yaml:1: log: contains a line break, or a control or "
			"invisible character" },
		{ "interval: 1\nleaks: [\n",
			"f.yaml:3: not valid YAML: did not find expected node content, while "
			"parsing a flow node" },
		{ "interval: 1\nlog: @x\n",
			"f.yaml:2: not valid YAML: found character that cannot start any token, "
			"while scanning for the next token" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_refused(cases[i].text, cases[i].error);
}

static void terminal_escapes_in_keys_come_out_clean(void **state)
{
	(void)state;
	assert_refused("\"\\e]0;pwned\\a\": 1\n",
		"f.yaml:1: ␛]0;pwned␇: contains a line break, or a control or invisible character");
	assert_refused("\"x\\u009b2J\": 1\n",
		"f.yaml:1: x\xef\xbf\xbd"
		"2J: contains a line break, or a control or invisible character");
	struct config *config = NULL;
	struct config_error error;
	assert_int_equal(config_parse("\033[2Jf\n", "x", 1, &config, &error), -EINVAL);
	assert_string_equal(error.text, "␛[2Jf␊:1: expected lines of the form KEY: VALUE");
}

static void broken_bytes_are_refused_with_their_line(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		size_t len;
	} cases[] = {
		{ "log: x\n#\xff\n", 9 },
		{ "log: x\n#\xc0\xaf\n", 10 },
		{ "log: x\n#\xed\xa0\x80\n", 11 },
		{ "log: x\n#\xe6\xbc", 10 },
		{ "log: x\n\0: 1\n", 12 },
		{ "log: x\n#\033[2J\n", 13 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config_error error = refused(cases[i].text, cases[i].len);
		assert_memory_equal(error.text, "f.yaml:2: not valid YAML: ", 26);
	}
	/* UTF-16 is not recognized by its byte-order mark. */
	static const char utf16[] = "\xff\xfei\0:\0 \0001\0";
	assert_memory_equal(
		refused(utf16, sizeof(utf16) - 1).text, "f.yaml:1: not valid YAML: ", 26);
}

static char *repeated(const char *piece, size_t times)
{
	size_t len = strlen(piece);
	char *text = calloc(1, len * times + 1);
	for (size_t i = 0; i < times; i++)
		memcpy(text + i * len, piece, len);
	return text;
}

static void what_is_too_much_is_refused(void **state)
{
	(void)state;
	static const struct {
		const char *piece;
		size_t times;
	} cases[] = {
		{ "[", 10000 },
		{ "{", 10000 },
		{ "{a: ", 10000 },
		{ "- ", 10000 },
		{ "? ", 10000 },
		{ "[", 1000000 },
		{ "? [", 100000 },
		{ "- a\n", 250000 },
		{ "a", 1000000 },
		{ "\"", 1000000 },
		{ "%", 1000000 },
		{ "&a ", 100000 },
		{ "---\n", 200000 },
		{ "漢", 300000 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		CLEANUP(cleanup_free) char *text = repeated(cases[i].piece, cases[i].times);
		refused(text, strlen(text));
	}
}

static void limits_are_reported(void **state)
{
	(void)state;
	struct arena *arena = arena_new();
	CLEANUP(cleanup_free) char *scalar = repeated("x", 5000), *deep = repeated("[", 10000);
	assert_refused(
		arena_printf(arena, "log: %s\n", scalar), "f.yaml:1: log: longer than 4096 bytes");
	assert_refused(arena_printf(arena, "log: %s\n", deep),
		"f.yaml:1: log: nested deeper than 8 levels");
	const char *many = "columns: [";
	CLEANUP(cleanup_free) char *items = repeated("a,\n", 10001);
	assert_refused(
		arena_printf(arena, "%s%s]\n", many, items), "f.yaml:9999: more than 10000 values");
	/* A key that is far too long is cut, and the error still names its line. */
	struct config_error error = refused(scalar, 5000);
	assert_string_equal(error.text, "f.yaml:1: longer than 4096 bytes");
	CLEANUP(cleanup_free) char *wide = repeated("漢", 300);
	const char *text = arena_printf(arena, "%s: 1\n", wide);
	error = refused(text, strlen(text));
	assert_non_null(strstr(error.text, "漢…: unknown key"));
	text = arena_printf(arena, "interval: %s\n", wide);
	error = refused(text, strlen(text));
	assert_non_null(strstr(error.text, "漢…\""));
	arena_free(arena);
}

static void long_paths_keep_their_tail(void **state)
{
	(void)state;
	struct arena *arena = arena_new();
	CLEANUP(cleanup_free) char *folder = repeated("/Größe", 200);
	struct config *config = NULL;
	struct config_error error;
	const char *path = arena_printf(arena, "%s/config.yaml", folder);
	assert_int_equal(config_parse(path, "zebra: 1", 8, &config, &error), -EINVAL);
	assert_clean(error.text);
	assert_memory_equal(error.text, "…", strlen("…"));
	assert_non_null(strstr(error.text, "Größe/config.yaml:1: zebra: unknown key"));
	arena_free(arena);
}

/* A file that is cut anywhere, or has bytes overwritten, is either read or refused. */
static void truncated_and_damaged_files_do_no_harm(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *text = read_whole("tests/data/config/full.yaml");
	static const char damage[] = "\0\n\033[{&*!\"'|%:#-?\xff";
	size_t len = strlen(text), taken = 0, refusals = 0;
	for (size_t i = 0; i < len; i++) {
		struct config *config = NULL;
		struct config_error error = { 0 };
		int r = config_parse("f.yaml", text, i, &config, &error);
		char kept = text[i];
		text[i] = damage[i % (sizeof(damage) - 1)];
		taken += r == 0;
		config_free(config);
		config = NULL;
		r = config_parse("f.yaml", text, len, &config, &error);
		refusals += r < 0;
		if (r < 0)
			assert_clean(error.text);
		config_free(config);
		text[i] = kept;
	}
	assert_in_range(taken, 10, len - 1);
	assert_in_range(refusals, 10, len - 1);
}

static void assert_not_loaded(const char *path, int expected, const char *text)
{
	struct config *config = NULL;
	struct config_error error = { 0 };
	assert_int_equal(config_load(path, &config, &error), expected);
	assert_null(config);
	assert_string_equal(error.text, text);
}

static void only_regular_files_of_sane_size_are_read(void **state)
{
	(void)state;
	char folder[] = "/tmp/dbtop-test-XXXXXX", path[64], expected[128];
	assert_non_null(mkdtemp(folder));
	assert_not_loaded(
		"/nonexistent/x.yaml", -ENOENT, "/nonexistent/x.yaml: No such file or directory");
	assert_not_loaded("/dev/zero", -EINVAL, "/dev/zero: not a regular file");
	snprintf(expected, sizeof(expected), "%s: not a regular file", folder);
	assert_not_loaded(folder, -EINVAL, expected);

	snprintf(path, sizeof(path), "%s/fifo", folder);
	snprintf(expected, sizeof(expected), "%s: not a regular file", path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_not_loaded(path, -EINVAL, expected);
	assert_int_equal(unlink(path), 0);

	snprintf(path, sizeof(path), "%s/large", folder);
	snprintf(expected, sizeof(expected), "%s: larger than 1 MiB", path);
	FILE *file = fopen(path, "we");
	assert_non_null(file);
	for (int i = 0; i < 1024 * 1024 / 64; i++)
		fprintf(file, "#%62d\n", i);
	assert_int_equal(fclose(file), 0);
	config_free(loaded(path));
	assert_int_equal(truncate(path, 1024 * 1024 + 1), 0);
	assert_not_loaded(path, -EFBIG, expected);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(folder), 0);
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

static void places_follow_the_environment(void **state)
{
	(void)state;
	struct arena *arena = arena_new();
	assert_string_equal(config_places(arena, "/x", "/home/u").user, "/x/dbtop");
	assert_string_equal(config_places(arena, NULL, "/home/u").user, "/home/u/.config/dbtop");
	assert_string_equal(config_places(arena, "", "/home/u").user, "/home/u/.config/dbtop");
	assert_string_equal(config_places(arena, "x", "/home/u").user, "/home/u/.config/dbtop");
	assert_null(config_places(arena, NULL, NULL).user);
	assert_null(config_places(arena, "x", "").user);
	assert_string_equal(config_places(arena, NULL, NULL).system, "/etc/dbtop");
	arena_free(arena);
}

static void create(const char *path)
{
	FILE *file = fopen(path, "we");
	assert_non_null(file);
	assert_int_equal(fclose(file), 0);
}

static void the_first_file_that_is_there_is_found(void **state)
{
	(void)state;
	struct arena *arena = arena_new();
	char folder[] = "/tmp/dbtop-test-XXXXXX";
	assert_non_null(mkdtemp(folder));
	const char *user = arena_printf(arena, "%s/user", folder);
	const char *user_file = arena_printf(arena, "%s/config.yaml", user);
	const char *system_file = arena_printf(arena, "%s/config.yaml", folder);
	const char *found = NULL;
	struct config_places places = { .user = user, .system = folder };
	assert_int_equal(config_find(arena, NULL, &places, &found), 1);
	assert_null(found);
	create(system_file);
	assert_int_equal(config_find(arena, NULL, &places, &found), 0);
	assert_string_equal(found, system_file);
	assert_int_equal(mkdir(user, 0700), 0);
	create(user_file);
	assert_int_equal(config_find(arena, NULL, &places, &found), 0);
	assert_string_equal(found, user_file);
	places.user = NULL;
	assert_int_equal(config_find(arena, NULL, &places, &found), 0);
	assert_string_equal(found, system_file);
	assert_int_equal(config_find(arena, "/nonexistent", &places, &found), 0);
	assert_string_equal(found, "/nonexistent");
	/* A dangling link counts as an existing file: loading it reports the error. */
	assert_int_equal(unlink(user_file), 0);
	assert_int_equal(symlink("/nonexistent", user_file), 0);
	places.user = user;
	assert_int_equal(config_find(arena, NULL, &places, &found), 0);
	assert_string_equal(found, user_file);
	assert_int_equal(unlink(user_file), 0);
	assert_int_equal(rmdir(user), 0);
	assert_int_equal(unlink(system_file), 0);
	assert_int_equal(rmdir(folder), 0);
	arena_free(arena);
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
		cmocka_unit_test(yaml_surprises_are_refused),
		cmocka_unit_test(terminal_escapes_in_keys_come_out_clean),
		cmocka_unit_test(broken_bytes_are_refused_with_their_line),
		cmocka_unit_test(what_is_too_much_is_refused),
		cmocka_unit_test(limits_are_reported),
		cmocka_unit_test(long_paths_keep_their_tail),
		cmocka_unit_test(truncated_and_damaged_files_do_no_harm),
		cmocka_unit_test(only_regular_files_of_sane_size_are_read),
		cmocka_unit_test(nearest_is_near),
		cmocka_unit_test(options_are_laid_over_the_file),
		cmocka_unit_test(columns_are_checked_against_the_views),
		cmocka_unit_test(places_follow_the_environment),
		cmocka_unit_test(the_first_file_that_is_there_is_found),
	};
	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
