/* modes/peers_answer: which stats pages an answer describes, names, or leaves out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "collect/host_lines.h"
#include "model/peers.h"
#include "model/pool.h"
#include "modes/peers_answer.h"
#include "proc/procfs.h"
#include "world.h"

#define PAGES (HOST_PAGES_MOST + 1)

/* Three pages with such a name fit into an answer, four do not. */
#define LONG ((size_t)300 << 10)

/* This process holds the one end that is asked about. */
struct stand {
	struct procfs *procfs;
	struct peers_answer *state;
	struct world world;
	struct arena *arena;
	struct pool_page pages[PAGES];
	char paths[PAGES][16];
	char *name;
};

static void set_up(struct stand *stand, size_t name_length)
{
	struct procfs_stat stat;
	struct asked_end asked = { at("10.0.0.5", 1), 0 };
	const struct host_question question = {
		.number = 1,
		.is_first = true,
		.ports = { PORT },
		.n_ports = 1,
		.add = &asked,
		.n_add = 1,
	};
	stand->procfs = procfs_new("/proc");
	stand->state = peers_answer_new(stand->procfs);
	stand->world = world_make(T0, T0);
	stand->arena = arena_new();
	stand->name = mem_alloc(name_length + 1);
	memset(stand->name, 'n', name_length);
	assert_int_equal(procfs_stat(stand->procfs, getpid(), &stat), 0);
	world_add_tcp(&stand->world, asked.client, at("10.0.0.9", PORT), 11);
	struct process *process = world_add_owner(&stand->world, 11, getpid(), "app");
	process->start_ticks = stat.start_ticks;
	for (size_t i = 0; i < PAGES; i++) {
		snprintf(stand->paths[i], sizeof(stand->paths[i]), "%zu.page", i);
		stand->pages[i] = (struct pool_page){
			.path = stand->paths[i],
			.name = stand->name,
			.status = POOL_PAGE_LIVE,
			.pid = process->pid,
			.start_ticks = process->start_ticks,
			.owner_visible = true,
		};
	}
	assert_true(peers_answer_take(stand->state, &question));
}

static void tear_down(struct stand *stand)
{
	peers_answer_free(stand->state);
	procfs_free(stand->procfs);
	peers_unref(stand->world.peers);
	activity_unref(stand->world.activity);
	arena_free(stand->arena);
	free(stand->name);
}

static struct host_pages answer(struct stand *stand, size_t n_pages)
{
	const struct pool_pages pages = { .items = stand->pages, .count = n_pages };
	return peers_answer_make(stand->state, stand->world.peers, &pages, stand->arena).pages;
}

static void pages_without_room_come_later_or_stay_as_they_were(void **state)
{
	(void)state;
	struct stand stand;
	set_up(&stand, LONG);
	struct host_pages first = answer(&stand, 4);
	assert_int_equal(first.count, 3);
	assert_true(first.left_out);
	struct host_pages second = answer(&stand, 4);
	assert_int_equal(second.count, 4);
	assert_false(second.left_out);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(second.items[i].is_same, i < 3);
	assert_int_equal(second.items[2].id, first.items[2].id);
	for (size_t i = 0; i < 4; i++)
		stand.pages[i].in_use++;
	struct host_pages third = answer(&stand, 4);
	assert_int_equal(third.count, 4);
	assert_true(third.left_out);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(third.items[i].is_same, i == 3);
	struct host_pages last = answer(&stand, 4);
	assert_false(last.left_out);
	assert_false(last.items[3].is_same);
	tear_down(&stand);
}

/* Of another process, or of one that has ended; and no more than an answer may have. */
static void other_pages_are_left_out(void **state)
{
	(void)state;
	struct stand stand;
	set_up(&stand, 3);
	struct host_pages all = answer(&stand, PAGES);
	assert_int_equal(all.count, HOST_PAGES_MOST);
	assert_true(all.left_out);
	stand.pages[0].pid++;
	stand.pages[1].start_ticks++;
	stand.pages[2].status = POOL_PAGE_DEAD;
	struct host_pages some = answer(&stand, 4);
	assert_int_equal(some.count, 1);
	assert_false(some.left_out);
	assert_true(some.items[0].is_same);
	/* a page that was left out once is described again */
	stand.pages[0].pid--;
	assert_false(answer(&stand, 1).items[0].is_same);
	tear_down(&stand);
}

/* Each character takes two bytes of the line. */
static void command_lines_share_the_room_of_an_answer(void **state)
{
	(void)state;
	enum { N = 10, LENGTH = 1 << 20 };
	struct stand stand;
	set_up(&stand, 1);
	struct asked_end asked[N];
	CLEANUP(cleanup_free) char *command = mem_alloc(LENGTH + 1);
	memset(command, '"', LENGTH);
	for (int i = 0; i < N; i++) {
		uint32_t inode = 100 + (uint32_t)i;
		asked[i] = (struct asked_end){ at("10.0.0.5", (uint16_t)(100 + i)), 0 };
		world_add_tcp(&stand.world, asked[i].client, at("10.0.0.9", PORT), inode);
		/* no process has such a pid */
		world_add_owner(&stand.world, inode, INT32_MAX - i, "many")->command = command;
	}
	const struct host_question question = {
		.number = 1, .ports = { PORT }, .n_ports = 1, .add = asked, .n_add = N
	};
	assert_true(peers_answer_take(stand.state, &question));
	struct host_answer got =
		peers_answer_make(stand.state, stand.world.peers, NULL, stand.arena);
	assert_int_equal(got.n_processes, N + 1);
	CLEANUP(cleanup_free) char *line = host_lines_answer(&got);
	assert_in_range(strlen(line), HOST_ANSWER_MOST / 8, HOST_ANSWER_MOST / 2);
	tear_down(&stand);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_without_room_come_later_or_stay_as_they_were),
		cmocka_unit_test(other_pages_are_left_out),
		cmocka_unit_test(command_lines_share_the_room_of_an_answer),
	};
	return cmocka_run_group_tests_name("peers_answer", tests, NULL, NULL);
}
