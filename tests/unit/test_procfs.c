/* Unit tests of what is read from /proc, on the recorded trees in tests/data/proc-*. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/instant.h"
#include "base/map.h"
#include "model/peers.h"
#include "proc/cmdline.h"
#include "proc/descriptors.h"
#include "proc/namespaces.h"
#include "proc/procfs.h"

#define TREE  "tests/data/proc-app"
#define BOOT  (INT64_C(1700000000) * USEC_PER_SEC)
#define SHOWN "0123456789ab"

static int set_up(void **state)
{
	*state = arena_new();
	return 0;
}

static int tear_down(void **state)
{
	arena_free(*state);
	return 0;
}

static void assert_text(const char *text, const char *expected)
{
	if (expected) {
		assert_non_null(text);
		assert_string_equal(text, expected);
	} else {
		assert_null(text);
	}
}

/* '|' stands for the zero byte between arguments. */
static void command_line_is_joined_and_masked(void **state)
{
	static const char *const cases[][2] = {
		{ "", NULL },
		{ "|", NULL },
		{ "||  |", NULL },
		{ "python3|main.py|", "python3 main.py" },
		{ "python3|main.py", "python3 main.py" },
		{ "a||b|", "a  b" },
		{ "postgres: app app [local] idle|||||", "postgres: app app [local] idle" },
		{ "x\x1b[31m|y\nz|\xff|", "x␛[31m y␊z \xef\xbf\xbd" },
		/* a secret in an address */
		{ "app|postgres://u:hunter2@db/app|", "app postgres://u:***@db/app" },
		{ "app|--dsn=postgresql://u:hunter2@db:5432/app?x=1|",
			"app --dsn=postgresql://u:***@db:5432/app?x=1" },
		{ "postgres://:hunter2@db", "postgres://:***@db" },
		{ "postgres://u:hunt@r2@db/app", "postgres://u:***@db/app" },
		{ "postgres://u:hunt/r2@db/app", "postgres://u:***@db/app" },
		{ "postgres://u@db:5432/app", "postgres://u@db:5432/app" },
		{ "postgres://db:5432/app", "postgres://db:5432/app" },
		{ "postgres://u:@db/app", "postgres://u:@db/app" },
		{ "sh|-c|psql postgres://u:p@a postgres://v:q@b",
			"sh -c psql postgres://u:***@a postgres://v:***@b" },
		{ "x://", "x://" },
		{ "x://y:", "x://y:" },
		/* a secret with a name */
		{ "psql|host=db password=hunter2 user=u|", "psql host=db password=*** user=u" },
		{ "psql|host=db password = hunter2 user=u|", "psql host=db password = *** user=u" },
		{ "psql|password='hunter 2' user=u|", "psql password=*** user=u" },
		{ "psql|password='hun\\'ter 2' user=u|", "psql password=*** user=u" },
		{ "psql|password='hunter 2|", "psql password=***" },
		{ "psql|postgres://db/app?user=u&password=hunter2|",
			"psql postgres://db/app?user=u&password=***" },
		{ "env|PGPASSWORD=hunter 2|psql|", "env PGPASSWORD=*** psql" },
		{ "java|-Dspring.datasource.password=hunter 2|-jar|a.jar|",
			"java -Dspring.datasource.password=*** -jar a.jar" },
		{ "a|--password=hunter 2|b|", "a --password=*** b" },
		{ "a|--password|hunter 2|b|", "a --password *** b" },
		{ "a|--password||b|", "a --password *** b" },
		{ "a|--password|", "a --password" },
		{ "a|--password|--host|db|", "a --password --host db" },
		{ "a|--api-key|k|--SECRET=s|", "a --api-key *** --SECRET=***" },
		{ "a|DB_PASS=x|pwd=x|", "a DB_PASS=*** pwd=***" },
		{ "curl|-H|Authorization: Bearer abc.def|", "curl -H Authorization: ***" },
		{ "a|{\"user\":\"u\",\"password\": \"hunter 2\"}|",
			"a {\"user\":\"u\",\"password\": ***" },
		/* no secrets */
		{ "a|--password=|b|", "a --password= b" },
		{ "a|bypass=1|max_tokens=5|--password-file=/x|",
			"a bypass=1 max_tokens=5 --password-file=/x" },
		{ "a|password|b|", "a password b" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char bytes[256];
		size_t size = strlen(cases[i][0]);
		memcpy(bytes, cases[i][0], size);
		for (size_t k = 0; k < size; k++)
			if (bytes[k] == '|')
				bytes[k] = '\0';
		assert_text(cmdline_format(*state, bytes, size), cases[i][1]);
	}
}

static void a_script_is_known_by_its_interpreters_arguments(void **state)
{
	static const struct {
		const char *executable, *line, *script;
	} cases[] = {
		{ "python3.11", "/usr/bin/python3|/usr/bin/patroni|/etc/patroni.yml|", "patroni" },
		{ "python3.11", "python3|-u|-W|ignore|/opt/patroni.py|", "patroni.py" },
		{ "python3.11", "python3|-m|pgcli|-h|db|", "pgcli" },
		{ "python3.11", "python3|-m|patroni.api|", "patroni" },
		{ "python3.11", "python3|-m|", NULL },
		{ "python3.11", "python3|-c|import psycopg|patroni|", NULL },
		{ "python3.11", "python3|", NULL },
		{ "python3.11", "", NULL },
		/* a title in place of the arguments */
		{ "python3.11", "/usr/bin/python3 /usr/bin/pgcli -h db    ", "pgcli" },
		{ "perl", "perl|-w|/usr/bin/check_postgres.pl|", "check_postgres.pl" },
		{ "perl", "perl|-we|print|", NULL },
		{ "bash", "bash|-e|/opt/vip.sh|", "vip.sh" },
		{ "dash", "sh|-c|psql|", NULL },
		{ "bash", "bash|-lc|psql|", NULL },
		{ "node", "node|--require|./x.js|/srv/app.js|", "app.js" },
		{ "psql", "psql|patroni|", NULL },
		{ "pythonic", "pythonic|patroni|", NULL },
		{ NULL, "python3|patroni|", NULL },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char bytes[256];
		size_t size = strlen(cases[i].line);
		memcpy(bytes, cases[i].line, size);
		for (size_t k = 0; k < size; k++)
			if (bytes[k] == '|')
				bytes[k] = '\0';
		assert_text(
			cmdline_script(*state, bytes, size, cases[i].executable), cases[i].script);
	}
}

/* As many masks as possible: they must fit. */
static void command_line_of_secrets_fits(void **state)
{
	char bytes[CMDLINE_MAX];
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = "--pwd\0\0"[i % 7];
	const char *line = cmdline_format(*state, bytes, sizeof(bytes));
	assert_non_null(strstr(line, "--pwd *** --pwd *** --pwd"));
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = "://:x@"[i % 6];
	assert_non_null(cmdline_format(*state, bytes, sizeof(bytes)));
}

static void stat_is_read_behind_any_name(void **state)
{
	(void)state;
	struct procfs *procfs = procfs_new(TREE);
	struct procfs_stat stat = { .state = '?' };
	assert_int_equal(procfs_stat(procfs, 102, &stat), 0);
	assert_string_equal(stat.comm, "a) b (c");
	assert_int_equal(stat.state, 'S');
	assert_int_equal(stat.start_ticks, 2000);
	assert_int_equal(stat.cpu_ticks, 12);
	assert_int_equal(stat.rss_bytes, 3 * sysconf(_SC_PAGESIZE));
	assert_false(stat.kernel_thread);
	assert_false(stat.exiting);
	assert_false(procfs_has_ended(&stat));
	assert_int_equal(procfs_stat(procfs, 105, &stat), 0);
	assert_true(stat.exiting);
	assert_true(procfs_has_ended(&stat));
	assert_int_equal(procfs_stat(procfs, 2, &stat), 0);
	assert_true(stat.kernel_thread);

	stat.state = '?';
	assert_int_equal(procfs_stat(procfs, 103, &stat), -ESRCH);
	assert_int_equal(procfs_stat(procfs, 999, &stat), -ESRCH);
	assert_int_equal(procfs_stat(procfs, 107, &stat), -EBADMSG);
	assert_int_equal(stat.state, '?');
	assert_true(procfs_exists(procfs, 103));
	assert_false(procfs_exists(procfs, 999));
	procfs_free(procfs);
}

static void describe_reads_every_file(void **state)
{
	struct procfs *procfs = procfs_new(TREE);
	struct process p;
	struct procfs_stat stat;
	assert_int_equal(procfs_describe(procfs, *state, 100, &p, &stat), 0);
	assert_int_equal(p.pid, 100);
	assert_int_equal(p.start_ticks, 12345);
	assert_int_equal(procfs_ticks_per_second(procfs), 100);
	assert_int_equal(p.started_at, BOOT + 123450 * USEC_PER_MSEC);
	assert_int_equal(p.ended_at, INSTANT_UNKNOWN);
	assert_text(p.name, "python3");
	assert_text(p.command, "/usr/bin/python3 main.py --dsn postgres://app:***@db/app");
	assert_int_equal(p.uid, 4294967000u);
	assert_text(p.user, "4294967000");
	assert_text(p.unit, "jarvis.service");
	assert_false(p.unit_is_users);
	assert_text(p.container, NULL);
	assert_true(isnan(p.cpu_percent));
	assert_int_equal(p.state, 'S');
	assert_string_equal(p.wait_channel, "futex_wait_queue");
	assert_int_equal(p.rss_bytes, 2048 * sysconf(_SC_PAGESIZE));
	assert_int_equal(stat.cpu_ticks, 300);

	assert_int_equal(procfs_describe(procfs, *state, 102, &p, &stat), 0);
	assert_text(p.name, "a) b (c");
	assert_text(p.command,
		"␛[31mred two␊lines  \xef\xbf\xbd"
		"bad");
	assert_int_equal(p.uid, 4294967001u);
	assert_text(p.unit, NULL);
	assert_text(p.container, SHOWN);

	assert_int_equal(procfs_describe(procfs, *state, 2, &p, &stat), 0);
	assert_text(p.command, "[kthreadd]");
	assert_text(p.user, "root");
	assert_int_equal(procfs_describe(procfs, *state, 105, &p, &stat), 0);
	assert_text(p.command, "[defunct one]");
	assert_int_not_equal(p.ended_at, INSTANT_UNKNOWN);
	assert_int_equal(procfs_describe(procfs, *state, 106, &p, &stat), 0);
	assert_text(p.name, "gnome-terminal-server");
	assert_text(p.unit, "gnome-terminal-server.service");
	assert_true(p.unit_is_users);

	p.pid = 1;
	assert_int_equal(procfs_describe(procfs, *state, 103, &p, &stat), -ESRCH);
	assert_int_equal(procfs_describe(procfs, *state, 999, &p, &stat), -ESRCH);
	assert_int_equal(p.pid, 1);
	procfs_free(procfs);
}

/* The running kernel's own tree: this process's facts are known from elsewhere. */
static void describe_agrees_with_the_running_kernel(void **state)
{
	struct procfs *procfs = procfs_new("/proc");
	/* under valgrind it is not test_procfs */
	char name[64] = "", zombie[80];
	assert_int_equal(prctl(PR_GET_NAME, name), 0);
	snprintf(zombie, sizeof(zombie), "[%s]", name);
	struct process p;
	struct procfs_stat stat;
	int64_t before = instant_now();
	pid_t child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
		_exit(0);
	}
	int64_t after = instant_now();
	assert_int_equal(procfs_describe(procfs, *state, child, &p, &stat), 0);
	assert_text(p.name, name);
	assert_non_null(strstr(p.command, "test_procfs"));
	assert_int_equal(p.uid, geteuid());
	assert_true(p.rss_bytes > 0);
	/* a clock tick, and what lies between the readings of two clocks */
	assert_in_range(p.started_at, before - 50 * USEC_PER_MSEC, after + 50 * USEC_PER_MSEC);
	kill(child, SIGKILL);
	siginfo_t info;
	assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(procfs_describe(procfs, *state, child, &p, &stat), 0);
	assert_text(p.command, zombie);
	assert_int_not_equal(p.ended_at, INSTANT_UNKNOWN);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(procfs_describe(procfs, *state, child, &p, &stat), -ESRCH);
	procfs_free(procfs);
}

static void write_btime(const char *folder, long seconds)
{
	char path[64];
	snprintf(path, sizeof(path), "%s/stat", folder);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fprintf(file, "cpu 1 2 3\nbtime %ld\n", seconds);
	fclose(file);
}

/* As the kernel does when the wall clock is set. */
static void a_time_of_boot_that_moves_is_followed(void **state)
{
	(void)state;
	char folder[] = "/tmp/test_procfs-XXXXXX", path[64];
	assert_non_null(mkdtemp(folder));
	write_btime(folder, 1000000);
	struct procfs *procfs = procfs_new(folder);
	int64_t second = procfs_ticks_per_second(procfs);
	assert_int_equal(procfs_started_at(procfs, (uint64_t)second), 1000001 * USEC_PER_SEC);
	write_btime(folder, 1003600);
	assert_int_equal(procfs_started_at(procfs, (uint64_t)second), 1003601 * USEC_PER_SEC);
	/* what cannot be read any more is as it was told */
	snprintf(path, sizeof(path), "%s/stat", folder);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(procfs_started_at(procfs, (uint64_t)second), 1000001 * USEC_PER_SEC);
	procfs_free(procfs);
	rmdir(folder);
}

/* As in a tree of another machine that somebody edited. */
static void numbers_that_cannot_be_are_unknown(void **state)
{
	(void)state;
	char folder[] = "/tmp/dbtop-procfs-XXXXXX", path[64];
	struct procfs_stat stat;
	assert_non_null(mkdtemp(folder));
	write_btime(folder, LONG_MAX);
	struct procfs *procfs = procfs_new(folder);
	assert_true(procfs_started_at(procfs, 100) == INSTANT_UNKNOWN);
	procfs_free(procfs);
	snprintf(path, sizeof(path), "%s/stat", folder);
	static const struct {
		const char *pages;
		int64_t bytes;
	} cases[] = { { "9223372036854775807", -1 }, { "18446744073709551615", -1 }, { "-5", -1 },
		{ "0", 0 } };
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		FILE *file = fopen(path, "w");
		assert_non_null(file);
		fprintf(file, "7 (a) S 1 7 7 0 -1 0 0 0 0 0 1 2 0 0 20 0 1 0 9 0 %s 0\n",
			cases[i].pages);
		fclose(file);
		assert_int_equal(procfs_stat_at(AT_FDCWD, path, &stat), 0);
		assert_true(stat.rss_bytes == cases[i].bytes);
	}
	unlink(path);
	rmdir(folder);
}

static void missing_tree_is_an_error(void **state)
{
	struct procfs *procfs = procfs_new("tests/data/no-such-tree");
	struct procfs_stat stat;
	struct process p;
	assert_true(procfs_root(procfs) < 0);
	assert_true(procfs_stat(procfs, 1, &stat) < 0);
	assert_true(procfs_describe(procfs, *state, 1, &p, &stat) < 0);
	assert_false(procfs_exists(procfs, 1));
	assert_int_equal(procfs_started_at(procfs, 1), INSTANT_UNKNOWN);
	struct descriptors_scan scan;
	assert_true(descriptors_scan(procfs_root(procfs), map_new(*state, 0), *state, &scan) < 0);
	procfs_free(procfs);
}

static struct descriptors_scan scan_tree(
	struct arena *arena, const char *tree, const uint32_t *inodes, size_t n)
{
	struct descriptors_scan scan;
	struct map *wanted = map_new(arena, n);
	for (size_t i = 0; i < n; i++)
		map_set(wanted, inodes[i], (uint32_t)i);
	int root = open(tree, O_PATH | O_DIRECTORY);
	assert_true(root >= 0);
	assert_int_equal(descriptors_scan(root, wanted, arena, &scan), 0);
	close(root);
	return scan;
}

/* Of 5003's and 5005's owners nothing can be said; 6 has no owner; 4294972297 is 5001 in 32 bits,
 * and no socket's number. */
static void scan_finds_owners_sorted(void **state)
{
	static const uint32_t wanted[] = { 5002, 5001, 5003, 5004, 5005, 6 };
	static const struct {
		uint32_t inode;
		int32_t pid;
	} expected[] = {
		{ 5001, 150 },
		{ 5001, 100 },
		{ 5001, 101 },
		{ 5002, 101 },
		{ 5004, 102 },
	};
	struct descriptors_scan scan = scan_tree(*state, TREE, wanted, 6);
	assert_int_equal(scan.n_owners, sizeof(expected) / sizeof(expected[0]));
	for (size_t i = 0; i < scan.n_owners; i++) {
		assert_int_equal(scan.owners[i].inode, expected[i].inode);
		assert_int_equal(scan.processes[scan.owners[i].process].pid, expected[i].pid);
	}
	assert_int_equal(scan.n_processes, 4);
	assert_int_equal(scan.n_refused, 0);
}

static void namespaces_are_listed_once(void **state)
{
	(void)state;
	struct arena *arena = arena_new();
	struct procfs *recorded = procfs_new("tests/data/proc-namespaces");
	struct namespaces found;
	assert_int_equal(namespaces_list(recorded, arena, &found), 0);
	assert_int_equal(found.count, 2);
	assert_true(found.networks[0].id && found.networks[0].id < found.networks[1].id);
	procfs_free(recorded);
	/* the running kernel: our own is among them, with files of its own */
	struct procfs *procfs = procfs_new("/proc");
	uint64_t own = procfs_namespace(procfs_root(procfs), "self/ns/net");
	size_t times = 0;
	assert_int_equal(namespaces_list(procfs, arena, &found), 0);
	for (size_t i = 0; i < found.count; i++) {
		times += found.networks[i].id == own;
		if (found.networks[i].id == own)
			assert_true(found.networks[i].files);
	}
	assert_int_equal(times, 1);
	procfs_free(procfs);
	arena_free(arena);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(command_line_is_joined_and_masked),
		TEST(a_script_is_known_by_its_interpreters_arguments),
		TEST(command_line_of_secrets_fits),
		TEST(stat_is_read_behind_any_name),
		TEST(describe_reads_every_file),
		TEST(describe_agrees_with_the_running_kernel),
		TEST(missing_tree_is_an_error),
		TEST(a_time_of_boot_that_moves_is_followed),
		TEST(numbers_that_cannot_be_are_unknown),
		TEST(scan_finds_owners_sorted),
		TEST(namespaces_are_listed_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
