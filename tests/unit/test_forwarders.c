/* analyze/forwarders: whose connection it is that a forwarder holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "analyze/client_processes.h"
#include "analyze/forwarders.h"
#include "base/arena.h"
#include "base/instant.h"

enum { HOST = 1, OTHER_BOX, BOX }; /* mount namespaces */
enum { ROOT = 0, APP = 1000, STRANGER = 1001 };
enum { FORWARDER, CLIENT, SECOND }; /* processes; each holds the socket 100 + its number */

struct row {
	uint32_t uid, mount;         /* the forwarder's */
	uint32_t far_uid, far_mount; /* of the process behind it */
	bool is_proven;
};

static const struct row rows[] = {
	{ ROOT, HOST, APP, HOST, true },
	{ ROOT, HOST, APP, BOX, true },
	{ APP, HOST, APP, HOST, true },
	{ APP, HOST, APP, BOX, true },
	{ APP, BOX, APP, BOX, true },
	{ ROOT, BOX, ROOT, BOX, true },
	{ STRANGER, HOST, APP, HOST, false },
	{ STRANGER, HOST, ROOT, HOST, false },
	/* root in a container */
	{ ROOT, BOX, ROOT, HOST, false },
	{ ROOT, BOX, APP, HOST, false },
	{ ROOT, BOX, ROOT, OTHER_BOX, false },
	{ ROOT, BOX, APP, BOX, false },
	/* that cannot be read */
	{ ROOT, 0, APP, HOST, false },
	{ APP, 0, APP, 0, false },
};

static struct peers *make_peers(const struct row *row, bool is_paired)
{
	struct peers *peers = peers_new();
	struct arena *arena = peers->arena;
	peers->host_mounts[0] = HOST;
	peers->processes = arena_array(arena, 3, sizeof(*peers->processes));
	peers->n_processes = peers->n_owners = 3;
	peers->owners = arena_array(arena, 3, sizeof(*peers->owners));
	for (uint32_t i = 0; i < 3; i++) {
		peers->processes[i] = (struct process){
			.pid = (int32_t)i + 1,
			.start_ticks = 1,
			.uid = i == FORWARDER ? row->uid : row->far_uid,
			.mount_namespace = i == FORWARDER ? row->mount : row->far_mount,
			.ended_at = INSTANT_UNKNOWN,
			.name = i == FORWARDER ? "socat" : "app",
		};
		peers->owners[i] = (struct socket_owner){ 100 + i, i };
	}
	peers->pairs = arena_array(arena, 1, sizeof(*peers->pairs));
	peers->pairs[0] = (struct peers_pair){ 100 + FORWARDER, 100 + CLIENT };
	peers->n_pairs = is_paired;
	if (is_paired)
		return peers;
	peers->forwarders = arena_array(arena, 1, sizeof(*peers->forwarders));
	peers->n_forwarders = 1;
	uint32_t *far = arena_array(arena, 3, sizeof(*far));
	far[0] = 100 + CLIENT;
	far[1] = 100 + SECOND;
	far[2] = 999; /* nobody that we see has it */
	peers->forwarders[0] = (struct peers_forwarder){ 1, 1, far, 3 };
	return peers;
}

struct scene {
	struct assessment assessment;
	struct client_processes *processes;
	struct connection connection;
};

static void look(struct scene *scene, const struct row *row, bool is_paired)
{
	*scene = (struct scene){
		.assessment.arena = arena_new(),
		.assessment.peers = make_peers(row, is_paired),
		.connection.end = CLIENT_END_HELD,
		.connection.end_inode = 100 + FORWARDER,
		.connection.matched_by = MATCHED_TCP,
	};
	scene->processes = client_processes_new(&scene->assessment, NULL);
	scene->connection.owner = scene->connection.process =
		client_processes_use(scene->processes, FORWARDER);
	forwarders_look_through(
		&scene->assessment, NULL, NULL, scene->processes, &scene->connection);
}

static int pid_of(const struct scene *scene)
{
	return scene->assessment.processes[scene->connection.process].process.pid;
}

static void end(struct scene *scene)
{
	peers_unref(scene->assessment.peers);
	arena_free(scene->assessment.arena);
}

static void a_forwarder_speaks_for_whom_it_may(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct scene scene;
		look(&scene, &rows[i], true);
		const struct connection *connection = &scene.connection;
		if ((pid_of(&scene) == CLIENT + 1) != rows[i].is_proven)
			fail_msg("row %zu", i);
		assert_int_equal(connection->matched_by,
			rows[i].is_proven ? MATCHED_FORWARDER : MATCHED_TCP);
		assert_int_equal(connection->forwarder, rows[i].is_proven ? 1 : 0);
		assert_int_equal(connection->n_may_be, rows[i].is_proven ? 0 : 1);
		end(&scene);
	}
}

static void without_a_pair_it_may_be_each(void **state)
{
	struct scene scene;
	(void)state;
	look(&scene, &rows[0], false);
	assert_int_equal(pid_of(&scene), FORWARDER + 1);
	assert_int_equal(scene.connection.n_may_be, 2);
	assert_int_equal(scene.connection.may_be[1].pid, SECOND + 1);
	end(&scene);
}

/* The pair is forgotten with the forwarder, whose process it was is not. */
static void a_session_keeps_its_process_after_its_end(void **state)
{
	struct scene before, now;
	(void)state;
	look(&before, &rows[0], true);
	now = (struct scene){
		.assessment.arena = arena_new(),
		.assessment.peers = make_peers(&rows[0], false),
		.connection.end = CLIENT_END_GONE,
		.connection.end_inode = 100 + FORWARDER,
	};
	now.processes = client_processes_new(&now.assessment, &before.assessment);
	now.connection.owner = now.connection.process =
		client_processes_use(now.processes, FORWARDER);
	forwarders_look_through(&now.assessment, &before.assessment, &before.connection,
		now.processes, &now.connection);
	assert_int_equal(pid_of(&now), CLIENT + 1);
	assert_int_equal(now.connection.matched_by, MATCHED_FORWARDER);
	end(&now);
	end(&before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_forwarder_speaks_for_whom_it_may),
		cmocka_unit_test(without_a_pair_it_may_be_each),
		cmocka_unit_test(a_session_keeps_its_process_after_its_end),
	};
	return cmocka_run_group_tests_name("forwarders", tests, NULL, NULL);
}
