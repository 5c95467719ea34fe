/* proc/owners, on a /proc and with a clock made by the test. */
#include <ftw.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <sys/stat.h>

#include "base/instant.h"
#include "model/peers.h"
#include "proc/owners.h"

#define START (1000 * USEC_PER_SEC)

struct fixture {
	char root[32];
	struct owners *owners;
	struct peers *peers;
	int64_t now;
};

static void make_folder(const struct fixture *f, const char *path)
{
	char whole[128];
	snprintf(whole, sizeof(whole), "%s/%s", f->root, path);
	(void)mkdir(whole, 0755);
}

static void make_file(const struct fixture *f, const char *path, const char *text)
{
	char whole[128];
	snprintf(whole, sizeof(whole), "%s/%s", f->root, path);
	FILE *file = fopen(whole, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

struct tree_process {
	int pid;
	const char *comm, *command;
	char state;
	unsigned flags, cpu_ticks, start_ticks, rss_pages;
};

static void make_process(const struct fixture *f, const struct tree_process *p)
{
	char path[64], text[256];
	snprintf(path, sizeof(path), "%d", p->pid);
	make_folder(f, path);
	snprintf(path, sizeof(path), "%d/fd", p->pid);
	make_folder(f, path);
	snprintf(text, sizeof(text),
		"%d (%s) %c 1 1 1 0 -1 %u 0 0 0 0 %u 0 0 0 20 0 1 0 %u 4096 %u 0\n", p->pid,
		p->comm, p->state ? p->state : 'S', p->flags, p->cpu_ticks, p->start_ticks,
		p->rss_pages);
	snprintf(path, sizeof(path), "%d/stat", p->pid);
	make_file(f, path, text);
	snprintf(path, sizeof(path), "%d/cmdline", p->pid);
	make_file(f, path, p->command ? p->command : "");
	snprintf(path, sizeof(path), "%d/status", p->pid);
	make_file(f, path, "Name:\tx\nUid:\t0\t0\t0\t0\n");
}

static void make_descriptor(const struct fixture *f, int pid, int fd, uint32_t inode)
{
	char path[64], link[32];
	snprintf(path, sizeof(path), "%s/%d/fd/%d", f->root, pid, fd);
	snprintf(link, sizeof(link), "socket:[%u]", inode);
	assert_int_equal(symlink(link, path), 0);
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *ftw)
{
	(void)status;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static void remove_all(const struct fixture *f, int pid)
{
	char path[64];
	snprintf(path, sizeof(path), pid ? "%s/%d" : "%s", f->root, pid);
	assert_int_equal(nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	strcpy(f->root, "/tmp/owners-XXXXXX");
	assert_non_null(mkdtemp(f->root));
	make_file(f, "stat", "btime 1700000000\n");
	f->owners = owners_new(f->root);
	f->now = START;
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	remove_all(f, 0);
	owners_free(f->owners);
	peers_unref(f->peers);
	free(f);
	return 0;
}

/* `later` microseconds after the last look; the first n_clients are clients' ends. */
static const struct peers *look(
	struct fixture *f, int64_t later, const uint32_t *inodes, size_t n, size_t n_clients)
{
	struct owners_wanted wanted[8];
	for (size_t i = 0; i < n; i++)
		wanted[i] = (struct owners_wanted){ inodes[i], i < n_clients };
	peers_unref(f->peers);
	f->peers = peers_new();
	f->now += later;
	owners_find(f->owners, wanted, n, false, f->now, f->peers);
	return f->peers;
}

static const struct process *owner(const struct peers *peers, uint32_t inode, size_t which)
{
	size_t count;
	const struct socket_owner *owners = peers_owners(peers, inode, &count);
	return which < count ? &peers->processes[owners[which].process] : NULL;
}

static void descriptors_are_read_only_for_what_is_unknown(void **state)
{
	struct fixture *f = *state;
	static const uint32_t inodes[] = { 10, 11, 12 };
	make_process(f, &(struct tree_process){ .pid = 5, .comm = "app", .start_ticks = 50 });
	make_descriptor(f, 5, 3, 10);
	make_descriptor(f, 5, 4, 11);
	make_descriptor(f, 5, 5, 12);
	(void)look(f, 0, inodes, 0, 0);
	assert_int_equal(owners_walks(f->owners), 0);
	const struct peers *peers = look(f, 0, inodes, 2, 2);
	assert_int_equal(owners_walks(f->owners), 1);
	assert_int_equal(peers->n_processes, 1);
	assert_int_equal(peers->n_owners, 2);
	assert_int_equal(owner(peers, 11, 0)->pid, 5);
	assert_null(owner(peers, 12, 0));
	assert_int_not_equal(peers->scanned_at, INSTANT_UNKNOWN);
	/* too young to be sure: once more when they have settled, then never again */
	(void)look(f, OWNERS_SETTLE - 1, inodes, 2, 2);
	assert_int_equal(owners_walks(f->owners), 1);
	(void)look(f, 1, inodes, 2, 2);
	assert_int_equal(owners_walks(f->owners), 2);
	for (int i = 0; i < 5; i++)
		peers = look(f, USEC_PER_SEC, inodes, 2, 2);
	assert_int_equal(owners_walks(f->owners), 2);
	assert_int_equal(peers->n_owners, 2);
	/* one that goes away is no reason */
	peers = look(f, USEC_PER_SEC, inodes, 1, 1);
	assert_int_equal(owners_walks(f->owners), 2);
	assert_int_equal(peers->n_owners, 1);
	assert_null(owner(peers, 11, 0));
	/* a new one is */
	peers = look(f, USEC_PER_SEC, inodes, 3, 3);
	assert_int_equal(owners_walks(f->owners), 3);
	assert_int_equal(owner(peers, 12, 0)->pid, 5);
}

static void socket_without_a_visible_owner_is_remembered(void **state)
{
	struct fixture *f = *state;
	static const uint32_t inodes[] = { 10 };
	const struct peers *peers = look(f, 0, inodes, 1, 1);
	assert_int_equal(peers->n_owners, 0);
	assert_int_equal(peers->n_processes, 0);
	for (int i = 0; i < 5; i++)
		(void)look(f, USEC_PER_SEC, inodes, 1, 1);
	assert_int_equal(owners_walks(f->owners), 2);
}

/* The postmaster accepts, forks, and closes its own copy. */
static void socket_that_is_handed_on_is_found_again(void **state)
{
	struct fixture *f = *state;
	static const uint32_t inodes[] = { 10 };
	make_process(f, &(struct tree_process){ .pid = 5, .comm = "postgres", .start_ticks = 1 });
	make_descriptor(f, 5, 3, 10);
	assert_int_equal(owner(look(f, 0, inodes, 1, 0), 10, 0)->pid, 5);
	make_process(f, &(struct tree_process){ .pid = 6, .comm = "postgres", .start_ticks = 9 });
	make_descriptor(f, 6, 3, 10);
	remove_all(f, 5);
	make_process(f, &(struct tree_process){ .pid = 5, .comm = "postgres", .start_ticks = 1 });
	const struct peers *peers = look(f, OWNERS_SETTLE, inodes, 1, 0);
	assert_int_equal(peers->n_owners, 1);
	assert_int_equal(owner(peers, 10, 0)->pid, 6);
}

static void owners_of_an_inherited_socket_are_sorted_by_start(void **state)
{
	struct fixture *f = *state;
	static const uint32_t inodes[] = { 11, 10 };
	static const struct tree_process processes[] = {
		{ .pid = 5, .comm = "app", .start_ticks = 70 },
		{ .pid = 6, .comm = "app", .start_ticks = 60 },
		{ .pid = 7, .comm = "app", .start_ticks = 60 },
	};
	for (size_t i = 0; i < 3; i++) {
		make_process(f, &processes[i]);
		make_descriptor(f, processes[i].pid, 3, 10);
		make_descriptor(f, processes[i].pid, 4, 10);
		make_descriptor(f, processes[i].pid, 5, 11);
	}
	const struct peers *peers = look(f, 0, inodes, 2, 2);
	assert_int_equal(peers->n_owners, 6);
	assert_int_equal(owner(peers, 10, 0)->pid, 6);
	assert_int_equal(owner(peers, 10, 1)->pid, 7);
	assert_int_equal(owner(peers, 10, 2)->pid, 5);
	assert_null(owner(peers, 10, 3));
	assert_int_equal(owner(peers, 11, 2)->pid, 5);
	assert_int_equal(peers->n_processes, 3);
}

static void owner_that_is_gone_is_looked_for(void **state)
{
	struct fixture *f = *state;
	static const uint32_t inodes[] = { 10 };
	make_process(f, &(struct tree_process){ .pid = 5, .comm = "app", .start_ticks = 50 });
	make_process(f, &(struct tree_process){ .pid = 6, .comm = "app", .start_ticks = 60 });
	make_descriptor(f, 5, 3, 10);
	(void)look(f, 0, inodes, 1, 1);
	(void)look(f, OWNERS_SETTLE, inodes, 1, 1);
	assert_int_equal(owners_walks(f->owners), 2);
	make_descriptor(f, 6, 3, 10);
	remove_all(f, 5);
	const struct peers *peers = look(f, 1, inodes, 1, 1);
	assert_int_equal(owners_walks(f->owners), 3);
	assert_int_equal(peers->n_owners, 1);
	assert_int_equal(owner(peers, 10, 0)->pid, 6);
	/* now nobody: known once it was looked */
	remove_all(f, 6);
	peers = look(f, 1, inodes, 1, 1);
	assert_int_equal(owners_walks(f->owners), 4);
	assert_int_equal(peers->n_owners, 0);
	(void)look(f, 1, inodes, 1, 1);
	assert_int_equal(owners_walks(f->owners), 4);
}

/* There is one for each connection: asking for all of them would cost more than the sockets. */
static void servers_owner_is_not_followed(void **state)
{
	struct fixture *f = *state;
	static const uint32_t inodes[] = { 10 };
	make_process(f, &(struct tree_process){ .pid = 5, .comm = "postgres", .start_ticks = 50 });
	make_descriptor(f, 5, 3, 10);
	(void)look(f, 0, inodes, 1, 0);
	(void)look(f, OWNERS_SETTLE, inodes, 1, 0);
	remove_all(f, 5);
	const struct peers *peers = look(f, 2 * OWNERS_SAMPLE, inodes, 1, 0);
	assert_int_equal(owners_walks(f->owners), 2);
	assert_int_equal(peers->n_owners, 1);
	/* its socket goes with it */
	peers = look(f, 1, inodes, 0, 0);
	assert_int_equal(owners_walks(f->owners), 2);
	assert_int_equal(peers->n_owners, 0);
}

/* By the next sample at the latest: a zombie, a pid that was taken, another program. */
static void owner_that_became_another_is_looked_for(void **state)
{
	static const struct tree_process others[] = {
		{ .pid = 5, .comm = "app", .start_ticks = 50, .state = 'Z' },
		{ .pid = 5, .comm = "app", .start_ticks = 51 },
		{ .pid = 5, .comm = "sh", .start_ticks = 50, .command = "/bin/sh" },
	};
	struct fixture *f = *state;
	static const uint32_t inodes[] = { 10 };
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		make_process(
			f, &(struct tree_process){ .pid = 5, .comm = "app", .start_ticks = 50 });
		if (i == 0)
			make_descriptor(f, 5, 3, 10);
		(void)look(f, OWNERS_SAMPLE, inodes, 1, 1);
		(void)look(f, OWNERS_SAMPLE, inodes, 1, 1);
		unsigned walks = owners_walks(f->owners);
		make_process(f, &others[i]);
		const struct peers *peers = look(f, OWNERS_SAMPLE, inodes, 1, 1);
		assert_int_equal(owners_walks(f->owners), walks + 1);
		assert_int_equal(owner(peers, 10, 0)->start_ticks, others[i].start_ticks);
		if (others[i].state == 'Z')
			assert_int_not_equal(owner(peers, 10, 0)->ended_at, INSTANT_UNKNOWN);
		assert_string_equal(owner(peers, 10, 0)->name, others[i].comm);
	}
}

static void cpu_time_is_sampled_for_clients(void **state)
{
	struct fixture *f = *state;
	static const uint32_t inodes[] = { 10, 11 };
	struct tree_process client = { .pid = 5, .comm = "app", .start_ticks = 50, .rss_pages = 2 };
	struct tree_process server = { .pid = 6, .comm = "postgres", .start_ticks = 50 };
	make_process(f, &client);
	make_process(f, &server);
	make_descriptor(f, 5, 3, 10);
	make_descriptor(f, 6, 3, 11);
	const struct peers *peers = look(f, 0, inodes, 2, 1);
	assert_true(isnan(owner(peers, 10, 0)->cpu_percent));
	assert_int_equal(owner(peers, 10, 0)->rss_bytes, 2 * sysconf(_SC_PAGESIZE));
	client.cpu_ticks = server.cpu_ticks = 150;
	client.rss_pages = 3;
	make_process(f, &client);
	make_process(f, &server);
	peers = look(f, OWNERS_SAMPLE - 1, inodes, 2, 1);
	assert_true(isnan(owner(peers, 10, 0)->cpu_percent));
	/* 1.5 s in 3 s */
	peers = look(f, 3 * USEC_PER_SEC - OWNERS_SAMPLE + 1, inodes, 2, 1);
	assert_true(fabs(owner(peers, 10, 0)->cpu_percent - 50) < 0.001);
	assert_int_equal(owner(peers, 10, 0)->rss_bytes, 3 * sysconf(_SC_PAGESIZE));
	assert_true(isnan(owner(peers, 11, 0)->cpu_percent));
	/* kept between two samples, and over a walk */
	peers = look(f, 1, inodes, 2, 1);
	assert_true(fabs(owner(peers, 10, 0)->cpu_percent - 50) < 0.001);
	unsigned walks = owners_walks(f->owners);
	static const uint32_t more[] = { 10, 11, 12 };
	peers = look(f, 1, more, 3, 1);
	assert_int_equal(owners_walks(f->owners), walks + 1);
	assert_true(fabs(owner(peers, 10, 0)->cpu_percent - 50) < 0.001);
	peers = look(f, OWNERS_SAMPLE, inodes, 2, 1);
	assert_true(owner(peers, 10, 0)->cpu_percent == 0);
}

static void details_are_read_once(void **state)
{
	struct fixture *f = *state;
	static const uint32_t inodes[] = { 10, 11 };
	struct tree_process p = {
		.pid = 5, .comm = "app", .start_ticks = 50, .command = "app one"
	};
	make_process(f, &p);
	make_descriptor(f, 5, 3, 10);
	assert_string_equal(owner(look(f, 0, inodes, 1, 1), 10, 0)->command, "app one");
	p.command = "app two";
	make_process(f, &p);
	assert_string_equal(owner(look(f, 1, inodes, 2, 2), 10, 0)->command, "app one");
	assert_int_equal(owners_walks(f->owners), 2);
}

static void fresh_look_reads_the_descriptors(void **state)
{
	struct fixture *f = *state;
	const struct owners_wanted wanted = { 10, true };
	struct peers *peers = peers_new();
	for (unsigned i = 1; i < 4; i++) {
		owners_find(f->owners, &wanted, 1, true, START, peers);
		assert_int_equal(owners_walks(f->owners), i);
	}
	peers_unref(peers);
}

static void backend_is_found_by_its_pid(void **state)
{
	struct fixture *f = *state;
	static const struct {
		struct tree_process process;
		int64_t started_at;
	} cases[] = {
		{ { .pid = 5, .comm = "postgres", .start_ticks = 150 },
			1700000001500 * USEC_PER_MSEC },
		{ { .pid = 5, .comm = "postgres", .start_ticks = 150, .state = 'Z' },
			INSTANT_UNKNOWN },
		{ { .pid = 6, .comm = "postgres", .start_ticks = 150 }, INSTANT_UNKNOWN },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct peers *peers = peers_new();
		peers->target.backend_pid = 5;
		make_process(f, &cases[i].process);
		owners_find(f->owners, NULL, 0, false, START, peers);
		assert_int_equal(peers->backend_started_at, cases[i].started_at);
		remove_all(f, cases[i].process.pid);
		peers_unref(peers);
	}
}

/* As a user who may not look: root may look everywhere. */
static void look_as_nobody(struct fixture *f)
{
	if (geteuid() == 0 && setresuid(65534, 65534, 65534) < 0)
		_exit(2);
	static const uint32_t inodes[] = { 10 };
	const struct peers *peers = look(f, 0, inodes, 1, 1);
	bool counted = peers->n_refused == 1 && peers->n_owners == 0;
	peers_unref(f->peers);
	owners_free(f->owners);
	free(f);
	_exit(counted ? 0 : 1);
}

static void refusals_are_counted_without_kernel_threads(void **state)
{
	struct fixture *f = *state;
	static const struct tree_process processes[] = {
		{ .pid = 2, .comm = "kthreadd", .start_ticks = 1, .flags = 0x200000 },
		{ .pid = 5, .comm = "app", .start_ticks = 50 },
	};
	char path[64];
	assert_int_equal(chmod(f->root, 0755), 0);
	for (size_t i = 0; i < 2; i++) {
		make_process(f, &processes[i]);
		make_descriptor(f, processes[i].pid, 3, 10);
		snprintf(path, sizeof(path), "%s/%d/fd", f->root, processes[i].pid);
		assert_int_equal(chmod(path, 0), 0);
	}
	pid_t child = fork();
	if (child == 0)
		look_as_nobody(f);
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%d/fd", f->root, processes[i].pid);
		assert_int_equal(chmod(path, 0755), 0);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(descriptors_are_read_only_for_what_is_unknown),
		TEST(socket_without_a_visible_owner_is_remembered),
		TEST(socket_that_is_handed_on_is_found_again),
		TEST(owners_of_an_inherited_socket_are_sorted_by_start),
		TEST(owner_that_is_gone_is_looked_for),
		TEST(servers_owner_is_not_followed),
		TEST(owner_that_became_another_is_looked_for),
		TEST(cpu_time_is_sampled_for_clients),
		TEST(details_are_read_once),
		TEST(fresh_look_reads_the_descriptors),
		TEST(backend_is_found_by_its_pid),
		TEST(refusals_are_counted_without_kernel_threads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
