/* One line for each session, indented below the one that it waits for, and the statement of each
 * root. */
#include "view/locks.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/duration.h"
#include "base/instant.h"
#include "model/assessment.h"
#include "model/lock.h"
#include "view/lock_tree.h"
#include "widgets/dialog.h"
#include "widgets/frame.h"
#include "widgets/line.h"
#include "widgets/process_title.h"
#include "widgets/ui.h"

#define WIDEST    140
#define TITLE_MAX 24

struct shown {
	const struct lock_node *node; /* NULL: a line of text */
	bool statement;               /* the node's statement, not the node */
};

struct sheet {
	struct lock_tree tree;
	struct shown *lines;
	size_t n_lines;
	const char *sentence; /* instead of lines; NULL */
};

static bool has_statement(const struct lock_node *node)
{
	return node->depth == 0 && node->connection && node->connection->backend->query;
}

static struct sheet sheet_of(struct arena *arena, const struct assessment *assessment)
{
	struct sheet sheet = { .tree = lock_tree_build(arena, assessment) };
	sheet.lines = arena_array(arena, 2 * sheet.tree.count, sizeof(*sheet.lines));
	for (size_t i = 0; i < sheet.tree.count; i++) {
		const struct lock_node *node = &sheet.tree.nodes[i];
		sheet.lines[sheet.n_lines++] = (struct shown){ node, false };
		if (has_statement(node))
			sheet.lines[sheet.n_lines++] = (struct shown){ node, true };
	}
	return sheet;
}

const struct connection *locks_at(const struct assessment *assessment, size_t line)
{
	if (!assessment->locks || assessment->locks->error)
		return NULL;
	struct arena *arena = arena_new();
	struct sheet sheet = sheet_of(arena, assessment);
	if (sheet.n_lines && line >= sheet.n_lines)
		line = sheet.n_lines - 1;
	const struct connection *connection =
		sheet.n_lines ? sheet.lines[line].node->connection : NULL;
	arena_free(arena);
	return connection;
}

/* "│  └─ ": the branch of the tree on which the node is. */
static void add_branch(const struct sheet *sheet, const struct lock_node *node, struct line *line)
{
	const struct lock_node *path[LOCK_DEPTH_MAX + 1];
	int depth = 0;
	for (const struct lock_node *at = node; at->depth && depth <= LOCK_DEPTH_MAX;
		at = &sheet->tree.nodes[at->above])
		path[depth++] = at;
	while (depth-- > 1)
		line_add(line, STYLE_DIM, path[depth]->last ? "   " : "│  ");
	if (node->depth)
		line_add(line, STYLE_DIM, node->last ? "└─ " : "├─ ");
}

/* The command; if that is long, the program's name. */
static void add_process(const struct process *process, enum style style, struct line *line)
{
	struct line title;
	line_begin(&title);
	process_title_add(process, style, &title);
	bool is_long = title.length > TITLE_MAX && process->name;
	line_add(line, style, is_long ? process->name : title.text);
}

static void add_who(
	const struct assessment *assessment, const struct lock_node *node, struct line *line)
{
	enum style style = node->depth == 0 ? STYLE_STRONG : STYLE_TEXT;
	if (!node->pid) {
		line_add(line, STYLE_CAUTION, "a prepared transaction: see pg_prepared_xacts");
		return;
	}
	line_printf(line, style, "%d", node->pid);
	if (!node->connection) {
		line_add(line, STYLE_DIM, "  not shown to our role, or the server's own");
		return;
	}
	const struct client_process *process = assessment_process(assessment, node->connection);
	const char *name = node->connection->backend->application_name;
	line_add(line, style, "  ");
	if (process)
		add_process(&process->process, style, line);
	else
		line_add(line, style, name && *name ? name : "unnamed");
}

/* What a root does, and for how long: usually the cause of the whole tree. */
static void add_root_state(
	const struct assessment *assessment, const struct lock_node *node, struct line *line)
{
	const struct connection *connection = node->connection;
	char age[DURATION_TEXT_MAX];
	if (connection && connection->backend->state_text)
		line_add_next(line,
			connection->verdict.status == STATUS_LEAKED ? STYLE_LEAKED : STYLE_CAUTION,
			connection->verdict.status == STATUS_LEAKED
				? "LEAKED"
				: connection->backend->state_text);
	int64_t since = connection ? connection->backend->xact_start : INSTANT_UNKNOWN;
	if (since != INSTANT_UNKNOWN) {
		duration_format(instant_elapsed(since, assessment->server_now), age);
		line_add_next(line, STYLE_TEXT, "transaction ");
		line_add(line, STYLE_TEXT, age);
	}
	if (node->in_circle)
		line_add_next(line, STYLE_LEAKED, "waits itself: a deadlock, soon resolved");
	char count[32];
	snprintf(count, sizeof(count), "blocks %zu", node->n_blocked);
	if (node->n_blocked)
		line_add_next(line, STYLE_STRONG, count);
}

/* How long it has waited: by pg_locks, or before PostgreSQL 14 by the start of its statement. */
static int64_t wait_began(const struct lock_node *node)
{
	if (node->waits->since != INSTANT_UNKNOWN)
		return node->waits->since;
	return node->connection ? node->connection->backend->query_start : INSTANT_UNKNOWN;
}

static void add_wait(
	const struct assessment *assessment, const struct lock_node *node, struct line *line)
{
	const struct lock *lock = node->waits;
	char text[160], age[DURATION_TEXT_MAX];
	int64_t since = wait_began(node);
	if (since == INSTANT_UNKNOWN)
		snprintf(text, sizeof(text), "waits");
	else
		snprintf(text, sizeof(text), "waits %s",
			duration_format(instant_elapsed(since, assessment->server_now), age));
	line_add_next(line, STYLE_CAUTION, text);
	snprintf(text, sizeof(text), "%s on ", lock->mode);
	line_add_next(line, STYLE_TEXT, text);
	line_add(line, STYLE_TEXT, lock->object);
	if (node->held) {
		line_add_next(line, STYLE_DIM, "held: ");
		line_add(line, STYLE_DIM, node->held->mode);
	}
	if (node->n_others) {
		snprintf(text, sizeof(text), "and for %zu more", node->n_others);
		line_add_next(line, STYLE_DIM, text);
	}
}

static void format(const struct assessment *assessment, const struct sheet *sheet,
	const struct shown *shown, struct line *line)
{
	line_begin(line);
	if (shown->statement) {
		line_add(line, STYLE_DIM, shown->node->n_blocked ? "│  " : "   ");
		line_add_folded(line, STYLE_DIM, shown->node->connection->backend->query);
		return;
	}
	add_branch(sheet, shown->node, line);
	add_who(assessment, shown->node, line);
	if (shown->node->depth == 0)
		add_root_state(assessment, shown->node, line);
	if (shown->node->waits)
		add_wait(assessment, shown->node, line);
}

static void draw_line(
	const struct frame *frame, const struct dialog *dialog, size_t index, struct rect where)
{
	const struct sheet *sheet = dialog->data;
	struct line line;
	if (sheet->sentence) {
		grid_put(frame->grid, where.x, where.y, where.width, sheet->sentence, STYLE_TEXT);
		return;
	}
	format(frame->assessment, sheet, &sheet->lines[index], &line);
	line_put(frame->grid, where.x, where.y, where.width, &line);
}

static int wanted_width(const struct frame *frame, const struct sheet *sheet)
{
	struct line line;
	int widest = sheet->sentence ? grid_width(frame->grid, sheet->sentence) : 0;
	for (size_t i = 0; i < sheet->n_lines && widest < WIDEST; i++) {
		format(frame->assessment, sheet, &sheet->lines[i], &line);
		int width = line_width(frame->grid, &line);
		widest = width > widest ? width : widest;
	}
	return widest < WIDEST ? widest : WIDEST;
}

/* The reason why there is no tree. */
static const char *sentence_of(const struct frame *frame, const struct sheet *sheet)
{
	const struct lock_table *table = frame->assessment->locks;
	if (!table && frame->ui->replay.count)
		return "A recording holds no locks.";
	if (!table && frame->ui->paused)
		return "Paused: p on the main page goes on, and then the server is asked.";
	if (!table)
		return frame->assessment->server.status == SERVER_OK
			? "Asking the server …"
			: "The server cannot be asked now.";
	if (table->error)
		return table->error;
	return sheet->n_lines ? NULL : "Nobody waits for a lock.";
}

static void describe_age(const struct frame *frame, char *text, size_t size)
{
	const struct lock_table *table = frame->assessment->locks;
	char age[DURATION_TEXT_MAX];
	if (!table) {
		*text = '\0';
		return;
	}
	duration_format(instant_elapsed(table->taken_at, frame->now), age);
	snprintf(text, size, "asked %s ago%s", age,
		table->cut ? "; there are more than are shown" : "");
}

static void draw(const struct frame *frame)
{
	struct arena *arena = arena_new();
	struct sheet sheet = sheet_of(arena, frame->assessment);
	char title[96], age[96];
	sheet.sentence = sentence_of(frame, &sheet);
	describe_age(frame, age, sizeof(age));
	if (sheet.tree.count)
		snprintf(title, sizeof(title), "Locks: %zu wait, %zu hold%s them up",
			sheet.tree.n_waiting, sheet.tree.n_roots,
			sheet.tree.n_roots == 1 ? "s" : "");
	else
		snprintf(title, sizeof(title), "Locks");
	struct dialog dialog = {
		.title = title,
		.title_style = STYLE_STRONG,
		.width = wanted_width(frame, &sheet),
		.n_lines = sheet.sentence ? 1 : sheet.n_lines,
		.has_cursor = !sheet.sentence,
		.note = *age ? age : NULL,
		.data = &sheet,
		.draw_line = draw_line,
	};
	dialog_draw(frame, &dialog);
	arena_free(arena);
}

const struct view locks_view = { .draw = draw };
