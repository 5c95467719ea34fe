/* Stats pages in folders that only their application sees: a private /run, as a container or a
 * service has it. What a hostile container puts there is not believed. And pages in a folder that
 * several pid namespaces share. */
#include "live_group.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "page/writer.h"

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

/* --- processes of the same pid in two pid namespaces, with one folder of pages --- */

#define APART "unshare", "--pid", "--fork", "--kill-child"

static bool exists(void *data)
{
	return access(data, F_OK) == 0;
}

/* Says who it is, and waits, before it runs the command. */
static struct live_program *start_test(const char *me, const char *go)
{
	const char *conninfo = live_group_conninfo(LIVE_TCP4, NULL);
	const char *const argv[] = { APART, "--mount-proc", live_dbtop_path(), "--shutdown-test",
		"--json", "--ready", "2", "--pages", folder, conninfo, "--", "sh", "-ec",
		"cut -d ' ' -f 1,22 /proc/$$/stat >$1.new; mv $1.new $1\n"
		"while ! test -e $2; do sleep 0.02; done; shift 2; exec \"$@\"",
		"sh", me, go, DYING_PATH, conninfo, "closed", NULL };
	return live_start(&(struct live_program_options){ .argv = argv });
}

/* A pool of ours that has writes to flush, with a page of the pid and start that are in the file:
 * as if they were ours. */
static struct page_writer *write_namesake(const char *me)
{
	const struct page_writer_options options = { .folder = folder,
		.name = "namesake",
		.server = "127.0.0.1:5432/postgres",
		.limits = { .max = 1, .held = PAGE_NEVER },
		.slots = 1 };
	struct page_writer *writer;
	struct page_hook *hook;
	int file_error;
	CLEANUP(cleanup_free) char *text = live_read(me);
	assert_int_equal(page_writer_new(&options, &writer, &file_error), 0);
	assert_int_equal(file_error, 0);
	struct page *page = page_writer_page(writer);
	assert_int_equal(sscanf(text, "%" SCNd32 " %" SCNu64, &page->identity.pid,
				 &page->identity.start_ticks),
		2);
	assert_true(page_hook_add(page, "namesakes", PAGE_HOOK_FLUSH, 5000, &hook));
	page_set(page->totals.pending_writes, INT64_C(12));
	page_set(page->totals.phase, (uint32_t)PAGE_FLUSHING);
	return writer;
}

/* The first processes of two containers that are started together have the same pid and start. */
static void a_namesakes_pool_is_not_the_applications(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *me = mem_printf("%s/me", live_folder());
	CLEANUP(cleanup_free) char *go = mem_printf("%s/go", live_folder());
	struct live_program *dbtop = start_test(me, go);
	assert_true(live_wait(exists, me, 60000));
	struct page_writer *writer = write_namesake(me);
	free(live_file(live_folder(), "go", ""));
	int status = live_finish(dbtop, 120000);
	json_t *result = live_parse_json(live_out(dbtop));
	/* the page of the victim, which was killed, may be there as well */
	const char *not_read = live_text(result, "not_read");
	if (status != 0 || strcmp(live_text(result, "verdict"), "pass") != 0 ||
		json_array_size(live_member(result, "hooks")) != 0 ||
		!json_is_null(live_member(result, "pending_writes")) || !not_read ||
		!strstr(live_text(result, "text"), not_read))
		fail_msg("another's pool: %s", json_dumps(result, JSON_INDENT(1)));
	json_decref(result);
	page_writer_free(writer);
}

/* The page of an application in a pid namespace of its own is read once a scan has found who wrote
 * it: the signal waits for that. */
static void a_pool_in_a_pid_namespace_is_read(void **state)
{
	(void)state;
	for (int i = 0; i < live_rounds(1); i++) {
		const char *conninfo = live_group_conninfo(LIVE_TCP4, NULL);
		struct live_run run = live_dbtop("--shutdown-test", "--json", "--ready", "2",
			"--timeout", "60", conninfo, "--", APART, "--mount-proc", DYING_POOL_PATH,
			conninfo, "flush", NULL);
		json_t *result = live_parse_json(run.out);
		if (run.status != 0 || json_array_size(live_member(result, "hooks")) != 1 ||
			json_integer_value(live_member(result, "pending_writes")) != 0 ||
			!json_is_null(live_member(result, "not_read")))
			fail_msg("its page was not read: %s%s", run.out, run.err);
		json_decref(result);
		live_run_clear(&run);
	}
}

/* Nobody knows there whether a process of another pid namespace lives: X never clears its page. */
static void a_namesake_is_not_dead(void **state)
{
	(void)state;
	static const char *const procs[] = { "--mount-proc", "--kill-child" };
	CLEANUP(cleanup_free) char *me = live_file(live_folder(), "unseen", "1073741823 1");
	struct page_writer *writer = write_namesake(me);
	for (size_t i = 0; i < 2; i++) {
		const char *const argv[] = { APART, procs[i], live_dbtop_path(), "--json",
			"--pages", folder, live_group_conninfo(LIVE_TCP4, NULL), NULL };
		struct live_run run =
			live_run(&(struct live_program_options){ .argv = argv }, 60000);
		json_t *root = live_parse_json(run.out);
		json_t *pool = live_find_text(root, "pools", "name", "namesake");
		assert_non_null(pool);
		assert_string_equal(live_text(pool, "page_status"), "live");
		assert_true(json_is_true(live_member(pool, "process_unseen")));
		json_decref(root);
		live_run_clear(&run);
	}
	page_writer_free(writer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* root's */
		LIVE_TEST(a_containers_page_is_read),
		LIVE_TEST(a_page_in_a_user_namespace_is_read),
		LIVE_TEST(a_services_page_is_read),
		LIVE_TEST(a_hostile_container_leads_nowhere),
		LIVE_TEST(a_namesakes_pool_is_not_the_applications),
		LIVE_TEST(a_pool_in_a_pid_namespace_is_read),
		LIVE_TEST(a_namesake_is_not_dead),
	};
	CLEANUP(cleanup_free) char *pages = mem_printf("%s/victims", live_folder());
	folder = pages;
	return LIVE_GROUP("private pages", tests, .wide = true,
		.root_tests = sizeof(tests) / sizeof(tests[0]));
}
