/* One table of options: parsing and --help use it, and a test compares the man page with it. */
#include "modes/options.h"

#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/text.h"

enum kind {
	KIND_FLAG,      /* bool at offset */
	KIND_TEXT,      /* const char * at offset */
	KIND_LIST,      /* struct option_list at offset */
	KIND_PIDS,      /* struct option_pids at offset */
	KIND_COUNT,     /* long at offset, at least 1 */
	KIND_CERTAINTY, /* enum certainty at offset */
	KIND_MODE,      /* value is the mode */
	KIND_MODE_TEXT, /* value is the mode, with a const char * at offset */
};

#define AT(member) offsetof(struct options, member)

/* In --help, a row's left column is `left`, or is made of its names. A row without help is shown in
 * the left column of another row. */
static const struct option_row {
	const char *name, *argument;
	char letter;
	enum kind kind;
	size_t offset;
	enum mode mode;
	const char *left, *help;
} rows[] = {
	{ "host", "HOST", 'h', KIND_TEXT, AT(host), 0, "-h HOST  -p PORT  -U USER  -d NAME",
		"as in psql; PG* and ~/.pgpass work, too" },
	{ "port", "PORT", 'p', KIND_TEXT, AT(port), 0, NULL, NULL },
	{ "username", "USER", 'U', KIND_TEXT, AT(user), 0, NULL, NULL },
	{ "dbname", "NAME", 'd', KIND_TEXT, AT(database), 0, NULL, NULL },
	{ "no-password", NULL, 'w', KIND_FLAG, AT(never_password), 0, "-w, -W",
		"never ask for a password; ask first" },
	{ "password", NULL, 'W', KIND_FLAG, AT(ask_password), 0, NULL, NULL },
	{ "all", NULL, 0, KIND_FLAG, AT(all), 0, NULL, "all databases of the configuration" },
	{ "config", "FILE", 'c', KIND_TEXT, AT(config), 0, NULL,
		"instead of ~/.config/dbtop/config.yaml" },
	{ "interval", "SECONDS", 'i', KIND_TEXT, AT(interval), 0, NULL,
		"between refreshes, 0.1 to 3600 [1]" },
	{ "theme", "NAME", 't', KIND_TEXT, AT(theme), 0, NULL, "colours: a theme's name" },
	{ "app", "REGEX", 'a', KIND_TEXT, AT(app), 0, NULL, "only what matches; for actions, too" },
	{ "readonly", NULL, 0, KIND_FLAG, AT(readonly), 0, "--readonly, --no-query-text",
		"no action is taken; no statement's text" },
	{ "idle-limit", "TIME", 0, KIND_TEXT, AT(idle_limit), 0,
		"--{idle,transaction,held}-limit TIME", "leaked when longer [5min, 5min, pool's]" },
	{ "transaction-limit", "TIME", 0, KIND_TEXT, AT(transaction_limit), 0, NULL, NULL },
	{ "held-limit", "TIME", 0, KIND_TEXT, AT(held_limit), 0, NULL, NULL },
	{ "min-certainty", "WORD", 0, KIND_CERTAINTY, AT(least), 0, NULL,
		"proven, declared, presumed: what counts" },
	{ "min-free", "N", 0, KIND_COUNT, AT(min_free), 0, NULL,
		"fewer free slots are a finding (status 1)" },
	{ "no-query-text", NULL, 0, KIND_FLAG, AT(no_query_text), 0, NULL, NULL },
	{ "pgbouncer", "CONNINFO", 0, KIND_LIST, AT(pgbouncer), 0,
		"--pgbouncer CONNINFO, --pages DIR", "an admin console; where stats pages are" },
	{ "pages", "DIR", 0, KIND_TEXT, AT(pages), 0, NULL, NULL },
	{ "host-agent", "HOST", 0, KIND_LIST, AT(host_agents), 0, NULL,
		"ask another machine's dbtop, by ssh" },
	{ "log", "FILE", 0, KIND_TEXT, AT(log), 0, NULL, "dbtop's own log" },
	{ "once", NULL, 0, KIND_MODE, 0, MODE_ONCE, "--once, --json [--count N|--follow]",
		"one report as text; as lines of JSON" },
	{ "json", NULL, 0, KIND_FLAG, AT(json), 0, NULL, NULL },
	{ "count", "N", 0, KIND_COUNT, AT(count), 0, NULL, NULL },
	{ "follow", NULL, 0, KIND_FLAG, AT(follow), 0, NULL, NULL },
	{ "kill-leaked", NULL, 0, KIND_MODE, 0, MODE_KILL_LEAKED, NULL,
		"end the leaked connections; asks first" },
	{ "guard", NULL, 0, KIND_MODE, 0, MODE_GUARD, "--guard [--for TIME]",
		"stay, end what has leaked for TIME [30s]" },
	{ "for", "TIME", 0, KIND_TEXT, AT(for_time), 0, NULL, NULL },
	{ "metrics", "[ADDRESS:]PORT", 0, KIND_TEXT, AT(metrics), 0, NULL,
		"for Prometheus, also with --guard" },
	{ "emergency", NULL, 0, KIND_MODE, 0, MODE_EMERGENCY, "--emergency [--pid PID]...",
		"stop the application, end its sessions" },
	{ "pid", "PID", 0, KIND_PIDS, AT(pids), 0, NULL, NULL },
	{ "force", NULL, 0, KIND_FLAG, AT(force), 0, "  --force  --all-users",
		"SIGKILL at once; others' processes, too" },
	{ "all-users", NULL, 0, KIND_FLAG, AT(all_users), 0, NULL, NULL },
	{ "dry-run", NULL, 0, KIND_FLAG, AT(dry_run), 0, "  --dry-run  --yes  --proven-only",
		"only show; don't ask; only the proven" },
	{ "yes", NULL, 0, KIND_FLAG, AT(yes), 0, NULL, NULL },
	{ "proven-only", NULL, 0, KIND_FLAG, AT(proven_only), 0, NULL, NULL },
	{ "replay", "FILE", 0, KIND_MODE_TEXT, AT(replay), MODE_REPLAY, NULL,
		"a recording, of --json --follow" },
	{ "watch", "PID", 0, KIND_MODE_TEXT, AT(watch), MODE_WATCH, NULL,
		"the dashboard, watching this process end" },
	{ "shutdown-test", NULL, 0, KIND_MODE, 0, MODE_SHUTDOWN_TEST,
		"--shutdown-test -- COMMAND...", "signal it, judge what it leaves: dbtop(1)" },
	{ "signal", "NAME", 0, KIND_TEXT, AT(signal), 0, NULL, NULL },
	{ "target", "group|leader", 0, KIND_TEXT, AT(target), 0, NULL, NULL },
	{ "ready", "N", 0, KIND_COUNT, AT(ready), 0, NULL, NULL },
	{ "after", "SECONDS", 0, KIND_TEXT, AT(after), 0, NULL, NULL },
	{ "ready-timeout", "SECONDS", 0, KIND_TEXT, AT(ready_timeout), 0, NULL, NULL },
	{ "timeout", "SECONDS", 0, KIND_TEXT, AT(timeout), 0, NULL, NULL },
	{ "expect", "STATUS", 0, KIND_LIST, AT(expect), 0, NULL, NULL },
	{ "repeat", "N", 0, KIND_COUNT, AT(repeat), 0, NULL, NULL },
	{ "strict", NULL, 0, KIND_FLAG, AT(strict), 0, NULL, NULL },
	{ "junit", "FILE", 0, KIND_TEXT, AT(junit), 0, NULL, NULL },
	{ "peers", NULL, 0, KIND_MODE, 0, MODE_PEERS, NULL, "what --host-agent runs over there" },
	{ "demo", NULL, 0, KIND_MODE, 0, MODE_DEMO, NULL,
		"a private server and a program that leaks" },
	{ "help", NULL, 0, KIND_MODE, 0, MODE_HELP, NULL, NULL },
	{ "version", NULL, 0, KIND_MODE, 0, MODE_VERSION, NULL, NULL },
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static int add_item(const struct option_row *row, const char *value, struct option_list *list)
{
	if (list->count == OPTIONS_LIST_MAX) {
		fprintf(stderr, "dbtop: --%s: %d at most\n", row->name, OPTIONS_LIST_MAX);
		return -EINVAL;
	}
	list->items[list->count++] = value;
	return 0;
}

static int read_count(const struct option_row *row, const char *text, long *ret_count)
{
	char *end;
	errno = 0;
	long count = strtol(text, &end, 10);
	if (errno || end == text || *end || count < 1) {
		fprintf(stderr,
			"dbtop: --%s: expected a number from 1, found \"%s\"\nTry 'dbtop "
			"--help'.\n",
			row->name, text);
		return -EINVAL;
	}
	*ret_count = count;
	return 0;
}

static int add_pid(const struct option_row *row, const char *text, struct option_pids *pids)
{
	long pid;
	int r = read_count(row, text, &pid);
	if (r < 0)
		return r;
	if (pid > INT32_MAX || pids->count == OPTIONS_LIST_MAX) {
		fprintf(stderr, "dbtop: --%s: %s\n", row->name,
			pid > INT32_MAX ? "no process has such a number" : "too many of them");
		return -EINVAL;
	}
	pids->items[pids->count++] = (int32_t)pid;
	return 0;
}

static int read_certainty(
	const struct option_row *row, const char *text, enum certainty *ret_certainty)
{
	for (int i = CERTAINTY_PRESUMED; i < CERTAINTY_COUNT; i++) {
		if (strcmp(certainty_name((enum certainty)i), text) == 0) {
			*ret_certainty = (enum certainty)i;
			return 0;
		}
	}
	fprintf(stderr,
		"dbtop: --%s: expected proven, declared or presumed, found \"%s\"\n"
		"Try 'dbtop --help'.\n",
		row->name, text);
	return -EINVAL;
}

static int set_mode(struct options *options, const struct option_row *row)
{
	/* --help has priority over all other options, as in other programs */
	if (options->mode == MODE_HELP || options->mode == MODE_VERSION)
		return 0;
	bool informs = row->mode == MODE_HELP || row->mode == MODE_VERSION;
	if (options->mode != MODE_DASHBOARD && options->mode != row->mode && !informs) {
		fprintf(stderr, "dbtop: --%s: only one mode at a time\nTry 'dbtop --help'.\n",
			row->name);
		return -EINVAL;
	}
	options->mode = row->mode;
	return 0;
}

static int set(struct options *options, const struct option_row *row, const char *value)
{
	char *field = (char *)options + row->offset;
	switch (row->kind) {
	case KIND_FLAG: *(bool *)field = true; return 0;
	case KIND_TEXT: *(const char **)field = value; return 0;
	case KIND_LIST: return add_item(row, value, (struct option_list *)field);
	case KIND_PIDS: return add_pid(row, value, (struct option_pids *)field);
	case KIND_COUNT: return read_count(row, value, (long *)field);
	case KIND_CERTAINTY: return read_certainty(row, value, (enum certainty *)field);
	case KIND_MODE: return set_mode(options, row);
	case KIND_MODE_TEXT: *(const char **)field = value; return set_mode(options, row);
	}
	return -EINVAL;
}

static const struct option_row *find_row(int index, int letter, const struct option *longs)
{
	for (size_t i = 0; i < ROWS; i++)
		if (index >= 0 ? strcmp(rows[i].name, longs[index].name) == 0
			       : rows[i].letter == letter)
			return &rows[i];
	return NULL;
}

static int take_operands(struct options *options, char **operands, int count)
{
	for (int i = 0; i < count; i++) {
		if (options->servers.count == OPTIONS_LIST_MAX) {
			fprintf(stderr, "dbtop: %d servers at most; --all takes more\n",
				OPTIONS_LIST_MAX);
			return -EINVAL;
		}
		options->servers.items[options->servers.count++] = operands[i];
	}
	return 0;
}

/* In a shutdown test the arguments after -- are the command, including the command's own options;
 * in other modes they are operands. getopt sees neither them nor the --: it would take the -- as
 * the argument of an option of ours before it. */
static int take_rest(struct options *options, char **rest, int count)
{
	if (options->mode != MODE_SHUTDOWN_TEST)
		return take_operands(options, rest, count);
	if (count)
		options->command = rest;
	return 0;
}

static int find_separator(int argc, char **argv)
{
	int at = 1;
	while (at < argc && strcmp(argv[at], "--") != 0)
		at++;
	return at;
}

int options_parse(int argc, char **argv, struct options *ret_options)
{
	struct option longs[ROWS + 1] = { 0 };
	char letters[ROWS * 2 + 1] = "";
	size_t n_letters = 0;
	for (size_t i = 0; i < ROWS; i++) {
		longs[i] = (struct option){ .name = rows[i].name,
			.has_arg = rows[i].argument ? required_argument : no_argument };
		if (rows[i].letter)
			letters[n_letters++] = rows[i].letter;
		if (rows[i].letter && rows[i].argument)
			letters[n_letters++] = ':';
	}
	struct options options = { 0 };
	int end = find_separator(argc, argv);
	/* getopt's messages begin with argv[0], and ours with the program's name only */
	argv[0] = (char *)"dbtop";
	optind = 1;
	for (;;) {
		int index = -1;
		int letter = getopt_long(end, argv, letters, longs, &index);
		if (letter == -1)
			break;
		const struct option_row *row = find_row(index, letter, longs);
		if (!row) {
			/* getopt has printed an error message */
			fputs("Try 'dbtop --help'.\n", stderr);
			return -EINVAL;
		}
		int r = set(&options, row, optarg);
		if (r < 0)
			return r;
	}
	int r = take_operands(&options, argv + optind, end - optind);
	if (r == 0 && end < argc)
		r = take_rest(&options, argv + end + 1, argc - end - 1);
	if (r == 0)
		*ret_options = options;
	return r;
}

/* What is repeated by options_retype(). */
static const char *const context[] = { "host", "port", "username", "dbname", "no-password",
	"config", "app", "idle-limit", "transaction-limit", "held-limit", "min-certainty",
	"pgbouncer", "pages", "host-agent" };

static void put_word(FILE *file, const char *word)
{
	struct arena *arena = arena_new();
	fprintf(file, " %s", text_shell_word(arena, word));
	arena_free(arena);
}

static bool is_conninfo(const struct option_row *row)
{
	return strcmp(row->name, "dbname") == 0 || strcmp(row->name, "pgbouncer") == 0;
}

static void put_option(FILE *file, const struct options *options, const struct option_row *row,
	options_clean_fn *clean)
{
	const char *field = (const char *)options + row->offset;
	if (row->kind == KIND_CERTAINTY) {
		if (*(const enum certainty *)field)
			fprintf(file, " --%s %s", row->name,
				certainty_name(*(const enum certainty *)field));
		return;
	}
	if (row->kind == KIND_FLAG) {
		if (*(const bool *)field)
			fprintf(file, " --%s", row->name);
		return;
	}
	const struct option_list one = { { *(const char *const *)field }, 1 };
	const struct option_list *list =
		row->kind == KIND_LIST ? (const struct option_list *)field : &one;
	for (size_t i = 0; i < list->count; i++) {
		const char *item = list->items[i];
		CLEANUP(cleanup_free) char *cleaned = item && is_conninfo(row) ? clean(item) : NULL;
		if (!item || (is_conninfo(row) && !cleaned))
			continue;
		if (row->letter)
			fprintf(file, " -%c", row->letter);
		else
			fprintf(file, " --%s", row->name);
		put_word(file, cleaned ? cleaned : item);
	}
}

char *options_retype(const struct options *options, const char *server, options_clean_fn *clean)
{
	CLEANUP(cleanup_free) char *cleaned = server ? clean(server) : NULL;
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);
	if (!file)
		return mem_strdup("dbtop");
	fputs("dbtop", file);
	for (size_t i = 0; i < sizeof(context) / sizeof(context[0]); i++)
		for (size_t k = 0; k < ROWS; k++)
			if (strcmp(rows[k].name, context[i]) == 0)
				put_option(file, options, &rows[k], clean);
	if (cleaned && *cleaned)
		put_word(file, cleaned);
	fclose(file);
	return text;
}

bool options_info(size_t i, struct option_info *ret_info)
{
	if (i >= ROWS)
		return false;
	/* an option that shares its line of --help with another has no text of its own */
	*ret_info = (struct option_info){ rows[i].name, rows[i].argument,
		rows[i].left ? NULL : rows[i].help, rows[i].letter };
	return true;
}

#define LEFT_COLUMN 37

/* For example "-c, --config FILE". */
static int print_left(FILE *file, const struct option_row *row)
{
	if (row->left)
		return fprintf(file, "%s", row->left);
	int width = 0;
	if (row->letter)
		width += fprintf(file, "-%c, ", row->letter);
	width += fprintf(file, "--%s", row->name);
	if (row->argument)
		width += fprintf(file, " %s", row->argument);
	return width;
}

void options_help(FILE *file)
{
	fputs("Usage: dbtop [OPTION]... [CONNINFO | NAME]...\n"
	      "Shows who holds PostgreSQL's connections and which leaked, and ends those.\n\n",
		file);
	for (size_t i = 0; i < ROWS; i++) {
		if (!rows[i].help)
			continue;
		fputs("  ", file);
		int width = print_left(file, &rows[i]);
		fprintf(file, "%*s%s\n", width < LEFT_COLUMN ? LEFT_COLUMN - width : 1, "",
			rows[i].help);
	}
	fputs("\nExit status: 0 clean, 1 leaks or survivors, 2 wrong usage, 3 cannot tell.\n",
		file);
}
