/* Stats pages in folders that only their application sees: a private /run, as a container or a
 * service has it. What a hostile container puts there is not believed. */
#include "live_group.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"

#define NOBODY_RUN "/run/user/65534"

static const char *folder; /* for pages that dbtop does not look for */

/* Runs a shell script with a new /run, and then the arguments after it. The namespaces end with the
 * program. */
static struct live_program *start_inside(
	const char *const *unshare, const char *script, const char *const *command)
{
	const char *argv[32] = { NULL };
	size_t n = 0;
	CLEANUP(cleanup_free)
	char *whole = mem_printf("mount -t tmpfs tmpfs /run; %s; exec \"$@\"", script);
	while (*unshare)
		argv[n++] = *unshare++;
	argv[n++] = "sh";
	argv[n++] = "-ec";
	argv[n++] = whole;
	argv[n++] = "sh";
	while (*command)
		argv[n++] = *command++;
	struct live_program *program = live_start(&(struct live_program_options){ .argv = argv });
	live_wait_out(program, "ready\n", 60000);
	return program;
}

static struct live_program *start_paged(const char *where, const char *name)
{
	const char *const argv[] = { PAGED_CLIENT_PATH, live_group_conninfo(LIVE_TCP4, NULL), where,
		name, "forget:100", NULL };
	struct live_program *program = live_start(&(struct live_program_options){ .argv = argv });
	live_wait_out(program, "ready\n", 60000);
	return program;
}

struct pool_name {
	const char *name;
	json_t *found; /* its row in "pools" */
};

/* Whether the pool's forgotten connection is a declared leak. */
static bool is_leaked(json_t *root, void *data)
{
	struct pool_name *pool = data;
	size_t i;
	json_t *row;
	json_array_foreach(live_member(root, "connections"), i, row)
	{
		const char *name = live_text(row, "application_name");
		const char *reason = live_text(row, "reason");
		if (name && strncmp(name, pool->name, strlen(pool->name)) == 0 && reason &&
			strcmp(reason, "held_too_long") == 0 &&
			strcmp(live_text(row, "certainty"), "declared") == 0)
			pool->found = row;
	}
	return pool->found;
}

static struct live_program *follow(void)
{
	return live_dbtop_start(NULL, "--json", "--follow", "-i", "0.2",
		live_group_conninfo(LIVE_UNIX, NULL), NULL);
}

/* The leak is known by the page, whose process is the session's. */
static void check_pool(const char *name, long inner_pid)
{
	struct pool_name pool = { .name = name };
	struct live_program *dbtop = follow();
	json_t *root = live_await_json(dbtop, is_leaked, &pool, name, 60000);
	const char *site = live_text(pool.found, "pool.site");
	if (!site || !strstr(site, "paged_client.c:"))
		fail_msg("no line of code: %s", json_dumps(pool.found, JSON_INDENT(1)));
	long pid = (long)json_integer_value(live_member(pool.found, "process.pid"));
	assert_true(pid > 0);
	json_t *row = live_find_text(root, "pools", "name", name);
	assert_non_null(row);
	assert_int_equal(json_integer_value(live_member(row, "pid")), pid);
	/* its name has the pid in the pool's own namespace */
	CLEANUP(cleanup_free)
	char *start = mem_printf("%s/%ld/", name, inner_pid ? inner_pid : pid);
	assert_memory_equal(live_text(pool.found, "application_name"), start, strlen(start));
	json_decref(root);
	live_free(dbtop);
}

static void a_containers_page_is_read(void **state)
{
	(void)state;
	const char *const command[] = { PAGED_CLIENT_PATH, live_group_conninfo(LIVE_TCP4, NULL), "",
		"contained", "forget:100", NULL };
	start_inside((const char *const[]){ "unshare", "--mount", "--pid", "--fork", "--kill-child",
			     "--mount-proc", NULL },
		"mkdir -p /run/user/0; export XDG_RUNTIME_DIR=/run/user/0", command);
	check_pool("contained", 1);
}

/* The user's number outside is another one than inside. */
static void a_page_in_a_user_namespace_is_read(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *passfile = live_passfile(true);
	CLEANUP(cleanup_free)
	char *script = mem_printf("mkdir -p /run/user/0; export XDG_RUNTIME_DIR=/run/user/0"
				  " PGPASSFILE=%s",
		passfile);
	const char *const command[] = { PAGED_CLIENT_PATH, live_group_conninfo(LIVE_TCP4, NULL), "",
		"mapped", "forget:100", NULL };
	start_inside(
		(const char *const[]){ "setpriv", "--reuid", "nobody", "--regid", "nogroup",
			"--clear-groups", "unshare", "--user", "--map-root-user", "--mount", NULL },
		script, command);
	check_pool("mapped", 0);
}

/* A service that dropped its rights, with a private folder. */
static void a_services_page_is_read(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *passfile = live_passfile(true);
	CLEANUP(cleanup_free)
	char *script = mem_printf("mkdir -p " NOBODY_RUN "; chown nobody " NOBODY_RUN
				  "; export XDG_RUNTIME_DIR=" NOBODY_RUN " PGPASSFILE=%s",
		passfile);
	const char *const command[] = { "setpriv", "--reuid", "nobody", "--regid", "nogroup",
		"--clear-groups", PAGED_CLIENT_PATH, live_group_conninfo(LIVE_TCP4, NULL), "",
		"service", "forget:100", NULL };
	start_inside((const char *const[]){ "unshare", "--mount", NULL }, script, command);
	check_pool("service", 0);
}

/* --- hostile containers --- */

/* Starts a container that has a connection, and a script that prepares its folder of pages. */
static void start_hostile(const char *script)
{
	const char *const command[] = { live_client_path(),
		live_group_conninfo(LIVE_TCP4, "application_name=hostile"), "idle", NULL };
	CLEANUP(cleanup_free)
	char *whole =
		mem_printf("mkdir -p /run/user/0; d=/run/user/0/dbpool; f=%s; %s", folder, script);
	start_inside((const char *const[]){ "unshare", "--mount", NULL }, whole, command);
}

static bool are_hostile_matched(json_t *root, void *data)
{
	size_t i, found = 0;
	json_t *row;
	json_array_foreach(live_member(root, "connections"), i, row)
	{
		const char *name = live_text(row, "application_name");
		found += name && strcmp(name, "hostile") == 0 &&
			json_is_integer(live_member(row, "process.pid"));
	}
	return found == *(const size_t *)data;
}

/* The victim's pool is not to be seen by dbtop, except through what the containers make of it. */
static void a_hostile_container_leads_nowhere(void **state)
{
	(void)state;
	static const char *const scripts[] = {
		/* links to a folder and a file outside */
		"ln -s $f $d",
		"mkdir -m 700 $d; ln -s $(ls $f/*.page) $d/",
		/* a copy of another process's page */
		"mkdir -m 700 $d; cp $f/*.page $d/",
		"mkdir -m 700 $d; mount --bind $f $d",
		/* neither is a page to be opened */
		"mkdir -m 700 $d; mkfifo $d/fifo.page; mknod $d/device.page c 1 3",
		"mkdir -m 700 $d; head -c 100000000 /dev/zero >$d/large.page",
	};
	size_t count = sizeof(scripts) / sizeof(scripts[0]);
	(void)start_paged(folder, "victim");
	for (size_t i = 0; i < count; i++)
		start_hostile(scripts[i]);
	struct live_program *dbtop = follow();
	json_decref(live_await_json(dbtop, are_hostile_matched, &count, "matched", 60000));
	for (int i = 0; i < 3; i++) {
		json_t *root =
			live_await_json(dbtop, are_hostile_matched, &count, "matched", 60000);
		struct pool_name victim = { .name = "victim" };
		if (live_find_text(root, "pools", "name", "victim") || is_leaked(root, &victim))
			fail_msg("a hostile page counts: %s", json_dumps(root, JSON_INDENT(1)));
		json_decref(root);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* root's */
		LIVE_TEST(a_containers_page_is_read),
		LIVE_TEST(a_page_in_a_user_namespace_is_read),
		LIVE_TEST(a_services_page_is_read),
		LIVE_TEST(a_hostile_container_leads_nowhere),
	};
	CLEANUP(cleanup_free) char *pages = mem_printf("%s/victims", live_folder());
	folder = pages;
	return LIVE_GROUP("private pages", tests, .wide = true,
		.root_tests = sizeof(tests) / sizeof(tests[0]));
}
