/* Each page takes two lines: its process and when that was found dead, then the path. */
#include "view/clearing_view.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/duration.h"
#include "base/instant.h"
#include "base/plural.h"
#include "model/clearing.h"
#include "view/dialog.h"
#include "view/facts.h"
#include "view/frame.h"
#include "view/ui.h"

static const struct {
	const char *phrase;
	enum style style;
} results[] = {
	[CLEARING_PENDING] = { NULL, STYLE_DIM },
	[CLEARING_CLEARED] = { "removed", STYLE_GOOD },
	[CLEARING_GONE] = { "was removed before us", STYLE_DIM },
	[CLEARING_CHANGED] = { "is not what it was any more: left alone", STYLE_CAUTION },
	[CLEARING_DENIED] = { "could not be removed", STYLE_LEAKED },
};

static void tell_page(
	struct arena *arena, struct facts *facts, const struct clearing_page *page, int64_t now)
{
	char age[DURATION_TEXT_MAX];
	duration_format(instant_elapsed(page->dead_since, now), age);
	const char *label =
		arena_printf(arena, "%.40s %d", page->name ? page->name : "unnamed", page->pid);
	facts_add(facts, STYLE_TEXT, label,
		arena_printf(arena, "%s%sfound dead %s ago", page->process ? page->process : "",
			page->process ? " · " : "", age));
	facts_add(facts, STYLE_DIM, " ", page->path);
	if (!results[page->result].phrase)
		return;
	facts_add(facts, results[page->result].style, " ",
		page->detail
			? arena_printf(arena, "%s: %s", results[page->result].phrase, page->detail)
			: results[page->result].phrase);
}

static void make_title(const struct clearing *clearing, bool planned, char *text, size_t size)
{
	size_t cleared = 0;
	for (size_t i = 0; i < clearing->n_pages; i++)
		cleared += clearing->pages[i].result == CLEARING_CLEARED;
	if (planned)
		snprintf(text, size, "Remove %zu stats page%s of dead processes?",
			clearing->n_pages, plural_s(clearing->n_pages));
	else if (!clearing->done)
		snprintf(text, size, "Removing …");
	else
		snprintf(text, size, "done: %zu of %zu removed", cleared, clearing->n_pages);
}

void clearing_view_draw(const struct frame *frame)
{
	const struct clearing *clearing = frame->ui->clearing;
	if (!clearing)
		return;
	char title[80];
	struct arena *arena = arena_new();
	struct facts *facts = facts_new(arena);
	bool planned = ui_current_screen(frame->ui) == SCREEN_CLEAR;
	for (size_t i = 0; i < clearing->n_pages; i++)
		tell_page(arena, facts, &clearing->pages[i], frame->now);
	make_title(clearing, planned, title, sizeof(title));
	struct dialog dialog = {
		.title = title,
		.title_style = STYLE_STRONG,
		.note = planned ? "nothing of them is left on the server" : frame->ui->notice,
		.screen = planned ? SCREEN_CLEAR : SCREEN_CLEAR_RUN,
		.count = clearing->n_pages,
	};
	facts_draw(frame, facts, &dialog);
	arena_free(arena);
}
