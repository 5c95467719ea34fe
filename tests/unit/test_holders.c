/* analyze/holders: how many connections each process has, by the sockets alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "analyze/client_processes.h"
#include "analyze/holders.h"
#include "analyze/networks.h"
#include "base/arena.h"
#include "base/instant.h"

#define PROCESSES 40
#define PORT      5432

static const unsigned char server[] = { 10, 0, 0, 2 }, another[] = { 10, 0, 0, 3 };

struct scene {
	struct assessment assessment;
	struct peers *peers;
};

/* Each process has two sockets: of number n, those with the inodes 2 n + 1 and 2 n + 2. */
static void begin(struct scene *scene)
{
	struct peers *peers = peers_new();
	struct arena *arena = peers->arena;
	*scene = (struct scene){ { .arena = arena_new(), .peers = peers }, peers };
	peers->processes = arena_array(arena, PROCESSES, sizeof(*peers->processes));
	peers->owners = arena_array(arena, 2 * PROCESSES, sizeof(*peers->owners));
	peers->tcp = arena_array(arena, 2 * PROCESSES, sizeof(*peers->tcp));
	peers->unix_sockets = arena_array(arena, 2 * PROCESSES, sizeof(*peers->unix_sockets));
	for (uint32_t i = 0; i < PROCESSES; i++) {
		peers->processes[peers->n_processes++] = (struct process){
			.pid = 100 + (int32_t)i, .start_ticks = 1, .ended_at = INSTANT_UNKNOWN
		};
		for (uint32_t k = 1; k <= 2; k++)
			peers->owners[peers->n_owners++] = (struct socket_owner){ 2 * i + k, i };
	}
	peers->target = (struct peers_target){
		.port = PORT,
		.server = endpoint_make(AF_INET, server, PORT),
	};
}

static void add_tcp(struct scene *scene, const unsigned char *to)
{
	struct peers *peers = scene->peers;
	uint32_t inode = (uint32_t)peers->n_tcp + 1;
	peers->tcp[peers->n_tcp++] = (struct tcp_socket){
		.inode = inode,
		.local = endpoint_make(AF_INET, another, (uint16_t)(40000 + inode)),
		.remote = endpoint_make(AF_INET, to, PORT),
	};
}

static void add_unix(struct scene *scene, bool at_target)
{
	struct peers *peers = scene->peers;
	uint32_t inode = (uint32_t)peers->n_unix + 1;
	peers->unix_sockets[peers->n_unix++] = (struct unix_socket){
		.inode = 1000 + inode, .peer = inode, .at_target = at_target
	};
}

static void list(struct scene *scene)
{
	struct assessment *assessment = &scene->assessment;
	struct arena *arena = arena_new();
	holders_list(assessment, networks_new(scene->peers, NULL, arena),
		client_processes_new(assessment, NULL));
	arena_free(arena);
}

static void end(struct scene *scene)
{
	peers_unref(scene->peers);
	arena_free(scene->assessment.arena);
}

/* The list of processes grows, and so moves, while the connections are counted. */
static void each_connection_of_many_processes_counts(void **state)
{
	(void)state;
	for (int is_unix = 0; is_unix < 2; is_unix++) {
		struct scene scene;
		begin(&scene);
		if (is_unix)
			scene.peers->target.server = (struct endpoint){ .family = AF_UNIX };
		for (int i = 0; i < 2 * PROCESSES; i++)
			is_unix ? add_unix(&scene, true) : add_tcp(&scene, server);
		list(&scene);
		assert_int_equal(scene.assessment.n_processes, PROCESSES);
		for (size_t i = 0; i < PROCESSES; i++) {
			assert_int_equal(scene.assessment.processes[i].process.pid, 100 + i);
			assert_int_equal(scene.assessment.processes[i].connections, 2);
		}
		end(&scene);
	}
}

static void connections_to_another_server_do_not_count(void **state)
{
	struct scene scene;
	(void)state;
	begin(&scene);
	add_tcp(&scene, another);
	add_tcp(&scene, server);
	add_unix(&scene, false);
	list(&scene);
	assert_int_equal(scene.assessment.n_processes, 1);
	assert_int_equal(scene.assessment.processes[0].connections, 1);
	end(&scene);
}

/* Of two local servers with the same port, the one in our folder. */
static void another_servers_unix_sockets_do_not_count(void **state)
{
	struct scene scene;
	(void)state;
	begin(&scene);
	scene.peers->target.server = (struct endpoint){ .family = AF_UNIX };
	scene.peers->target.socket_inode = 77;
	add_unix(&scene, true);
	add_unix(&scene, false);
	add_unix(&scene, true);
	list(&scene);
	assert_int_equal(scene.assessment.n_processes, 2);
	assert_int_equal(scene.assessment.processes[0].connections, 1);
	assert_int_equal(scene.assessment.processes[1].connections, 1);
	end(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_connection_of_many_processes_counts),
		cmocka_unit_test(connections_to_another_server_do_not_count),
		cmocka_unit_test(another_servers_unix_sockets_do_not_count),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
