/* analyze/client_processes: each process is in the list once, and is found there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "analyze/client_processes.h"
#include "base/arena.h"
#include "base/instant.h"
#include "model/peers.h"

static struct peers *make_peers(size_t n)
{
	struct peers *peers = peers_new();
	peers->processes = arena_array(peers->arena, n, sizeof(*peers->processes));
	peers->n_processes = n;
	for (size_t i = 0; i < n; i++)
		peers->processes[i] = (struct process){
			.pid = (int32_t)(i + 1), .start_ticks = i * 7, .ended_at = INSTANT_UNKNOWN
		};
	return peers;
}

static void a_process_is_its_pid_and_start(void **state)
{
	(void)state;
	struct arena *arena = arena_new();
	struct peers *peers = make_peers(3);
	struct assessment assessment = { .arena = arena, .peers = peers };
	struct client_processes *list = client_processes_new(&assessment, NULL);
	uint32_t second = client_processes_find(list, 2, 7);
	assert_int_equal(assessment.processes[second].process.pid, 2);
	assert_int_equal(client_processes_find(list, 2, 7), second);
	assert_int_equal(client_processes_use(list, 1), second);
	assert_int_equal(client_processes_find(list, 2, 8), NO_PROCESS);
	assert_int_equal(client_processes_find(list, 4, 21), NO_PROCESS);
	assert_int_equal(assessment.n_processes, 1);
	/* another one that had this pid before */
	const struct process earlier = { .pid = 2, .start_ticks = 3 };
	uint32_t added = client_processes_add(list, &earlier, false);
	assert_int_not_equal(added, second);
	assert_int_equal(client_processes_add(list, &earlier, false), added);
	assert_int_equal(assessment.n_processes, 2);
	/* the same numbers on other machines */
	const struct process on_a = { .pid = 2, .start_ticks = 3, .host = "a" };
	const struct process on_b = { .pid = 2, .start_ticks = 3, .host = "b" };
	uint32_t far = client_processes_add(list, &on_a, true);
	assert_int_not_equal(far, added);
	assert_int_not_equal(client_processes_add(list, &on_b, true), far);
	assert_int_equal(client_processes_add(list, &on_a, true), far);
	/* a process of another machine is recalled as it was, not as the local one */
	const struct client_process before = {
		.process = { .pid = 2, .start_ticks = 7, .host = "a", .ended_at = INSTANT_UNKNOWN },
		.alive = true
	};
	uint32_t recalled = client_processes_recall(list, &before);
	assert_int_not_equal(recalled, second);
	assert_true(assessment.processes[recalled].alive);
	assert_int_equal(assessment.n_processes, 5);
	peers_unref(peers);
	arena_free(arena);
}

/* Comparing each process with all others would take minutes. */
static void many_are_found_at_once(void **state)
{
	(void)state;
	enum { MANY = 300000 };
	struct arena *arena = arena_new();
	struct peers *peers = make_peers(MANY);
	struct assessment assessment = { .arena = arena, .peers = peers };
	struct client_processes *list = client_processes_new(&assessment, NULL);
	for (size_t i = 0; i < MANY; i++) {
		uint32_t found = client_processes_find(list, (int32_t)(i + 1), i * 7);
		assert_int_equal(assessment.processes[found].process.pid, (int32_t)(i + 1));
	}
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(
			client_processes_find(list, (int32_t)(i + 1), i * 7 + 1), NO_PROCESS);
	peers_unref(peers);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_process_is_its_pid_and_start),
		cmocka_unit_test(many_are_found_at_once),
	};
	return cmocka_run_group_tests_name("client_processes", tests, NULL, NULL);
}
