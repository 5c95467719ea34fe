/* An agent answers each question with one line. Anything else that it writes is a failure. */
#include "collect/host_agents.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/instant.h"
#include "base/map.h"
#include "base/mem.h"
#include "collect/host_lines.h"
#include "collect/host_merge.h"
#include "loop/handle.h"

struct host_agents {
	struct host_agent **items;
	size_t count;
	int64_t timeout;
	uv_timer_t *check;
	struct host_asker *askers[HOST_TARGETS_MOST];
	uint64_t n_questions;
};

/* What one server has asked one host. */
struct asked_host_ends {
	struct asked_end *ends;
	size_t n_ends;
	uint64_t question;   /* that has no answer yet; 0: none */
	int64_t question_at; /* monotonic */
	struct endpoint own; /* of that question, or the last one */
	struct host_ends *latest;
	bool is_current;   /* `latest` is of the agent that runs */
	uint64_t n_firsts; /* how often the agent was to forget what it knew of the ends */
};

struct host_asker {
	struct host_agents *agents;
	struct host_asker_callbacks callbacks;
	uint32_t target; /* HOST_TARGETS_MOST: none was free */
	struct asked_host_ends *hosts;
};

static size_t index_of(const struct host_agents *agents, const struct host_agent *agent)
{
	size_t i = 0;
	while (agents->items[i] != agent)
		i++;
	return i;
}

/* What was asked is forgotten with the agent; what it had answered stays. */
static void on_changed(void *data, struct host_agent *agent)
{
	struct host_agents *agents = data;
	size_t index = index_of(agents, agent);
	for (size_t i = 0; i < HOST_TARGETS_MOST; i++) {
		struct host_asker *asker = agents->askers[i];
		if (!asker)
			continue;
		asker->hosts[index].n_ends = 0;
		asker->hosts[index].question = 0;
		asker->hosts[index].is_current = false;
		if (asker->callbacks.changed)
			asker->callbacks.changed(asker->callbacks.data, true);
	}
}

/* Ends the agents that owe an answer for too long. */
static void on_check(uv_timer_t *timer)
{
	struct host_agents *agents = timer->data;
	int64_t before = instant_monotonic() - agents->timeout;
	for (size_t i = 0; i < agents->count; i++) {
		bool is_late = false;
		for (size_t k = 0; k < HOST_TARGETS_MOST; k++) {
			const struct host_asker *asker = agents->askers[k];
			is_late |= asker && asker->hosts[i].question &&
				asker->hosts[i].question_at < before;
		}
		if (is_late)
			host_agent_fail(agents->items[i],
				"the dbtop there does not answer: it is started again");
	}
}

static void publish(
	struct host_agent *agent, size_t index, struct host_asker *asker, struct host_ends *ends)
{
	struct asked_host_ends *asked = &asker->hosts[index];
	size_t n_addresses;
	const struct endpoint *addresses = host_agent_addresses(agent, &n_addresses);
	ends->run = map_mix(host_agent_run(agent), asked->n_firsts);
	ends->by_command = host_agent_has_command(agent);
	ends->asked_at = asked->question_at;
	ends->own = asked->own;
	ends->answered_at = instant_monotonic();
	ends->taken_at = instant_now();
	ends->addresses = arena_array(ends->arena, n_addresses, sizeof(*ends->addresses));
	ends->n_addresses = n_addresses;
	for (size_t i = 0; i < n_addresses; i++)
		ends->addresses[i] = addresses[i];
	host_ends_unref(asked->latest);
	asked->latest = ends;
	asked->is_current = true;
	asked->question = 0;
	host_agent_praise(agent);
	if (asker->callbacks.changed)
		asker->callbacks.changed(asker->callbacks.data, ends->is_news);
}

static void on_line(void *data, struct host_agent *agent, const char *line, size_t length)
{
	struct host_agents *agents = data;
	size_t index = index_of(agents, agent);
	struct arena *arena = arena_new();
	struct host_answer answer;
	const char *error;
	int r = host_lines_read_answer(arena, line, length, &answer, &error);
	struct host_asker *asker = r == 0 ? agents->askers[answer.target] : NULL;
	struct asked_host_ends *asked = asker ? &asker->hosts[index] : NULL;
	struct host_ends *ends = NULL;
	if (asked && asked->question && asked->question == answer.number)
		ends = host_merge(asked->is_current ? asked->latest : NULL, &answer,
			host_agent_name(agent), asked->ends, asked->n_ends, &error);
	else if (r == 0)
		error = "dbtop --peers answers what it was not asked";
	if (ends)
		publish(agent, index, asker, ends);
	else
		host_agent_fail(agent, error);
	arena_free(arena);
}

struct host_agents *host_agents_new(
	uv_loop_t *loop, const struct host_agent_options *options, size_t count)
{
	struct host_agents *agents = mem_alloc(sizeof(*agents));
	const struct host_agent_callbacks callbacks = { agents, on_changed, on_line };
	agents->items = mem_alloc((count + 1) * sizeof(struct host_agent *));
	agents->count = count;
	for (size_t i = 0; i < count; i++)
		agents->items[i] = host_agent_new(loop, &options[i], &callbacks);
	agents->check = handle_new_timer(loop, agents);
	host_agents_set_timeout(agents, HOST_AGENTS_TIMEOUT);
	return agents;
}

void host_agents_free(struct host_agents *agents)
{
	if (!agents)
		return;
	for (size_t i = 0; i < agents->count; i++)
		host_agent_free(agents->items[i]);
	handle_close(agents->check);
	free(agents->items);
	free(agents);
}

size_t host_agents_count(const struct host_agents *agents)
{
	return agents ? agents->count : 0;
}

void host_agents_set_timeout(struct host_agents *agents, int64_t timeout)
{
	uint64_t ms = (uint64_t)(timeout / USEC_PER_MSEC / 4);
	agents->timeout = timeout;
	uv_timer_start(agents->check, on_check, ms, ms);
}

struct host_asker *host_asker_new(
	struct host_agents *agents, const struct host_asker_callbacks *callbacks)
{
	struct host_asker *asker = mem_alloc(sizeof(*asker));
	asker->agents = agents;
	asker->callbacks = *callbacks;
	asker->hosts = mem_alloc((agents->count + 1) * sizeof(*asker->hosts));
	while (asker->target < HOST_TARGETS_MOST && agents->askers[asker->target])
		asker->target++;
	if (asker->target < HOST_TARGETS_MOST)
		agents->askers[asker->target] = asker;
	return asker;
}

void host_asker_free(struct host_asker *asker)
{
	if (!asker)
		return;
	if (asker->target < HOST_TARGETS_MOST)
		asker->agents->askers[asker->target] = NULL;
	for (size_t i = 0; i < asker->agents->count; i++) {
		host_ends_unref(asker->hosts[i].latest);
		free(asker->hosts[i].ends);
	}
	free(asker->hosts);
	free(asker);
}

/* The ends of `of` that are not in `without`; in the arena. */
static struct asked_end *differ(struct arena *arena, const struct asked_end *of, size_t n_of,
	const struct asked_end *without, size_t n_without, size_t *ret_count)
{
	struct map *known = map_new(arena, n_without);
	struct asked_end *found = arena_array(arena, n_of, sizeof(*found));
	*ret_count = 0;
	for (size_t i = 0; i < n_without; i++)
		map_set(known, asked_end_key(&without[i]), (uint32_t)i);
	for (size_t i = 0; i < n_of; i++) {
		uint32_t at = map_get(known, asked_end_key(&of[i]));
		if (at == MAP_NONE || !asked_end_equal(&without[at], &of[i]))
			found[(*ret_count)++] = of[i];
	}
	return found;
}

static void send_question(struct host_asker *asker, struct host_agent *agent,
	struct asked_host_ends *asked, const struct host_request *request, size_t n_ends)
{
	struct arena *arena = arena_new();
	struct host_question question = {
		.number = asked->question = ++asker->agents->n_questions,
		.target = asker->target,
		.ports = { request->port, request->server_port },
		.n_ports = request->server_port && request->server_port != request->port ? 2 : 1,
		.own = request->own,
		.is_first = !asked->is_current,
	};
	question.add =
		differ(arena, request->ends, n_ends, asked->ends, asked->n_ends, &question.n_add);
	question.drop =
		differ(arena, asked->ends, asked->n_ends, request->ends, n_ends, &question.n_drop);
	/* the line would be too long: all ends are asked about as if for the first time */
	if (question.n_add + question.n_drop > HOST_ENDS_MOST) {
		asked->is_current = false;
		question.is_first = true;
		question.add = differ(arena, request->ends, n_ends, NULL, 0, &question.n_add);
		question.n_drop = 0;
	}
	asked->n_firsts += question.is_first;
	asked->ends = mem_resize(asked->ends, n_ends + 1, sizeof(*asked->ends));
	for (size_t i = 0; i < n_ends; i++)
		asked->ends[i] = request->ends[i];
	asked->n_ends = n_ends;
	asked->question_at = instant_monotonic();
	asked->own = request->own;
	host_agent_write(agent, host_lines_question(&question));
	arena_free(arena);
}

bool host_asker_ask(struct host_asker *asker, size_t host, const struct host_request *request)
{
	struct host_agent *agent = asker->agents->items[host];
	struct asked_host_ends *asked = &asker->hosts[host];
	if (!host_agent_is_up(agent) || asked->question || !request->port ||
		asker->target == HOST_TARGETS_MOST)
		return false;
	send_question(asker, agent, asked, request,
		request->n_ends < HOST_ENDS_MOST ? request->n_ends : HOST_ENDS_MOST);
	return true;
}

const struct host_ends *host_asker_latest(const struct host_asker *asker, size_t host)
{
	return asker->hosts[host].latest;
}

bool host_asker_is_up(const struct host_asker *asker, size_t host)
{
	const struct host_agent *agent = asker->agents->items[host];
	return asker->target < HOST_TARGETS_MOST &&
		(host_agent_is_up(agent) || !host_agent_has_failed(agent));
}

struct source_state host_asker_source(
	const struct host_asker *asker, size_t host, int64_t stale_after)
{
	const struct host_agent *agent = asker->agents->items[host];
	const struct asked_host_ends *asked = &asker->hosts[host];
	const struct host_ends *latest = asked->latest;
	struct source_state source = {
		.name = host_agent_source(agent),
		.status = latest ? SOURCE_OK : SOURCE_WAITING,
		.taken_at = latest ? latest->taken_at : INSTANT_UNKNOWN,
	};
	if (asker->target == HOST_TARGETS_MOST) {
		source.status = SOURCE_FAILED;
		source.error = "too many servers: hosts are asked for 64 of them";
		return source;
	}
	bool is_overdue = asked->question && instant_monotonic() - asked->question_at > stale_after;
	if (host_agent_is_up(agent) && !is_overdue) {
		if (latest && !host_agent_sends_pages(agent))
			source.error = "the dbtop there is older: it sends no stats pages";
		else if (latest && latest->pages_left_out)
			source.error = "there are more stats pages than it sends";
		return source;
	}
	if (!host_agent_is_up(agent) && !host_agent_has_failed(agent))
		return source;
	source.status = latest ? SOURCE_STALE : SOURCE_FAILED;
	source.error = host_agent_is_up(agent) ? "the dbtop there does not answer"
					       : host_agent_error(agent);
	return source;
}
