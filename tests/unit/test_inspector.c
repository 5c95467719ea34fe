/* collect/inspector: an inspection goes on without a process that hangs in the kernel. In a
 * recorded /proc such a process has a FIFO as its command line: its reader waits until the writer
 * closes it. The timeout runs only while the reader waits there: however busy the machine is, no
 * other process is taken for one that hangs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "base/instant.h"
#include "collect/inspector.h"
#include "model/emergency.h"
#include "proc/inspect.h"

/* The processes are 1 to MOST, each begun at 500. */
#define MOST    6
#define TIMEOUT (10 * USEC_PER_MSEC)
#define FOREVER (3600 * USEC_PER_SEC)

struct fixture {
	uv_loop_t loop;
	struct inspector *inspector;
	char root[32];
	int done;
	bool has_facts[MOST + 1], hangs[MOST + 1];
	char executable[MOST + 1][32];
	char fifos[MOST + 1][96]; /* "" for a process that does not hang */
	int writers[MOST + 1];    /* of its FIFO, once it is read; -1 before */
};

static void on_done(void *data, const struct process_facts *facts, size_t n_facts)
{
	struct fixture *f = data;
	f->done++;
	uv_stop(&f->loop);
	memset(f->has_facts, 0, sizeof(f->has_facts));
	memset(f->hangs, 0, sizeof(f->hangs));
	memset(f->executable, 0, sizeof(f->executable));
	for (size_t i = 0; i < n_facts; i++) {
		const char *executable = facts[i].executable ? facts[i].executable : "";
		assert_int_equal(facts[i].start_ticks, 500);
		f->has_facts[facts[i].pid] = true;
		f->hangs[facts[i].pid] = facts[i].hangs;
		snprintf(f->executable[facts[i].pid], sizeof(f->executable[0]), "%s", executable);
	}
}

static char *path_of(const struct fixture *f, int pid, const char *name)
{
	static char path[96];
	snprintf(path, sizeof(path), "%s/%d%s", f->root, pid, name);
	return path;
}

static void write_text(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void record(const struct fixture *f, int pid)
{
	char text[128];
	assert_int_equal(mkdir(path_of(f, pid, ""), 0700), 0);
	assert_int_equal(mkdir(path_of(f, pid, "/fd"), 0700), 0);
	snprintf(text, sizeof(text), "%d (app) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 500 0 0 0\n",
		pid);
	write_text(path_of(f, pid, "/stat"), text);
	snprintf(text, sizeof(text), "/opt/app%d", pid);
	assert_int_equal(symlink(text, path_of(f, pid, "/exe")), 0);
	write_text(path_of(f, pid, "/cmdline"), "app");
	write_text(path_of(f, pid, "/environ"), "");
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	assert_int_equal(uv_loop_init(&f->loop), 0);
	f->inspector = inspector_new(&f->loop, on_done, f);
	inspector_set_timeout(f->inspector, FOREVER);
	strcpy(f->root, "/tmp/inspector-XXXXXX");
	assert_non_null(mkdtemp(f->root));
	for (int pid = 1; pid <= MOST; pid++) {
		record(f, pid);
		f->writers[pid] = -1;
	}
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	static const char *const names[] = { "/stat", "/exe", "/cmdline", "/environ", "/fd", "" };
	struct fixture *f = *state;
	inspector_free(f->inspector);
	/* a test that failed has left readers behind */
	for (int pid = 1; pid <= MOST; pid++)
		if (f->writers[pid] >= 0)
			close(f->writers[pid]);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&f->loop), 0);
	for (int pid = 1; pid <= MOST; pid++)
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			assert_int_equal(remove(path_of(f, pid, names[i])), 0);
	assert_int_equal(rmdir(f->root), 0);
	free(f);
	return 0;
}

static void hang(struct fixture *f, int pid, const char *file)
{
	snprintf(f->fifos[pid], sizeof(f->fifos[pid]), "%s", path_of(f, pid, file));
	assert_int_equal(unlink(f->fifos[pid]), 0);
	assert_int_equal(mkfifo(f->fifos[pid], 0600), 0);
}

/* The reader that opened the file gets its end. */
static void go_on(struct fixture *f, int pid)
{
	assert_true(f->writers[pid] >= 0);
	assert_int_equal(unlink(f->fifos[pid]), 0);
	write_text(f->fifos[pid], "");
	close(f->writers[pid]);
	f->writers[pid] = -1;
	f->fifos[pid][0] = '\0';
}

/* The reading thread computes until it is told to go on, as on a machine that is busy. */
static atomic_bool computes, has_begun;

size_t __real_inspect_processes(const struct inspect_request *request, struct arena *arena,
	struct process_facts **ret_facts);
size_t __wrap_inspect_processes(const struct inspect_request *request, struct arena *arena,
	struct process_facts **ret_facts);

size_t __wrap_inspect_processes(const struct inspect_request *request, struct arena *arena,
	struct process_facts **ret_facts)
{
	atomic_store(&has_begun, true);
	while (atomic_load(&computes))
		;
	return __real_inspect_processes(request, arena, ret_facts);
}

/* Whether a FIFO has been opened that was not before. From now on its reader waits for data. */
static bool is_reading_fifo(struct fixture *f)
{
	for (int pid = 1; pid <= MOST; pid++) {
		if (!*f->fifos[pid] || f->writers[pid] >= 0)
			continue;
		f->writers[pid] = open(f->fifos[pid], O_WRONLY | O_CLOEXEC | O_NONBLOCK);
		if (f->writers[pid] >= 0)
			return true;
	}
	return false;
}

/* Returns once the inspector goes on without the process that hangs. */
static void let_time_out(struct fixture *f)
{
	size_t before = inspector_hanging(f->inspector);
	inspector_set_timeout(f->inspector, TIMEOUT);
	while (inspector_hanging(f->inspector) == before)
		uv_run(&f->loop, UV_RUN_ONCE);
	inspector_set_timeout(f->inspector, FOREVER);
}

/* The request is the caller's no more once the inspection has begun. */
static void begin(struct fixture *f)
{
	struct inspect_who *who = calloc(MOST, sizeof(*who));
	uint16_t *ports = calloc(1, sizeof(*ports));
	for (int i = 0; i < MOST; i++)
		who[i] = (struct inspect_who){ .pid = i + 1, .start_ticks = 500 };
	inspector_begin(f->inspector,
		&(struct inspect_request){
			.proc_root = f->root,
			.self = getpid(),
			.who = who,
			.n_who = MOST,
			.ports = ports,
			.n_ports = 1,
		});
	free(who);
	free(ports);
}

static void inspect(struct fixture *f)
{
	int before = f->done;
	begin(f);
	while (f->done == before) {
		if (is_reading_fifo(f))
			let_time_out(f);
		else
			uv_run(&f->loop, UV_RUN_NOWAIT);
	}
	assert_int_equal(f->done, before + 1);
}

static void wait_until_back(struct fixture *f, size_t hanging)
{
	while (inspector_hanging(f->inspector) > hanging)
		uv_run(&f->loop, UV_RUN_ONCE);
	assert_int_equal(inspector_hanging(f->inspector), hanging);
}

static void assert_read(const struct fixture *f, int pid)
{
	char name[16];
	snprintf(name, sizeof(name), "app%d", pid);
	assert_true(f->has_facts[pid]);
	assert_false(f->hangs[pid]);
	assert_string_equal(f->executable[pid], name);
}

static void assert_hangs(const struct fixture *f, int pid)
{
	assert_true(f->has_facts[pid]);
	assert_true(f->hangs[pid]);
	assert_string_equal(f->executable[pid], "");
}

static void all_are_read(void **state)
{
	struct fixture *f = *state;
	inspect(f);
	for (int pid = 1; pid <= MOST; pid++)
		assert_read(f, pid);
	assert_int_equal(inspector_hanging(f->inspector), 0);
}

static void one_that_hangs_is_left_out_and_the_others_are_read(void **state)
{
	struct fixture *f = *state;
	hang(f, 2, "/cmdline");
	inspect(f);
	assert_read(f, 1);
	assert_hangs(f, 2);
	for (int pid = 3; pid <= MOST; pid++)
		assert_read(f, pid);
	assert_int_equal(inspector_hanging(f->inspector), 1);
	/* a later one does not read it: it would not come back */
	inspect(f);
	assert_read(f, 1);
	assert_hangs(f, 2);
	assert_read(f, MOST);
	/* it goes on after all: its thread ends, and it is read again */
	go_on(f, 2);
	wait_until_back(f, 0);
	assert_int_equal(f->done, 2);
	inspect(f);
	for (int pid = 1; pid <= MOST; pid++)
		assert_read(f, pid);
}

static void its_environment_may_hang_as_well(void **state)
{
	struct fixture *f = *state;
	hang(f, 1, "/environ");
	inspect(f);
	assert_hangs(f, 1);
	for (int pid = 2; pid <= MOST; pid++)
		assert_read(f, pid);
	go_on(f, 1);
	wait_until_back(f, 0);
}

/* 1 is read, 2 to 5 hang: no more threads are given away, 6 has no facts. */
static void too_many_that_hang_end_it_with_what_there_is(void **state)
{
	struct fixture *f = *state;
	for (int pid = 2; pid <= 5; pid++)
		hang(f, pid, "/cmdline");
	inspect(f);
	assert_int_equal(inspector_hanging(f->inspector), 4);
	assert_read(f, 1);
	for (int pid = 2; pid <= 4; pid++)
		assert_hangs(f, pid);
	assert_false(f->has_facts[5]);
	assert_false(f->has_facts[6]);
	/* as long as they hang, none is read */
	inspect(f);
	assert_false(f->has_facts[1]);
	assert_int_equal(inspector_hanging(f->inspector), 4);
	go_on(f, 2);
	wait_until_back(f, 3);
	go_on(f, 5);
	wait_until_back(f, 2);
	inspect(f);
	assert_read(f, 1);
	assert_read(f, 2);
	assert_hangs(f, 3);
	assert_hangs(f, 4);
	assert_read(f, 5);
	assert_read(f, 6);
	go_on(f, 3);
	go_on(f, 4);
	wait_until_back(f, 0);
}

/* Freed while one inspection was abandoned and another one hangs. */
static void threads_that_come_back_late_report_nothing(void **state)
{
	struct fixture *f = *state;
	hang(f, 1, "/cmdline");
	hang(f, 2, "/cmdline");
	begin(f);
	while (!is_reading_fifo(f))
		uv_run(&f->loop, UV_RUN_NOWAIT);
	let_time_out(f);
	while (!is_reading_fifo(f))
		uv_run(&f->loop, UV_RUN_NOWAIT);
	inspector_free(f->inspector);
	f->inspector = NULL;
	go_on(f, 1);
	go_on(f, 2);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(f->done, 0);
}

static void on_late(uv_timer_t *timer)
{
	uv_stop(timer->loop);
}

static void a_thread_without_a_processor_does_not_hang(void **state)
{
	struct fixture *f = *state;
	static uv_timer_t late;
	atomic_store(&has_begun, false);
	atomic_store(&computes, true);
	begin(f);
	while (!atomic_load(&has_begun))
		uv_run(&f->loop, UV_RUN_NOWAIT);
	inspector_set_timeout(f->inspector, TIMEOUT);
	uv_timer_init(&f->loop, &late);
	uv_timer_start(&late, on_late, 20 * TIMEOUT / USEC_PER_MSEC, 0);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	uv_close((uv_handle_t *)&late, NULL);
	inspector_set_timeout(f->inspector, FOREVER);
	atomic_store(&computes, false);
	assert_int_equal(inspector_hanging(f->inspector), 0);
	assert_int_equal(f->done, 0);
	while (!f->done)
		uv_run(&f->loop, UV_RUN_ONCE);
	for (int pid = 1; pid <= MOST; pid++)
		assert_read(f, pid);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(all_are_read),
		TEST(one_that_hangs_is_left_out_and_the_others_are_read),
		TEST(its_environment_may_hang_as_well),
		TEST(too_many_that_hang_end_it_with_what_there_is),
		TEST(threads_that_come_back_late_report_nothing),
		TEST(a_thread_without_a_processor_does_not_hang),
	};
	return cmocka_run_group_tests_name("inspector", tests, NULL, NULL);
}
