/* The screen keeps the last facts: the session may end while the user reads them. */
#include "view/details.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/duration.h"
#include "base/instant.h"
#include "model/assessment.h"
#include "view/details_facts.h"
#include "widgets/dialog.h"
#include "widgets/facts.h"
#include "widgets/frame.h"
#include "widgets/ui.h"

static const struct connection *find(const struct assessment *assessment, struct identity subject)
{
	for (size_t i = 0; i < assessment->n_connections; i++) {
		const struct connection *connection = &assessment->connections[i];
		if (identity_equal(identity_of(connection->backend), subject))
			return connection;
	}
	return NULL;
}

void details_open(struct details *details, struct ui_state *ui, const struct connection *connection)
{
	details_deinit(details);
	*details = (struct details){
		.subject = identity_of(connection->backend),
		.pid = connection->backend->pid,
		.gone_at = INSTANT_UNKNOWN,
	};
	ui->details = details;
	ui_push(ui, &details_view);
}

void details_settle(
	struct details *details, const struct ui_state *ui, const struct assessment *assessment)
{
	const struct connection *connection = find(assessment, details->subject);
	if (!connection) {
		/* Without an answer of the server no session is known to have ended. */
		if (details->gone_at == INSTANT_UNKNOWN && assessment->activity)
			details->gone_at = assessment->now;
		return;
	}
	if (!details->arena)
		details->arena = arena_new();
	arena_reset(details->arena);
	details->facts = details_facts(details->arena, ui, assessment, connection);
	details->gone_at = INSTANT_UNKNOWN;
}

void details_deinit(struct details *details)
{
	arena_free(details->arena);
	*details = (struct details){ 0 };
}

static void draw(const struct frame *frame)
{
	const struct details *details = frame->ui->details;
	char title[96], age[DURATION_TEXT_MAX];
	if (!details || !details->facts)
		return;
	bool gone = details->gone_at != INSTANT_UNKNOWN;
	if (gone)
		snprintf(title, sizeof(title), "backend %d has ended, %s ago: what was known last",
			details->pid,
			duration_format(instant_elapsed(details->gone_at, frame->now), age));
	else
		snprintf(title, sizeof(title), "backend %d", details->pid);
	struct dialog dialog = {
		.title = title,
		.title_style = gone ? STYLE_CAUTION : STYLE_STRONG,
		.note = frame->ui->notice,
	};
	facts_draw(frame, details->facts, &dialog);
}

const struct view details_view = { .draw = draw };
