/* collect/line_weight: what another machine's dbtop may make us keep in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "collect/host_lines.h"
#include "collect/line_weight.h"

/* Many small values in few bytes, which would take up to a hundred times that in memory; what
 * stands in a text is none of them. */
static void what_a_line_may_take_in_memory_is_limited(void **state)
{
	(void)state;
	static const struct {
		const char *item;
		size_t count;
		bool is_allowed;
	} cases[] = {
		{ "{},", LINE_GROUPS_MOST, false },
		{ "[],", LINE_GROUPS_MOST - 10, true },
		{ "0,", LINE_VALUES_MOST, false },
		{ "\"\\\"{[,\",", LINE_GROUPS_MOST + 1, true },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct arena *arena = arena_new();
		const char *error;
		struct host_answer answer;
		size_t size = strlen(cases[i].item);
		CLEANUP(cleanup_free)
		char *line = mem_printf("{\"answer\":1,\"target\":0,\"new\":[%*s0]}",
			(int)(cases[i].count * size), "");
		char *at = strchr(line, '[') + 1;
		for (size_t k = 0; k < cases[i].count; k++)
			memcpy(at + k * size, cases[i].item, size);
		int r = host_lines_read_answer(arena, line, strlen(line), &answer, &error);
		assert_int_equal(r, cases[i].is_allowed ? 0 : -EPROTO);
		arena_free(arena);
	}
}

/* As many processes as ends, and full pages. */
static void an_answer_about_all_ends_is_light_enough(void **state)
{
	(void)state;
	enum { PAGES = 40 };
	const struct asked_end end = { { .family = AF_INET, .port = 1 }, 0 };
	struct host_process *processes = mem_alloc(HOST_ENDS_MOST * sizeof(*processes));
	struct host_change *changes = mem_alloc(HOST_ENDS_MOST * sizeof(*changes));
	static struct pool_slot slots[256];
	static struct host_page pages[PAGES];
	for (size_t i = 0; i < HOST_ENDS_MOST; i++) {
		processes[i] = (struct host_process){ (uint32_t)i + 1,
			{ .pid = 1,
				.started_at = 1,
				.ended_at = 1,
				.name = "n",
				.command = "c",
				.user = "u",
				.unit = "u",
				.container = "c",
				.image = "i",
				.program = PROGRAM_POOLER,
				.cpu_percent = 1,
				.rss_bytes = 1 } };
		changes[i] = (struct host_change){ end, HOST_END_HELD, 1, 2 };
	}
	for (size_t i = 0; i < PAGES; i++)
		pages[i] = (struct host_page){ 1, false,
			{ .path = "",
				.name = "",
				.server = "",
				.phase = "",
				.slots = slots,
				.n_slots = 256 } };
	size_t size;
	(void)host_page_digest(&pages[0].page, &size);
	assert_true(size * PAGES > HOST_PAGES_SIZE);
	const struct host_answer answer = { .number = 1,
		.processes = processes,
		.n_processes = HOST_ENDS_MOST,
		.changes = changes,
		.n_changes = HOST_ENDS_MOST,
		.pages = { pages, PAGES, true } };
	CLEANUP(cleanup_free) char *line = host_lines_answer(&answer);
	assert_true(strlen(line) < HOST_ANSWER_MOST);
	assert_true(line_weight_is_allowed(line, strlen(line)));
	free(processes);
	free(changes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_line_may_take_in_memory_is_limited),
		cmocka_unit_test(an_answer_about_all_ends_is_light_enough),
	};
	return cmocka_run_group_tests_name("line_weight", tests, NULL, NULL);
}
