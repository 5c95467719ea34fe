#include "guests.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "cables.h"
#include "places.h"

#define MOST_GUESTS 12
#define MOST_NAMES  100000

/* A client of the long test: its number is in its application_name. */
static struct guest {
	int number;
	struct live_program *client, *container; /* container: its namespace, if that is its own */
	bool kept;                               /* its death is not proven: struct place */
} guests[MOST_GUESTS];

static pid_t guest_pids[MOST_NAMES];  /* by number */
static bool guest_killed[MOST_NAMES]; /* by number */
static bool guest_proven[MOST_NAMES]; /* by number: root's dbtop has proven it */
static int n_guests;

static int number_of(json_t *row)
{
	const char *name = live_text(row, "application_name");
	return name && strncmp(name, "guest", 5) == 0 ? atoi(name + 5) : -1;
}

/* Each row is right or not known. */
static bool nothing_is_wrong(json_t *root, void *data)
{
	bool *proven = data;
	size_t i;
	json_t *row;
	json_array_foreach(live_member(root, "connections"), i, row)
	{
		int number = number_of(row);
		if (number < 0)
			continue;
		json_t *pid = live_member(row, "process.pid");
		const char *reason = live_text(row, "reason");
		bool gone = reason && strcmp(reason, "client_gone") == 0;
		/* while it is not proven who is behind a forwarder, it is itself the process */
		const char *process = live_text(row, "process.name");
		bool forwards = process &&
			(strcmp(process, "socat") == 0 || strcmp(process, "haproxy") == 0);
		if (json_is_integer(pid) && json_integer_value(pid) != guest_pids[number] &&
			!forwards)
			fail_msg("guest %d is %d: %s", number, (int)guest_pids[number],
				json_dumps(row, JSON_INDENT(1)));
		if (gone && !guest_killed[number])
			fail_msg("guest %d lives: %s", number, json_dumps(row, JSON_INDENT(1)));
		if (gone && proven)
			proven[number] = true;
	}
	return true;
}

static void start_guest(struct guest *guest, unsigned choice)
{
	const struct place *place = &places[choice % PLACES];
	bool nobodys = choice / 5 % 2;
	char name[32];
	*guest = (struct guest){ .number = n_guests };
	snprintf(name, sizeof(name), "guest%d", n_guests);
	if (choice % 5 == 0) {
		CLEANUP(cleanup_free) char *more = mem_printf("user=app application_name=%s", name);
		guest->container = start_holder(true);
		cables_lay(guest->container, 3 + (int)(guest - guests));
		guest->client = start_client(live_pid(guest->container), nobodys,
			by_address(server_address, more), "active");
	} else {
		guest->kept = place->kept;
		guest->client =
			start_client(home_of(place), nobodys, way_of(place, name), "active");
	}
	guest_pids[n_guests++] = live_pid(guest->client);
}

static void kill_guest(struct guest *guest)
{
	guest_killed[guest->number] = true;
	live_signal(guest->client, SIGKILL);
	live_free(guest->client);
	if (guest->container)
		live_free(guest->container);
	guest->client = guest->container = NULL;
}

static bool is_proven(json_t *root, void *data)
{
	(void)nothing_is_wrong(root, guest_proven);
	return guest_proven[*(const int *)data];
}

/* The session is ended once its client is proven gone, so that the next guest has a slot. */
static void bury(struct live_program *dbtop, struct guest *guest)
{
	if (!guest->kept)
		json_decref(live_await_json(
			dbtop, is_proven, &guest->number, "the guest is gone", 60000));
	CLEANUP(cleanup_free)
	char *sql = mem_printf("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
			       " WHERE application_name = 'guest%d'",
		guest->number);
	live_sql(server, sql);
	CLEANUP(cleanup_free)
	char *unplugged =
		mem_printf("while ip link show cable%d 2>/dev/null >&2; do sleep 0.05; done",
			3 + (int)(guest - guests));
	live_shell(unplugged);
	*guest = (struct guest){ .number = -1 };
}

static void look(struct live_program *dbtop, bool *proven, const char *whose)
{
	json_decref(live_await_json(dbtop, nothing_is_wrong, proven, whose, 60000));
}

void nothing_is_wrong_while_clients_come_and_go(void **state)
{
	(void)state;
	struct live_program *dbtop = live_dbtop_start(
		NULL, "--json", "--follow", "-i", "0.2", way_to_server(OVER_ADDRESS), NULL);
	struct live_program *users = follow_as("nobody"), *strangers = follow_as("daemon");
	unsigned chance = 1;
	int rounds = live_rounds(20);
	memset(guests, 0, sizeof(guests));
	for (size_t i = 0; i < MOST_GUESTS; i++)
		guests[i].number = -1;
	for (int round = 0; round < rounds && n_guests < MOST_NAMES; round++) {
		chance = chance * 1103515245 + 12345;
		struct guest *guest = &guests[(chance >> 16) % MOST_GUESTS];
		if (guest->number < 0)
			start_guest(guest, (unsigned)round);
		else if (guest->client)
			kill_guest(guest);
		else
			bury(dbtop, guest);
		look(dbtop, guest_proven, "root's snapshot");
		look(users, NULL, "the user's snapshot");
		look(strangers, NULL, "the stranger's snapshot");
	}
	for (size_t i = 0; i < MOST_GUESTS; i++) {
		if (guests[i].client)
			kill_guest(&guests[i]);
		if (guests[i].number >= 0)
			bury(dbtop, &guests[i]);
	}
}
