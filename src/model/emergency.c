/* The words of the emergency. */
#include "model/emergency.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"

static const struct {
	const char *name, *phrase;
} skip_words[SKIP_COUNT] = {
	[SKIP_UNREADABLE] = { "unreadable", "what it is cannot be read" },
	[SKIP_DBTOP] = { "dbtop", "dbtop, or what it was started from" },
	[SKIP_POSTGRESQL] = { "postgresql", "PostgreSQL itself" },
	[SKIP_PARENT] = { "postgresql_parent", "PostgreSQL was started from it" },
	[SKIP_HA_AGENT] = { "ha_agent", "a high-availability agent: it may stop PostgreSQL" },
	[SKIP_PGBOUNCER] = { "pgbouncer", "a pooler: it serves PostgreSQL's clients" },
	[SKIP_PROXY] = { "proxy", "the proxy" },
	[SKIP_SSHD] = { "sshd", "logins and tunnels of others" },
	[SKIP_FORWARDER] = { "forwarder", "it forwards for others" },
	[SKIP_OTHER_USER] = { "other_user", "another user's process" },
	[SKIP_SERVERS_USER] = { "servers_user", "it runs as PostgreSQL's user" },
	[SKIP_PROTECTED] = { "protected", "protected by the settings" },
	[SKIP_CLIENT_PROGRAM] = { "client_program", "a person's tool, not the application" },
	[SKIP_OUT_OF_SCOPE] = { "out_of_scope", "out of --app's scope" },
	[SKIP_NOT_NAMED] = { "not_named", "not named in emergency.applications" },
	[SKIP_NOT_TOLD] = { "not_told", "its application's name is not known" },
};

static const char *const phase_names[] = {
	[EMERGENCY_PLANNED] = "planned",
	[EMERGENCY_FREEING] = "freeing a slot",
	[EMERGENCY_STOPPING] = "stopping",
	[EMERGENCY_ENDING] = "ending sessions",
	[EMERGENCY_COUNTING] = "counting",
	[EMERGENCY_DONE] = "done",
};

void emergency_free(struct emergency *emergency)
{
	if (!emergency)
		return;
	for (size_t i = 0; i < emergency->n_rounds; i++)
		action_free(emergency->rounds[i]);
	action_free(emergency->gone);
	action_free(emergency->held);
	arena_free(emergency->arena);
}

struct emergency_process *emergency_find(
	const struct emergency *emergency, int32_t pid, uint64_t start_ticks)
{
	for (size_t i = 0; i < emergency->n_processes; i++)
		if (emergency->processes[i].pid == pid &&
			emergency->processes[i].start_ticks == start_ticks)
			return &emergency->processes[i];
	return NULL;
}

/* Appends "N ones" unless there is none. */
static void add_count(
	char text[static EMERGENCY_LOSES_MAX], int count, const char *one, const char *many)
{
	size_t length = strlen(text);
	if (count > 0)
		snprintf(text + length, EMERGENCY_LOSES_MAX - length, "%s%d %s", length ? ", " : "",
			count, count == 1 ? one : many);
}

char *emergency_loses(const struct emergency *emergency, const struct emergency_process *process,
	char text[static EMERGENCY_LOSES_MAX])
{
	int transactions = 0, statements = 0, locks = 0, waiters = 0;
	text[0] = '\0';
	for (size_t i = 0; emergency->held && i < emergency->held->n_steps; i++) {
		const struct action_step *step = &emergency->held->steps[i];
		if (step->session.process_pid != process->pid)
			continue;
		transactions += step->session.state == BACKEND_STATE_IN_TRANSACTION;
		statements += step->session.state == BACKEND_STATE_ACTIVE ||
			step->session.state == BACKEND_STATE_FASTPATH;
		locks += step->session.locks > 0 ? step->session.locks : 0;
		waiters += step->session.waiters > 0 ? step->session.waiters : 0;
	}
	add_count(text, transactions, "open transaction", "open transactions");
	add_count(text, statements, "running statement", "running statements");
	add_count(text, locks, "lock", "locks");
	add_count(text, waiters, "waits", "wait");
	return text;
}

size_t emergency_count_stopped(const struct emergency *emergency)
{
	size_t count = 0;
	for (size_t i = 0; i < emergency->n_processes; i++)
		count += emergency->processes[i].skip == SKIP_NONE;
	return count;
}

size_t emergency_count_connections(const struct emergency *emergency)
{
	size_t count = 0;
	for (size_t i = 0; i < emergency->n_processes; i++)
		if (emergency->processes[i].skip == SKIP_NONE)
			count += emergency->processes[i].connections;
	return count;
}

static bool is_named_after(
	const struct emergency *emergency, size_t round, const struct action_step *step)
{
	for (round++; round < emergency->n_rounds; round++) {
		const struct action *plan = emergency->rounds[round];
		for (size_t i = 0; i < plan->n_steps; i++)
			if (plan->steps[i].pid == step->pid &&
				plan->steps[i].session.backend_start == step->session.backend_start)
				return true;
	}
	return false;
}

void emergency_each_session(const struct emergency *emergency,
	void (*each)(void *data, const struct action_step *step), void *data)
{
	for (size_t round = 0; round < emergency->n_rounds; round++) {
		const struct action *plan = emergency->rounds[round];
		for (size_t i = 0; i < plan->n_steps; i++)
			if (!is_named_after(emergency, round, &plan->steps[i]))
				each(data, &plan->steps[i]);
	}
}

const char *skip_reason_name(enum skip_reason skip)
{
	return skip_words[skip].name;
}

const char *skip_reason_phrase(enum skip_reason skip)
{
	return skip_words[skip].phrase;
}

const char *emergency_phase_name(enum emergency_phase phase)
{
	return phase_names[phase];
}

const char *emergency_signal_name(int signal)
{
	switch (signal) {
	case SIGTERM: return "SIGTERM";
	case SIGKILL: return "SIGKILL";
	default: return "";
	}
}
