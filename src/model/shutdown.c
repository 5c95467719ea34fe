/* Memory of the record, and the words of the shutdown test. */
#include "model/shutdown.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/instant.h"
#include "base/map.h"
#include "base/mem.h"

/* Strings are copied to a new arena only when they take more than this many bytes. */
#define COMPACT_LEAST ((size_t)64 * 1024)

static const char *const behaviour_names[] = {
	[BEHAVIOUR_CLOSED] = "closed",
	[BEHAVIOUR_LEFT_SESSIONS] = "left_sessions",
	[BEHAVIOUR_CHILD_KEPT_CONNECTION] = "child_kept_connection",
	[BEHAVIOUR_CHILD_STILL_RUNS] = "child_still_runs",
	[BEHAVIOUR_NEVER_EXITED] = "never_exited",
	[BEHAVIOUR_IGNORED_SIGNAL] = "ignored_signal",
	[BEHAVIOUR_LOST_WRITES] = "lost_writes",
	[BEHAVIOUR_RECONNECTED] = "reconnected",
	[BEHAVIOUR_DIED_UNCLOSED] = "died_unclosed",
};

static const char *const event_names[] = {
	[EVENT_SIGNAL] = "signal",
	[EVENT_TAKEN] = "signal_taken",
	[EVENT_HOOK] = "hook",
	[EVENT_PHASE] = "phase",
	[EVENT_OPENED] = "opened",
	[EVENT_CLOSED] = "closed",
	[EVENT_PROCESS_ENDED] = "process_ended",
	[EVENT_ROLLED_BACK] = "rolled_back",
	[EVENT_SERVER_CLEAN] = "server_clean",
	[EVENT_TIMEOUT] = "timeout",
};

/* Signals that are sent to end a program. */
static const struct {
	const char *name;
	int number;
} signals[] = {
	{ "INT", SIGINT },
	{ "TERM", SIGTERM },
	{ "HUP", SIGHUP },
	{ "QUIT", SIGQUIT },
	{ "KILL", SIGKILL },
	{ "USR1", SIGUSR1 },
	{ "USR2", SIGUSR2 },
	{ "ABRT", SIGABRT },
	{ "ALRM", SIGALRM },
	{ "PIPE", SIGPIPE },
	{ "SEGV", SIGSEGV },
	{ "BUS", SIGBUS },
	{ "FPE", SIGFPE },
	{ "ILL", SIGILL },
	{ "XCPU", SIGXCPU },
	{ "XFSZ", SIGXFSZ },
};
#define SIGNALS (sizeof(signals) / sizeof(signals[0]))

void shutdown_record_init(struct shutdown_record *record)
{
	*record = (struct shutdown_record){
		.arena = arena_new(),
		.compact_at = COMPACT_LEAST,
		.armed_at = INSTANT_UNKNOWN,
		.signalled_at = INSTANT_UNKNOWN,
		.signalled_wall = INSTANT_UNKNOWN,
		.counts_before = { -1, -1, -1 },
		.counts_after = { -1, -1, -1 },
		.counted_at_start = -1,
		.started_at = INSTANT_UNKNOWN,
	};
}

static void forget_databases(struct shutdown_record *record)
{
	for (size_t i = 0; i < record->n_databases; i++)
		free(record->databases[i]);
	free(record->databases);
	record->databases = NULL;
	record->n_databases = 0;
}

void shutdown_record_deinit(struct shutdown_record *record)
{
	arena_free(record->arena);
	forget_databases(record);
	free(record->processes);
	free(record->sockets);
	free(record->foreign);
	free(record->connections);
	free(record->phases);
	free(record->pools);
	free(record->hooks);
	free(record->unread);
	free(record->survivors);
	*record = (struct shutdown_record){ 0 };
}

void shutdown_record_compact(struct shutdown_record *record)
{
	if (arena_used(record->arena) < record->compact_at)
		return;
	struct arena *arena = arena_new();
	record->trigger = arena_strdup(arena, record->trigger);
	record->blind = arena_strdup(arena, record->blind);
	for (size_t i = 0; i < record->n_processes; i++)
		record->processes[i].name = arena_strdup(arena, record->processes[i].name);
	for (size_t i = 0; i < record->n_connections; i++) {
		struct shutdown_connection *connection = &record->connections[i];
		connection->state = arena_strdup(arena, connection->state);
		connection->database = arena_strdup(arena, connection->database);
		connection->application_name = arena_strdup(arena, connection->application_name);
		connection->site = arena_strdup(arena, connection->site);
	}
	for (size_t i = 0; i < record->n_phases; i++)
		record->phases[i].name = arena_strdup(arena, record->phases[i].name);
	for (size_t i = 0; i < record->n_survivors; i++) {
		struct shutdown_survivor *survivor = &record->survivors[i];
		survivor->what = arena_strdup(arena, survivor->what);
		survivor->result = arena_strdup(arena, survivor->result);
	}
	arena_free(record->arena);
	record->arena = arena;
	record->compact_at = 2 * arena_used(arena);
	if (record->compact_at < COMPACT_LEAST)
		record->compact_at = COMPACT_LEAST;
}

struct shutdown_process *shutdown_add_process(struct shutdown_record *record)
{
	record->processes = mem_grow(record->processes, record->n_processes,
		&record->processes_room, sizeof(*record->processes));
	struct shutdown_process *process = &record->processes[record->n_processes++];
	*process = (struct shutdown_process){
		.began_at = INSTANT_UNKNOWN,
		.taken_at = INSTANT_UNKNOWN,
		.ended_at = INSTANT_UNKNOWN,
	};
	return process;
}

struct shutdown_socket *shutdown_add_socket(struct shutdown_record *record)
{
	record->sockets = mem_grow(record->sockets, record->n_sockets, &record->sockets_room,
		sizeof(*record->sockets));
	struct shutdown_socket *socket = &record->sockets[record->n_sockets++];
	*socket = (struct shutdown_socket){ .closed_at = INSTANT_UNKNOWN };
	return socket;
}

struct foreign_session *shutdown_add_foreign(struct shutdown_record *record)
{
	record->foreign = mem_grow(record->foreign, record->n_foreign, &record->foreign_room,
		sizeof(*record->foreign));
	struct foreign_session *session = &record->foreign[record->n_foreign++];
	*session = (struct foreign_session){ 0 };
	return session;
}

bool shutdown_is_stray(const struct foreign_session *session)
{
	return session->came && session->doubtful && !session->gone;
}

struct shutdown_connection *shutdown_add_connection(struct shutdown_record *record)
{
	record->connections = mem_grow(record->connections, record->n_connections,
		&record->connections_room, sizeof(*record->connections));
	struct shutdown_connection *connection = &record->connections[record->n_connections++];
	*connection = (struct shutdown_connection){
		.opened_at = INSTANT_UNKNOWN,
		.closed_at = INSTANT_UNKNOWN,
		.ended_at = INSTANT_UNKNOWN,
		.worked_at = INSTANT_UNKNOWN,
		.lent_since = INSTANT_UNKNOWN,
		.state_age = -1,
	};
	return connection;
}

struct shutdown_phase *shutdown_add_phase(struct shutdown_record *record)
{
	record->phases = mem_grow(
		record->phases, record->n_phases, &record->phases_room, sizeof(*record->phases));
	struct shutdown_phase *phase = &record->phases[record->n_phases++];
	*phase = (struct shutdown_phase){
		.began_at = INSTANT_UNKNOWN,
		.pending.drained_at = INSTANT_UNKNOWN,
		.outbox.drained_at = INSTANT_UNKNOWN,
	};
	return phase;
}

struct shutdown_pool *shutdown_add_pool(struct shutdown_record *record)
{
	record->pools = mem_grow(
		record->pools, record->n_pools, &record->pools_room, sizeof(*record->pools));
	struct shutdown_pool *pool = &record->pools[record->n_pools++];
	*pool = (struct shutdown_pool){ .pending = -1, .outbox = -1 };
	return pool;
}

struct shutdown_hook *shutdown_add_hook(struct shutdown_record *record)
{
	record->hooks = mem_grow(
		record->hooks, record->n_hooks, &record->hooks_room, sizeof(*record->hooks));
	struct shutdown_hook *hook = &record->hooks[record->n_hooks++];
	*hook = (struct shutdown_hook){ .duration = -1, .ended_at = INSTANT_UNKNOWN };
	return hook;
}

struct unread_page *shutdown_add_unread(struct shutdown_record *record)
{
	record->unread = mem_grow(
		record->unread, record->n_unread, &record->unread_room, sizeof(*record->unread));
	struct unread_page *page = &record->unread[record->n_unread++];
	*page = (struct unread_page){ 0 };
	return page;
}

size_t shutdown_count_unread(const struct shutdown_record *record, bool *ret_own)
{
	size_t count = 0;
	*ret_own = false;
	for (size_t i = 0; i < record->n_unread; i++) {
		count += !record->unread[i].read;
		*ret_own |= record->unread[i].own && !record->unread[i].read;
	}
	return count;
}

struct shutdown_survivor *shutdown_add_survivor(struct shutdown_record *record)
{
	record->survivors = mem_grow(record->survivors, record->n_survivors,
		&record->survivors_room, sizeof(*record->survivors));
	struct shutdown_survivor *survivor = &record->survivors[record->n_survivors++];
	*survivor = (struct shutdown_survivor){ .result = "left" };
	return survivor;
}

bool shutdown_has_database(const struct shutdown_record *record, const char *database)
{
	for (size_t i = 0; i < record->n_databases; i++)
		if (strcmp(record->databases[i], database) == 0)
			return true;
	return false;
}

void shutdown_list_databases(struct shutdown_record *record)
{
	forget_databases(record);
	record->databases = mem_resize(NULL, record->n_connections + 1, sizeof(char *));
	for (size_t i = 0; i < record->n_connections; i++) {
		const char *database = record->connections[i].database;
		if (database && !shutdown_has_database(record, database))
			record->databases[record->n_databases++] = mem_strdup(database);
	}
}

uint64_t shutdown_identity(int32_t pid, uint64_t start)
{
	return map_mix((uint64_t)pid, start);
}

/* The keys are added from the last to the first: of several rows with one key, the first is found.
 */
struct map *shutdown_index_sockets(const struct shutdown_record *record, struct arena *arena)
{
	struct map *map = map_new(arena, record->n_sockets);
	for (size_t i = record->n_sockets; i-- > 0;)
		map_set(map, record->sockets[i].inode, (uint32_t)i);
	return map;
}

struct map *shutdown_index_pids(const struct shutdown_record *record, struct arena *arena)
{
	struct map *map = map_new(arena, record->n_processes);
	for (size_t i = record->n_processes; i-- > 0;)
		map_set(map, (uint64_t)record->processes[i].pid, (uint32_t)i);
	return map;
}

struct map *shutdown_index_processes(const struct shutdown_record *record, struct arena *arena)
{
	struct map *map = map_new(arena, record->n_processes);
	for (size_t i = record->n_processes; i-- > 0;)
		map_set(map,
			shutdown_identity(
				record->processes[i].pid, record->processes[i].start_ticks),
			(uint32_t)i);
	return map;
}

struct map *shutdown_index_sessions(const struct shutdown_record *record, struct arena *arena)
{
	struct map *map = map_new(arena, record->n_connections);
	for (size_t i = record->n_connections; i-- > 0;)
		if (record->connections[i].backend)
			map_set(map,
				shutdown_identity(record->connections[i].backend,
					(uint64_t)record->connections[i].backend_start),
				(uint32_t)i);
	return map;
}

struct map *shutdown_index_foreign(const struct shutdown_record *record, struct arena *arena)
{
	struct map *map = map_new(arena, record->n_foreign);
	for (size_t i = record->n_foreign; i-- > 0;)
		map_set(map,
			shutdown_identity(record->foreign[i].backend,
				(uint64_t)record->foreign[i].backend_start),
			(uint32_t)i);
	return map;
}

bool shutdown_has_begun(const struct shutdown_record *record)
{
	return record->signalled_at != INSTANT_UNKNOWN;
}

const struct shutdown_process *shutdown_command(const struct shutdown_record *record)
{
	for (size_t i = 0; i < record->n_processes; i++)
		if (record->processes[i].command)
			return &record->processes[i];
	return NULL;
}

int shutdown_count_open(const struct shutdown_record *record)
{
	int count = 0;
	for (size_t i = 0; i < record->n_connections; i++) {
		const struct shutdown_connection *connection = &record->connections[i];
		bool stands = connection->link == LINK_POOLED ||
			(connection->link == LINK_DIRECT && connection->state);
		count += stands && connection->closed_at == INSTANT_UNKNOWN &&
			!shutdown_connection_is_over(connection);
	}
	return count;
}

bool shutdown_has_link(const struct shutdown_record *record, enum shutdown_link link)
{
	for (size_t i = 0; i < record->n_connections; i++)
		if (record->connections[i].link == link)
			return true;
	return false;
}

int64_t shutdown_connection_end(const struct shutdown_connection *connection)
{
	if (connection->link == LINK_POOLED)
		return connection->closed_at;
	/* The session of this socket was never found: only its closing is known. */
	if (!connection->backend)
		return connection->closed_at;
	return connection->ended_at;
}

bool shutdown_connection_is_over(const struct shutdown_connection *connection)
{
	return shutdown_connection_end(connection) != INSTANT_UNKNOWN;
}

const char *shutdown_behaviour_name(enum shutdown_behaviour behaviour)
{
	return behaviour_names[behaviour];
}

const char *shutdown_event_name(enum shutdown_event_kind kind)
{
	return event_names[kind];
}

const char *shutdown_signal_name(int signal_number)
{
	for (size_t i = 0; i < SIGNALS; i++)
		if (signals[i].number == signal_number)
			return signals[i].name;
	return "?";
}

int shutdown_signal_parse(const char *text)
{
	char *end;
	long number = strtol(text, &end, 10);
	if (end != text && !*end)
		return number > 0 && number < NSIG ? (int)number : 0;
	if (strncasecmp(text, "SIG", 3) == 0)
		text += 3;
	for (size_t i = 0; i < SIGNALS; i++)
		if (strcasecmp(signals[i].name, text) == 0)
			return signals[i].number;
	return 0;
}
