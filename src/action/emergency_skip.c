/* Checks follow each other; the first one that has a reason to skip a process decides. */
#include "action/emergency_skip.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "action/emergency_candidates.h"
#include "base/arena.h"
#include "base/map.h"
#include "base/mem.h"
#include "model/assessment.h"
#include "model/emergency.h"
#include "model/programs.h"
#include "model/proxy.h"
#include "model/rules.h"

/* Names that are listed of a process's connections. */
#define MOST_NAMES 3

struct judge {
	const struct assessment *assessment;
	const struct emergency_plan_options *options;
	struct arena *arena;
	bool connected;
	struct map *first_by_process; /* identity → index of its first connection */
	uint32_t *next;      /* of the same process, for each connection; MAP_NONE at the end */
	const bool *servers; /* one for each of the peers' processes: it holds server's ends */
};

/* One process while it is judged. */
struct suspect {
	const struct process *process;
	uint32_t peer;
	const struct process_facts *facts; /* NULL: not known */
	bool known;                        /* all its connections are joined to it: their names
					      are known */
	bool elsewhere;                    /* none of them is at the address that we come to */
	const char *why;
};

static uint64_t identity(int32_t pid, uint64_t start_ticks)
{
	return map_mix((uint64_t)pid, start_ticks);
}

/* Links each process's connections in their order. */
static void index_connections(struct judge *judge)
{
	const struct assessment *assessment = judge->assessment;
	struct arena *arena = judge->arena;
	judge->first_by_process = map_new(arena, assessment->n_processes);
	judge->next = arena_array(arena, assessment->n_connections, sizeof(*judge->next));
	for (size_t i = assessment->n_connections; i-- > 0;) {
		const struct client_process *client =
			assessment_local_process(assessment, &assessment->connections[i]);
		if (!client)
			continue;
		uint64_t key = identity(client->process.pid, client->process.start_ticks);
		judge->next[i] = map_get(judge->first_by_process, key);
		map_set(judge->first_by_process, key, (uint32_t)i);
	}
}

/* The process's connections, one after the other; NULL at the end. *i begins at 0. */
static const struct connection *next_connection(
	const struct judge *judge, const struct process *process, size_t *i)
{
	uint32_t index = *i
		? judge->next[*i - 1]
		: map_get(judge->first_by_process, identity(process->pid, process->start_ticks));
	if (index == MAP_NONE)
		return NULL;
	*i = (size_t)index + 1;
	return &judge->assessment->connections[index];
}

/* By the socket that it listens on, or a process of its program; and by its executable alone, of
 * one whose port we do not know. */
static bool is_proxy(const struct judge *judge, const struct suspect *suspect)
{
	const char *name = judge->options->proxy;
	return proxy_is_process(judge->assessment->proxy, suspect->process) ||
		(suspect->facts && *name && suspect->facts->executable &&
			strcmp(suspect->facts->executable, name) == 0);
}

/* An application is not called PostgreSQL or a pooler by a script's name; a script is an agent or a
 * tool by its own. */
static enum program_kind kind_of(const struct process_facts *facts)
{
	return program_kind_of(facts->executable, facts->script);
}

static const char *program_of(const struct process_facts *facts)
{
	return program_kind(facts->executable) == PROGRAM_UNKNOWN ? facts->script
								  : facts->executable;
}

static enum skip_reason judge_program(const struct judge *judge, struct suspect *suspect)
{
	static const enum skip_reason by_kind[] = {
		[PROGRAM_POSTGRESQL] = SKIP_POSTGRESQL,
		[PROGRAM_HA_AGENT] = SKIP_HA_AGENT,
		[PROGRAM_POOLER] = SKIP_PGBOUNCER,
		[PROGRAM_SSHD] = SKIP_SSHD,
		[PROGRAM_FORWARDER] = SKIP_FORWARDER,
		[PROGRAM_MAINTENANCE] = SKIP_NONE, /* judge_tool(): it may be named */
		[PROGRAM_TOOL] = SKIP_NONE,        /* likewise */
		[PROGRAM_DBTOP] = SKIP_NONE,       /* another one than ours */
	};
	enum skip_reason skip = suspect->facts ? by_kind[kind_of(suspect->facts)] : SKIP_NONE;
	if (skip == SKIP_HA_AGENT || skip == SKIP_FORWARDER || skip == SKIP_SSHD)
		suspect->why = arena_strdup(judge->arena, program_of(suspect->facts));
	return skip;
}

static enum skip_reason judge_what_it_is(const struct judge *judge, struct suspect *suspect)
{
	const struct process_facts *facts = suspect->facts;
	if (facts && facts->ours)
		return SKIP_DBTOP;
	if (is_proxy(judge, suspect))
		return SKIP_PROXY;
	enum skip_reason skip = judge_program(judge, suspect);
	if (skip != SKIP_NONE)
		return skip;
	if (judge->servers[suspect->peer])
		return SKIP_POSTGRESQL;
	if (facts && facts->starts_server)
		return SKIP_PARENT;
	if (facts && facts->serves)
		return SKIP_PGBOUNCER;
	if (!facts || !facts->forwards)
		return SKIP_NONE;
	suspect->why = "another connection carries the same bytes as one to the server";
	return SKIP_FORWARDER;
}

static enum skip_reason judge_user(const struct judge *judge, struct suspect *suspect)
{
	const struct emergency_plan_options *options = judge->options;
	bool root = options->uid == 0;
	if (suspect->process->uid == options->uid || (root && options->all_users))
		return SKIP_NONE;
	suspect->why = root ? arena_printf(judge->arena, "%s's: --all-users stops it, too",
				      suspect->process->user ? suspect->process->user : "another")
			    : arena_strdup(judge->arena, suspect->process->user);
	return SKIP_OTHER_USER;
}

static enum skip_reason judge_readable(const struct judge *judge, struct suspect *suspect)
{
	const struct process_facts *facts = suspect->facts;
	(void)judge;
	if (facts && facts->executable)
		return SKIP_NONE;
	if (!facts)
		suspect->why = "it was not read: it ended meanwhile, or other processes hang";
	else if (facts->hangs)
		suspect->why = "it hangs in the kernel";
	return SKIP_UNREADABLE;
}

static enum skip_reason protect(
	const struct judge *judge, struct suspect *suspect, const char *key, const char *name)
{
	suspect->why = arena_printf(judge->arena, "protect.%s: %s", key, name);
	return SKIP_PROTECTED;
}

static enum skip_reason judge_protection(const struct judge *judge, struct suspect *suspect)
{
	const struct rules *rules = judge->options->rules;
	const char *given = suspect->facts->application, *name = suspect->process->name;
	if (patterns_match(&rules->protected_processes, name))
		return protect(judge, suspect, "processes", name);
	const struct connection *connection;
	for (size_t i = 0; (connection = next_connection(judge, suspect->process, &i));) {
		const struct backend *backend = connection->backend;
		if (patterns_match(&rules->protected_applications, backend->application_name))
			return protect(judge, suspect, "applications", backend->application_name);
		if (patterns_match(&rules->protected_users, backend->user))
			return protect(judge, suspect, "users", backend->user);
	}
	/* the name that it was started with counts only while its connections' names are not
	 * known */
	if (!suspect->known && patterns_match(&rules->protected_applications, given))
		return protect(judge, suspect, "applications", given);
	return SKIP_NONE;
}

static bool is_named(const struct judge *judge, const struct suspect *suspect)
{
	const struct patterns *patterns = judge->options->applications;
	const struct process *process = suspect->process;
	if (patterns_match(patterns, process->name) || patterns_match(patterns, process->command))
		return true;
	const struct connection *connection;
	for (size_t i = 0; (connection = next_connection(judge, process, &i));)
		if (patterns_match(patterns, connection->backend->application_name))
			return true;
	return !suspect->known && patterns_match(patterns, suspect->facts->application);
}

static bool is_named_by_pid(const struct judge *judge, const struct suspect *suspect)
{
	for (size_t i = 0; i < judge->options->n_pids; i++)
		if (judge->options->pids[i] == suspect->process->pid)
			return true;
	return false;
}

static bool is_named_for_emergency(const struct judge *judge, const struct suspect *suspect)
{
	return is_named_by_pid(judge, suspect) ||
		(judge->options->applications->count && is_named(judge, suspect));
}

static enum skip_reason judge_names(const struct judge *judge, struct suspect *suspect)
{
	if (judge->options->n_pids) {
		if (is_named_by_pid(judge, suspect))
			return SKIP_NONE;
		suspect->why = "--pid does not name it";
		return SKIP_NOT_NAMED;
	}
	if (judge->options->applications->count == 0 || is_named(judge, suspect))
		return SKIP_NONE;
	if (!suspect->known)
		return SKIP_NOT_TOLD;
	suspect->why = "emergency.applications does not name it";
	return SKIP_NOT_NAMED;
}

/* All that a process holds goes with it: one connection out of scope keeps the process. */
static enum skip_reason judge_scope(const struct judge *judge, struct suspect *suspect)
{
	const regex_t *scope = judge->options->rules->scope;
	const char *name = suspect->process->name;
	if (!scope || (name && regexec(scope, name, 0, NULL, 0) == 0))
		return SKIP_NONE;
	if (!suspect->known)
		return SKIP_NOT_TOLD;
	const struct connection *connection;
	for (size_t i = 0; (connection = next_connection(judge, suspect->process, &i));)
		if (!connection->in_scope)
			return SKIP_OUT_OF_SCOPE;
	return SKIP_NONE;
}

/* Whether --pid, the configuration or --app names it; --app does if it covers all its connections.
 */
static bool is_named_at_all(const struct judge *judge, struct suspect *suspect)
{
	if (is_named_for_emergency(judge, suspect))
		return true;
	return judge->options->rules->scope && judge_scope(judge, suspect) == SKIP_NONE;
}

static enum skip_reason judge_tool(const struct judge *judge, struct suspect *suspect)
{
	enum program_kind kind = kind_of(suspect->facts);
	/* the demo's application is dbtop's program under other names */
	bool is_dbtop = kind == PROGRAM_DBTOP && suspect->process->name &&
		strcmp(suspect->process->name, "dbtop") == 0;
	bool is_tool = kind == PROGRAM_TOOL || kind == PROGRAM_MAINTENANCE || is_dbtop;
	if (!is_tool || is_named_for_emergency(judge, suspect))
		return SKIP_NONE;
	suspect->why = arena_strdup(judge->arena, program_of(suspect->facts));
	return SKIP_CLIENT_PROGRAM;
}

/* Scripts of backup and supervision that no table knows run as the server's user. Where dbtop runs
 * as that user, too, and it is a person's and not the service's, the applications do as well. */
static enum skip_reason judge_servers_user(const struct judge *judge, struct suspect *suspect)
{
	const struct process *process = suspect->process;
	bool persons = process->uid == judge->options->uid && process->user &&
		strcmp(process->user, "postgres") != 0;
	if (!suspect->facts->servers_user || persons || is_named_at_all(judge, suspect))
		return SKIP_NONE;
	suspect->why = arena_printf(judge->arena,
		"%s's: --pid, --app or emergency.applications stops it, when they name it",
		process->user ? process->user : "PostgreSQL");
	return SKIP_SERVERS_USER;
}

/* With applications or users protected, one whose names are not known may be one of them, unless
 * it was given one that is not, or is named for the emergency. */
static enum skip_reason judge_knowledge(const struct judge *judge, struct suspect *suspect)
{
	const struct rules *rules = judge->options->rules;
	bool by_user = rules->protected_users.count, by_name = rules->protected_applications.count;
	if (suspect->known || (!by_user && !by_name))
		return SKIP_NONE;
	if (is_named_for_emergency(judge, suspect))
		return SKIP_NONE;
	if (!by_user && suspect->facts->application)
		return SKIP_NONE;
	suspect->why = "it may be protected: its name is not known";
	return SKIP_NOT_TOLD;
}

/* Once dbtop is connected, the server reports the others at its address; who came by another
 * address stays unknown. */
static enum skip_reason judge_address(const struct judge *judge, struct suspect *suspect)
{
	if (!suspect->elsewhere)
		return SKIP_NONE;
	suspect->why = judge->assessment->peers->target.server.family == AF_UNIX
		? "it connected over TCP, and dbtop did not: connect to 127.0.0.1 (-h, or host=) "
		  "to see its name"
		: "it connected another way than dbtop: connect to its address or its socket's "
		  "folder (-h, or host=) to see its name";
	return SKIP_NOT_TOLD;
}

static enum skip_reason (*const judges[])(const struct judge *judge, struct suspect *suspect) = {
	judge_what_it_is,
	judge_user,
	judge_readable,
	judge_protection,
	judge_tool,
	judge_servers_user,
	judge_scope,
	judge_names,
	judge_address,
	judge_knowledge,
};

/* "app, app/1": the names its connections go by, each once. */
static const char *list_names(const struct judge *judge, const struct suspect *suspect)
{
	const char *names[MOST_NAMES], *text = NULL;
	size_t count = 0;
	const struct connection *connection;
	for (size_t i = 0; (connection = next_connection(judge, suspect->process, &i));) {
		const char *name = connection->backend->application_name;
		bool listed = !name || !*name;
		for (size_t n = 0; n < count && !listed; n++)
			listed = strcmp(names[n], name) == 0;
		if (listed || count == MOST_NAMES)
			continue;
		names[count++] = name;
		text = text ? arena_printf(judge->arena, "%s, %s", text, name)
			    : arena_strdup(judge->arena, name);
	}
	return text
		? text
		: arena_strdup(judge->arena, suspect->facts ? suspect->facts->application : NULL);
}

static const struct process_facts *find_facts(
	const struct process *process, const struct process_facts *facts, size_t n_facts)
{
	for (size_t i = 0; i < n_facts; i++)
		if (facts[i].pid == process->pid && facts[i].start_ticks == process->start_ticks)
			return &facts[i];
	return NULL;
}

static uint32_t count_joined(const struct judge *judge, const struct process *process)
{
	uint32_t count = 0;
	for (size_t i = 0; next_connection(judge, process, &i);)
		count++;
	return count;
}

/* What stops the unit. NULL in a container: the unit is the container's own, or its engine's. */
static const char *systemctl_for(const struct judge *judge, const struct process *process)
{
	if (!process->unit || process->container)
		return NULL;
	if (!process->unit_is_users)
		return "systemctl";
	if (process->uid == judge->options->uid || !process->user)
		return "systemctl --user";
	return arena_printf(judge->arena, "systemctl --user -M %s@", process->user);
}

static struct action_step judge_process(
	const struct judge *judge, struct suspect *suspect, uint32_t connections)
{
	const struct process *process = suspect->process;
	struct arena *arena = judge->arena;
	enum skip_reason skip = SKIP_NONE;
	suspect->known = judge->connected && count_joined(judge, process) >= connections;
	for (size_t i = 0; i < sizeof(judges) / sizeof(judges[0]) && skip == SKIP_NONE; i++)
		skip = judges[i](judge, suspect);
	return (struct action_step){
		.kind = STEP_PROCESS,
		.selected = skip == SKIP_NONE,
		.pid = process->pid,
		.process = {
			.start_ticks = process->start_ticks,
			.name = arena_strdup(arena, process->name),
			.command = arena_strdup(arena, process->command),
			.user = arena_strdup(arena, process->user),
			.unit = arena_strdup(arena, process->unit),
			.systemctl = systemctl_for(judge, process),
			.executable = arena_strdup(
				arena, suspect->facts ? suspect->facts->path : NULL),
			.applications = list_names(judge, suspect),
			.connections = connections,
			.parent = suspect->facts ? suspect->facts->parent : 0,
			.parent_name = arena_strdup(
				arena, suspect->facts ? suspect->facts->parent_name : NULL),
			.skip = skip,
			.why = suspect->why,
			.took = -1,
		},
	};
}

/* Those to be stopped first, those with most connections first, then by pid: always the same order.
 */
static int compare_processes(const void *a, const void *b)
{
	const struct action_step *x = a, *y = b;
	if ((x->process.skip == SKIP_NONE) != (y->process.skip == SKIP_NONE))
		return x->process.skip == SKIP_NONE ? -1 : 1;
	if (x->process.connections != y->process.connections)
		return x->process.connections > y->process.connections ? -1 : 1;
	return (x->pid > y->pid) - (x->pid < y->pid);
}

void emergency_skip_judge(const struct assessment *assessment,
	const struct emergency_plan_options *options, const struct process_facts *facts,
	size_t n_facts, struct emergency *emergency)
{
	const struct peers *peers = assessment->peers;
	bool *servers = mem_alloc(peers->n_processes * sizeof(*servers));
	emergency_candidates_mark_servers(peers, servers);
	struct judge judge = {
		.assessment = assessment,
		.options = options,
		.arena = emergency->action.arena,
		.connected = emergency->connected,
		.servers = servers,
	};
	index_connections(&judge);
	uint32_t *counts = mem_alloc(peers->n_processes * sizeof(*counts));
	uint32_t *elsewhere = mem_alloc(peers->n_processes * sizeof(*elsewhere));
	uint32_t *candidates = mem_alloc(peers->n_processes * sizeof(*candidates));
	emergency_candidates_count(assessment, counts, elsewhere);
	size_t n = emergency_candidates_list(assessment, candidates);
	emergency->action.steps = arena_array(judge.arena, n, sizeof(*emergency->action.steps));
	for (size_t i = 0; i < n; i++) {
		const struct process *process = &peers->processes[candidates[i]];
		struct suspect suspect = {
			.process = process,
			.peer = candidates[i],
			.facts = find_facts(process, facts, n_facts),
			.elsewhere = !counts[candidates[i]],
		};
		uint32_t count =
			suspect.elsewhere ? elsewhere[candidates[i]] : counts[candidates[i]];
		emergency->action.steps[emergency->action.n_steps++] =
			judge_process(&judge, &suspect, count);
	}
	if (n)
		qsort(emergency->action.steps, n, sizeof(*emergency->action.steps),
			compare_processes);
	free(counts);
	free(elsewhere);
	free(candidates);
	free(servers);
}
