/* page/host: a page whose owner is dead, hidden, or of another boot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../support/page_fixture.h"
#include "page/reader.h"

/* Replaces the stat file of our pid in /proc. */
static void pretend(struct fixture *f, const char *stat_line)
{
	char path[200];
	snprintf(f->host.proc, sizeof(f->host.proc), "%s", f->root);
	snprintf(path, sizeof(path), "%s/%d", f->root, (int)getpid());
	(void)mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/%d/stat", f->root, (int)getpid());
	FILE *file = fopen(path, "w");
	fputs(stat_line, file);
	fclose(file);
}

/* A pid that no process has. */
#define NO_PID 4000000

static void a_dead_owner_is_proven(void **state)
{
	struct fixture *f = *state;
	struct page_identity *identity = &f->page->identity;
	identity->start_ticks = 777;
	pretend(f, "1 (a) b) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 777 0 0");
	assert_int_equal(read_own(f), PAGE_OK);
	pretend(f, "1 (a) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 778 0 0");
	assert_int_equal(read_own(f), PAGE_DEAD_OWNER);
	pretend(f, "1 (a) Z 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 777 0 0");
	assert_int_equal(read_own(f), PAGE_DEAD_OWNER);
	identity->pid = NO_PID;
	assert_int_equal(read_own(f), PAGE_DEAD_OWNER);
	/* another boot of this host */
	f->host.machine[0] = identity->machine[0] = '4';
	identity->boot_id[0] ^= 1;
	assert_int_equal(read_own(f), PAGE_DEAD_OWNER);
	assert_true(f->copy.owner_visible);
}

static void is_unknown(struct fixture *f)
{
	assert_int_equal(read_own(f), PAGE_OK);
	assert_false(f->copy.owner_visible);
}

/* A process that is not visible from here may be alive. */
static void a_hidden_owner_is_not_dead(void **state)
{
	struct fixture *f = *state;
	struct page_identity *identity = &f->page->identity;
	identity->start_ticks = 777;
	/* /proc hides the process, but the kernel knows it: hidepid */
	snprintf(f->host.proc, sizeof(f->host.proc), "%s", f->root);
	is_unknown(f);
	/* a file that cannot be parsed proves nothing */
	pretend(f, "");
	is_unknown(f);
	/* the main thread has ended, others have not */
	pretend(f, "1 (a) Z 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 2 0 777 0 0");
	assert_int_equal(read_own(f), PAGE_OK);
	assert_true(f->copy.owner_visible);
	/* in another time namespace, whose ticks differ */
	pretend(f, "1 (a) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 778 0 0");
	identity->time_namespace++;
	is_unknown(f);
	/* /proc of another pid namespace, a process of another one */
	identity->pid = NO_PID;
	f->host.own_proc = false;
	is_unknown(f);
	f->host.own_proc = true;
	assert_int_equal(read_own(f), PAGE_DEAD_OWNER);
	identity->pid_namespace++;
	is_unknown(f);
}

static void an_earlier_boot_is_of_one_machine(void **state)
{
	struct fixture *f = *state;
	struct page_identity *identity = &f->page->identity;
	identity->pid = NO_PID;
	identity->boot_id[0] ^= 1;
	memset(identity->machine, 'a', sizeof(identity->machine));
	memset(f->host.machine, 'a', sizeof(f->host.machine));
	assert_int_equal(read_own(f), PAGE_DEAD_OWNER);
	identity->machine[PAGE_MACHINE_MAX - 1] = 'b';
	is_unknown(f);
	/* a container's image may have no machine id, or the same as other containers */
	memset(identity->machine, 0, sizeof(identity->machine));
	memset(f->host.machine, 0, sizeof(f->host.machine));
	is_unknown(f);
	memset(identity->machine, 'a', sizeof(identity->machine));
	memset(f->host.machine, 'a', sizeof(f->host.machine));
	identity->hostname[0] ^= 1;
	is_unknown(f);
	identity->hostname[0] ^= 1;
	f->host.boot_id[0] = '\0';
	is_unknown(f);
}

static void this_process_has_its_own_proc(void **state)
{
	struct fixture *f = *state;
	struct page_host host;
	assert_true(f->host.own_proc);
	page_host_read(f->root, &host);
	assert_false(host.own_proc);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_dead_owner_is_proven),
		TEST(a_hidden_owner_is_not_dead),
		TEST(an_earlier_boot_is_of_one_machine),
		TEST(this_process_has_its_own_proc),
	};
	return cmocka_run_group_tests_name("page_host", tests, NULL, NULL);
}
