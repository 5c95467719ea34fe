/* modes/settings: which servers the options and the configuration name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "modes/app.h"
#include "modes/options_check.h"
#include "modes/settings.h"

#define MOST_WORDS 8

static char path[] = "/tmp/dbtop-settings-XXXXXX";

static void write_config(const char *text)
{
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static const char two[] = "databases:\n"
			  "  shop: host=a dbname=shop\n"
			  "  web: { conninfo: host=b, password_command: [print-password] }\n";

static int make_file(void **state)
{
	(void)state;
	int fd = mkstemp(path);
	return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

/* Reads the command line, which names the configuration; the caller releases the settings. */
static int read_settings(struct app *app, const char *const *words)
{
	char *argv[MOST_WORDS + 4] = { (char *)"dbtop", (char *)"-c", path };
	int argc = 3;
	while (*words)
		argv[argc++] = (char *)*words++;
	*app = (struct app){ 0 };
	int r = options_parse(argc, argv, &app->options);
	if (r == 0)
		r = options_check(&app->options);
	if (r == 0)
		r = settings_read(app);
	return r == 0 ? settings_read_servers(app) : r;
}

static void assert_text(const char *text, const char *expected)
{
	if (!expected)
		assert_null(text);
	else
		assert_string_equal(text ? text : "(none)", expected);
}

struct expected_server {
	const char *name, *host, *database, *command;
};

static void each_named_server_is_read(void **state)
{
	(void)state;
	static const struct {
		const char *words[MOST_WORDS];
		struct expected_server servers[4];
		size_t count;
	} cases[] = {
		{ { NULL }, { { NULL, NULL, NULL, "" } }, 1 },
		{ { "shop" }, { { "shop", "a", "shop", " shop" } }, 1 },
		{ { "--all" }, { { "shop", "a", "shop", " shop" }, { "web", "b", NULL, " web" } },
			2 },
		{ { "web", "shop" },
			{ { "web", "b", NULL, " web" }, { "shop", "a", "shop", " shop" } }, 2 },
		{ { "shop", "host=c dbname=x", "other" },
			{ { "shop", "a", "shop", " shop" },
				{ NULL, "c", "x", " 'host=c dbname=x'" },
				{ NULL, NULL, "other", " other" } },
			3 },
		/* as with one server, options override the configuration */
		{ { "-h", "d", "web", "host=c" },
			{ { "web", "d", NULL, " web" }, { NULL, "c", NULL, " host=c" } }, 2 },
	};
	write_config(two);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct app app;
		assert_int_equal(read_settings(&app, cases[i].words), 0);
		assert_int_equal(app.n_servers, cases[i].count);
		for (size_t k = 0; k < app.n_servers; k++) {
			const struct expected_server *expected = &cases[i].servers[k];
			const struct app_server *server = &app.servers[k];
			assert_text(server->name, expected->name);
			assert_text(params_get(&server->params, "host"), expected->host);
			assert_text(params_get(&server->params, "dbname"), expected->database);
			bool is_web = server->name && strcmp(server->name, "web") == 0;
			assert_int_equal(server->password_command != NULL, is_web);
			const char *command = strstr(server->command, path);
			assert_non_null(command);
			if (!app.options.host)
				assert_string_equal(command + strlen(path), expected->command);
		}
		settings_release(&app);
	}
}

static void what_is_no_list_of_servers_is_refused(void **state)
{
	(void)state;
	static const struct {
		const char *config, *words[MOST_WORDS];
	} cases[] = {
		{ two, { "shop", "shop" } },
		{ two, { "--all", "shop" } },
		{ two, { "-W", "--all" } },
		{ two, { "--demo", "--all" } },
		{ two, { "--replay", "-", "shop", "web" } },
		{ "interval: 2\n", { "--all" } },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct app app;
		write_config(cases[i].config);
		assert_int_equal(read_settings(&app, cases[i].words), -22);
		settings_release(&app);
	}
}

/* What D connects to: the others as the configuration has them. */
static void the_others_of_the_configuration_are_added(void **state)
{
	(void)state;
	static const char *const words[] = { "-h", "elsewhere", "shop", NULL };
	struct app app;
	write_config("databases:\n"
		     "  shop: host=a dbname=shop\n"
		     "  wrong: host=a dbname=\n"
		     "  bad: \"host='a\"\n"
		     "  up: { conninfo: host=b, password_command: [print-password] }\n");
	assert_int_equal(read_settings(&app, words), 0);
	assert_int_equal(app.n_servers, 1);
	char *error = settings_add_databases(&app);
	assert_int_equal(app.n_servers, 3);
	assert_text(params_get(&app.servers[0].params, "host"), "elsewhere");
	/* -h was for the server that it was given with */
	assert_text(params_get(&app.servers[2].params, "host"), "b");
	assert_non_null(app.servers[2].password_command);
	assert_string_equal(app.servers[2].name, "up");
	assert_null(strstr(app.servers[2].command, "elsewhere"));
	/* one that cannot be read is reported, and the others are taken all the same */
	assert_non_null(error);
	assert_int_equal(strncmp(error, "bad: ", 5), 0);
	assert_null(strchr(error, '\n'));
	free(error);
	/* nothing is added twice */
	error = settings_add_databases(&app);
	assert_int_equal(app.n_servers, 3);
	free(error);
	settings_release(&app);
}

/* SIGHUP needs a new run only if the servers are others. */
static void a_change_of_the_servers_is_noticed(void **state)
{
	(void)state;
	static const struct {
		const char *config;
		bool same;
	} cases[] = {
		{ two, true },
		{ "interval: 3\ndatabases:\n  shop: host=a dbname=shop\n"
		  "  web: { conninfo: host=b, password_command: [print-password] }\n",
			true },
		{ "databases:\n  shop: host=a dbname=shop\n", false },
		{ "databases:\n  shop: host=a dbname=shop\n  web: host=b\n", false },
		{ "databases:\n  shop: host=a dbname=shop\n"
		  "  www: { conninfo: host=b, password_command: [print-password] }\n",
			false },
		{ "databases:\n  shop: host=a dbname=shop port=1\n"
		  "  web: { conninfo: host=b, password_command: [print-password] }\n",
			false },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		static const char *const words[] = { "--all", NULL };
		struct app app, before = { 0 };
		write_config(two);
		assert_int_equal(read_settings(&app, words), 0);
		write_config(cases[i].config);
		assert_int_equal(settings_read_again(&app, &before), 0);
		assert_int_equal(settings_same_servers(&app, &before), cases[i].same);
		settings_release(&before);
		settings_release(&app);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_named_server_is_read),
		cmocka_unit_test(what_is_no_list_of_servers_is_refused),
		cmocka_unit_test(the_others_of_the_configuration_are_added),
		cmocka_unit_test(a_change_of_the_servers_is_noticed),
	};
	return cmocka_run_group_tests_name("settings", tests, make_file, remove_file);
}
