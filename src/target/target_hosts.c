/* A host is asked once for each round of rows. An end that its last answer did not have is asked
 * about at once: at the start, and when the answer shows that it is the server's host. */
#include "target/target_hosts.h"

#include <stdbool.h>

#include "base/instant.h"
#include "collect/host_agents.h"
#include "model/assessment.h"
#include "model/peers.h"
#include "session/session.h"
#include "target/target_state.h"

#define ASK_IDLE_EVERY (10 * USEC_PER_SEC)

/* Our own client end as the server sees it; AF_UNSPEC if it is not known. */
static struct endpoint own_end(const struct activity *activity)
{
	int32_t own_pid = activity->server.own_pid;
	for (size_t i = 0; own_pid && i < activity->n_backends; i++)
		if (activity->backends[i].pid == own_pid)
			return activity->backends[i].client;
	return (struct endpoint){ 0 };
}

/* A host that knows none of the ends need not scan for each round: with many servers and hosts most
 * pairs have nothing in common. Our own end may have moved, or the host's addresses. */
static bool is_idle(const struct target *target, size_t host, const struct endpoint *own)
{
	const struct asked_host *asked = &target->assessment->hosts[host];
	const struct host_ends *latest = asked->latest;
	return asked->has_answered && !asked->n_wanted && endpoint_equal(own, &latest->own) &&
		instant_monotonic() - latest->asked_at < ASK_IDLE_EVERY;
}

static void ask(struct target *target, bool only_unanswered)
{
	const struct assessment *assessment = target->assessment;
	const struct activity *activity = assessment ? assessment->activity : NULL;
	struct peers_target where;
	if (!target->asker || !activity || !assessment->peers || target->paused)
		return;
	session_locate(target->session, &where);
	struct host_request request = {
		.port = where.port,
		.own = own_end(activity),
	};
	if (activity->server.port > 0 && activity->server.port <= UINT16_MAX)
		request.server_port = (uint16_t)activity->server.port;
	for (size_t i = 0; i < assessment->n_hosts; i++) {
		const struct asked_host *host = &assessment->hosts[i];
		if ((only_unanswered && host->has_answered) || is_idle(target, i, &request.own))
			continue;
		request.ends = host->wanted;
		request.n_ends = host->n_wanted;
		(void)host_asker_ask(target->asker, i, &request);
	}
}

void target_ask_hosts(struct target *target)
{
	ask(target, false);
}

void target_ask_hosts_on(struct target *target)
{
	ask(target, true);
}
