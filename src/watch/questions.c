#include "watch/questions.h"

#include <stddef.h>

#include "base/instant.h"
#include "collect/follow.h"
#include "model/assessment.h"
#include "model/peers.h"
#include "session/session.h"
#include "target/target.h"
#include "watch/record_sessions.h"

/* The pause grows from the first value to the last. */
#define FIRST_PAUSE (5 * USEC_PER_MSEC)
#define LAST_PAUSE  (200 * USEC_PER_MSEC)

void questions_ask(struct questions *questions, struct target *target,
	const struct shutdown_record *record, int64_t now)
{
	if (now < questions->ask_at || !record_needs_answers(record, target_assessment(target)))
		return;
	questions->pause = questions->pause ? questions->pause * 3 / 2 : FIRST_PAUSE;
	if (questions->pause > LAST_PAUSE)
		questions->pause = LAST_PAUSE;
	questions->ask_at = now + questions->pause;
	target_refresh(target);
	if (record_needs_scan(record, now))
		target_scan(target);
}

void questions_set_ports(struct target *target, struct follow *follow)
{
	const struct assessment *assessment = target_assessment(target);
	uint16_t ports[FOLLOW_PORTS_MOST];
	size_t count = 0;
	struct peers_target where;
	session_locate(target_session(target), &where);
	if (where.port)
		ports[count++] = where.port;
	for (size_t i = 0; i < assessment->n_bouncers && count < FOLLOW_PORTS_MOST; i++)
		if (assessment->bouncers[i]->port)
			ports[count++] = assessment->bouncers[i]->port;
	follow_set_ports(follow, ports, count);
}
