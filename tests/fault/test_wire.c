/* dbtop on a line that breaks at every place, hangs, or lies: it says so and ends, always. */
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "liar.h"
#include "live_group.h"

static char *server_socket;

struct line {
	enum liar_fault fault;
	size_t after;
	uint64_t seed;
	struct liar *mute; /* an address that is tried before; NULL for none */
	struct liar *liar;
	struct live_program *dbtop;
	int status;
};

static void start(struct line *line)
{
	line->liar = liar_start(server_socket, line->fault, line->after, line->seed);
	CLEANUP(cleanup_free)
	char *before = line->mute
		? mem_printf("host=127.0.0.1,127.0.0.1 port=%d,", liar_port(line->mute))
		: mem_strdup("host=127.0.0.1 port=");
	CLEANUP(cleanup_free)
	char *conninfo = mem_printf("%s%d user=postgres dbname=postgres "
				    "sslmode=disable gssencmode=disable",
		before, liar_port(line->liar));
	const char *const argv[] = { live_dbtop_path(), "--json", conninfo, NULL };
	line->dbtop = live_start(&(struct live_program_options){ .argv = argv });
}

/* Whatever comes of it: one of the documented statuses, one object, and in it a reason when nothing
 * could be told. A changed byte may hide a row, which is one of the reasons. */
static void finish(struct line *line)
{
	line->status = live_finish(line->dbtop, 40000);
	const char *out = live_out(line->dbtop);
	if (line->status != 0 && line->status != 1 && line->status != 3)
		fail_msg("fault %d after %zu bytes, seed %llu: status %d\n%s%s", line->fault,
			line->after, (unsigned long long)line->seed, line->status, out,
			live_err(line->dbtop));
	json_t *snapshot = json_loads(out, 0, NULL);
	assert_non_null(snapshot);
	assert_int_equal(json_integer_value(live_member(snapshot, "schema")), 1);
	/* the last address that was tried: on a busy machine the first one again, in the next round
	 */
	json_int_t port = json_integer_value(live_member(snapshot, "server.port"));
	if (!line->mute || port != liar_port(line->mute))
		assert_int_equal(port, liar_port(line->liar));
	json_t *rows = live_find_text(snapshot, "sources", "name", "activity");
	assert_non_null(rows);
	bool hidden = live_find_text(snapshot, "connections", "kind", "hidden") != NULL;
	if (line->status == 3 && !live_text(snapshot, "server.error") &&
		!live_text(rows, "error") && !hidden)
		fail_msg("fault %d after %zu bytes, seed %llu: cannot tell, and does not say "
			 "why: %s",
			line->fault, line->after, (unsigned long long)line->seed, out);
	json_decref(snapshot);
	live_free(line->dbtop);
	liar_stop(line->liar);
	liar_stop(line->mute);
}

/* All at once, in the group's setup, behind the honest one: most of the time is waiting. */
enum { CUTS = 20, HANGS = 8, FLIPS = 28, STRANGERS = 5 };

static struct line honest = { .fault = LIAR_HONEST };
/* Silent in the settings' answer, after an address that was silent from the start: together longer
 * than a report waits for what is not a connection. */
static struct line late;
static struct line cuts[CUTS], hangs[HANGS], flips[FLIPS], strangers[STRANGERS];

/* Where the honest line's login was over, and its server had let us in. */
static struct liar_marks marks;

/* At least: the answer to the settings, and rows. */
#define ANSWERS 1500

/* The i-th of n places from the first byte of the server's to the midst of its rows: a third in the
 * authentication, a third in what the server then says of itself, a third in its answers. */
static size_t place(size_t i, size_t n)
{
	size_t third = n / 3, rest = n - 2 * third;
	if (i < third)
		return 1 + i * (marks.let_in - 1) / third;
	if (i < 2 * third)
		return marks.let_in + (i - third) * (marks.ready - marks.let_in) / third;
	return marks.ready + (i - 2 * third) * ANSWERS / rest;
}

static void describe(void)
{
	late = (struct line){
		.fault = LIAR_HANG,
		.after = marks.ready + 100,
		.mute = liar_start(server_socket, LIAR_MUTE, 0, 0),
	};
	for (size_t i = 0; i < CUTS; i++)
		cuts[i] = (struct line){ .fault = LIAR_CUT, .after = place(i, CUTS) };
	hangs[0] = (struct line){ .fault = LIAR_MUTE };
	for (size_t i = 1; i < HANGS; i++)
		hangs[i] = (struct line){ .fault = LIAR_HANG, .after = place(i, HANGS) };
	for (size_t i = 0; i < FLIPS; i++)
		flips[i] = (struct line){
			.fault = LIAR_FLIP, .after = place(i, FLIPS) + 5, .seed = i
		};
	for (size_t i = 0; i < STRANGERS; i++)
		strangers[i] =
			(struct line){ .fault = LIAR_RUBBISH, .after = (i + 1) * 13, .seed = i };
}

static void each(void (*act)(struct line *line))
{
	act(&late);
	for (size_t i = 0; i < CUTS; i++)
		act(&cuts[i]);
	for (size_t i = 0; i < HANGS; i++)
		act(&hangs[i]);
	for (size_t i = 0; i < FLIPS; i++)
		act(&flips[i]);
	for (size_t i = 0; i < STRANGERS; i++)
		act(&strangers[i]);
}

static void an_honest_line_changes_nothing(void **state)
{
	(void)state;
	(void)live_finish(honest.dbtop, 40000);
	marks = liar_marks(honest.liar);
	finish(&honest);
	assert_int_equal(honest.status, 0);
	/* SCRAM: the request, the challenge and the server's proof come before it */
	assert_true(marks.let_in > 150);
	assert_true(marks.ready > marks.let_in + 100);
}

static void every_line_ends_in_a_report(void **state)
{
	(void)state;
	describe();
	each(start);
	each(finish);
}

static void a_line_that_breaks_in_the_login_proves_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < CUTS; i++)
		if (cuts[i].after < marks.ready)
			assert_int_equal(cuts[i].status, 3);
}

static void a_server_that_falls_silent_is_given_up(void **state)
{
	(void)state;
	for (size_t i = 0; i < HANGS; i++)
		assert_int_equal(hangs[i].status, 3);
	assert_int_equal(late.status, 3);
}

static void a_stranger_is_no_server(void **state)
{
	(void)state;
	for (size_t i = 0; i < STRANGERS; i++)
		assert_int_equal(strangers[i].status, 3);
}

static void start_honest(void)
{
	server_socket = mem_printf(
		"%s/.s.PGSQL.%d", private_server_folder(server), private_server_port(server));
	start(&honest);
}

static void free_socket(void)
{
	free(server_socket);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_honest_line_changes_nothing),
		cmocka_unit_test(every_line_ends_in_a_report),
		cmocka_unit_test(a_line_that_breaks_in_the_login_proves_nothing),
		cmocka_unit_test(a_server_that_falls_silent_is_given_up),
		cmocka_unit_test(a_stranger_is_no_server),
	};
	return LIVE_GROUP("wire", tests, .set_up = start_honest, .take_down = free_socket);
}
