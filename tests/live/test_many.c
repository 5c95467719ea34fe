/* A thousand connections from fifty processes: each beside its own. */
#include "live_group.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

#define PROCESSES   50
#define CONNECTIONS 20

static const enum live_route routes[] = { LIVE_UNIX, LIVE_TCP4, LIVE_TCP6 };
#define ROUTES (sizeof(routes) / sizeof(routes[0]))

/* "pid N" of a client's output into owners, which is sorted by nothing. */
struct ownership {
	int backend, client;
};

static size_t read_backends(struct live_program *client, struct ownership *owners, size_t count)
{
	const char *line = live_out(client);
	int backend;
	for (; sscanf(line, "pid %d", &backend) == 1; line = strchr(line, '\n') + 1)
		owners[count++] = (struct ownership){ backend, (int)live_pid(client) };
	return count;
}

static bool is_settled(json_t *root, void *data)
{
	const size_t *count = data;
	return json_is_true(json_object_get(root, "settled")) &&
		json_array_size(live_member(root, "connections")) == *count;
}

/* dbtop goes on until it has seen all: a single report gives up after 15 s, and a thousand
 * connections can take it longer on a busy machine, under valgrind. */
static void the_right_process_among_many(void **state)
{
	(void)state;
	static struct ownership owners[PROCESSES * CONNECTIONS];
	int processes = live_rounds(PROCESSES);
	size_t count = 0;
	char connections[16];
	snprintf(connections, sizeof(connections), "%d", CONNECTIONS);
	for (int i = 0; i < processes; i++) {
		CLEANUP(cleanup_free)
		char *app = live_conninfo(server, routes[(size_t)i % ROUTES], "user=app");
		count = read_backends(
			live_client(app, "connect", connections, NULL), owners, count);
	}
	assert_int_equal(count, processes * CONNECTIONS);
	CLEANUP(cleanup_free) char *own = live_conninfo(server, LIVE_TCP4, NULL);
	struct live_program *dbtop =
		live_dbtop_start(NULL, "--json", "--follow", "--idle-limit", "1h", own, NULL);
	size_t with_own = count + 1;
	json_t *root = live_await_json(dbtop, is_settled, &with_own, "all connections", 20000);
	assert_null(live_find_text(root, "connections", "status", "leaked"));
	for (size_t i = 0; i < count; i++) {
		json_t *found = live_find_number(root, "connections", "pid", owners[i].backend);
		assert_int_equal(
			json_integer_value(live_member(found, "process.pid")), owners[i].client);
	}
	for (int i = 0; i < processes; i++) {
		json_t *process =
			live_find_number(root, "processes", "pid", owners[i * CONNECTIONS].client);
		assert_int_equal(
			json_integer_value(live_member(process, "connections")), CONNECTIONS);
	}
	json_decref(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_right_process_among_many),
	};
	return LIVE_GROUP("many", tests,
		.settings = (const char *const[]){ "max_connections=1100", NULL },
		.sql = "CREATE ROLE app LOGIN");
}
