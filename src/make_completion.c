/* Run while dbtop is built: writes the completion for a shell, from the table that parses the
 * options. make_completion bash|zsh|fish */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "config/theme.h"
#include "modes/options.h"

/* What completes an argument: by its name in the table, or by the option where that says too
 * little.
 * "%s" is the list of themes. */
static const struct {
	const char *option, *argument;
	const char *bash, *zsh, *fish;
} arguments[] = {
	{ "theme", NULL, "-W \"%s\"", "(%s)", "-x -a '%s'" },
	{ "signal", NULL, "-W 'INT TERM HUP QUIT KILL'", "(INT TERM HUP QUIT KILL)",
		"-x -a 'INT TERM HUP QUIT KILL'" },
	{ "host", NULL, "-A hostname", "_hosts", "-x -a '(__fish_print_hostnames)'" },
	{ NULL, "FILE", "-f", "_files", "-r -F" },
	{ NULL, "DIR", "-d", "_directories", "-x -a '(__fish_complete_directories)'" },
	{ NULL, "PID", "-W \"$(cd /proc && echo [0-9]*)\"", "_pids",
		"-x -a '(__fish_complete_pids)'" },
	{ NULL, NULL, NULL, "", "-x" },
};

static char themes[1024];

static void list_themes(void)
{
	static const char *const nowhere[] = { NULL };
	struct arena *arena = arena_new();
	for (const char *const *name = theme_names(arena, nowhere); *name; name++) {
		size_t length = strlen(themes);
		snprintf(
			themes + length, sizeof(themes) - length, "%s%s", length ? " " : "", *name);
	}
	arena_free(arena);
}

static size_t kind_of(const struct option_info *option)
{
	size_t i = 0;
	for (; arguments[i].option || arguments[i].argument; i++) {
		if (arguments[i].option && strcmp(arguments[i].option, option->name) == 0)
			break;
		if (arguments[i].argument && option->argument &&
			strcmp(arguments[i].argument, option->argument) == 0)
			break;
	}
	return i;
}

/* The one %s there may be is the themes. */
static void print_action(const char *action)
{
	const char *mark = strstr(action, "%s");
	if (mark)
		printf("%.*s%s%s", (int)(mark - action), action, themes, mark + 2);
	else
		fputs(action, stdout);
}

/* In single quotes, and without what the shells' tables give a meaning. */
static void print_help(const struct option_info *option)
{
	for (const char *c = option->help ? option->help : option->name; *c; c++) {
		if (*c == '\'')
			fputs("'\\''", stdout);
		else
			putchar(*c == '[' ? '(' : *c == ']' ? ')' : *c == ':' ? ',' : *c);
	}
}

static void print_bash_case(const struct option_info *option)
{
	printf("\t--%s", option->name);
	if (option->letter)
		printf(" | -%c", option->letter);
	fputs(")\n", stdout);
	const char *action = arguments[kind_of(option)].bash;
	if (action) {
		fputs("\t\tmapfile -t COMPREPLY < <(compgen ", stdout);
		print_action(action);
		fputs(" -- \"$cur\")\n", stdout);
	}
	fputs("\t\treturn ;;\n", stdout);
}

static void print_bash(void)
{
	struct option_info option;
	fputs("# completion of dbtop for bash, made when it was built\n"
	      "_dbtop()\n{\n"
	      "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} i\n"
	      "\tCOMPREPLY=()\n"
	      "\t# behind -- stands the command of --shutdown-test\n"
	      "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	      "\t\tif [[ ${COMP_WORDS[i]} == -- ]]; then\n"
	      "\t\t\tmapfile -t COMPREPLY < <(compgen -c -f -- \"$cur\")\n"
	      "\t\t\treturn\n\t\tfi\n\tdone\n"
	      "\tcase $prev in\n",
		stdout);
	for (size_t i = 0; options_info(i, &option); i++)
		if (option.argument)
			print_bash_case(&option);
	fputs("\tesac\n\t[[ $cur == -* ]] || return\n"
	      "\tmapfile -t COMPREPLY < <(compgen -W '",
		stdout);
	for (size_t i = 0; options_info(i, &option); i++)
		printf("%s--%s", i ? " " : "", option.name);
	fputs("' -- \"$cur\")\n}\ncomplete -o filenames -F _dbtop dbtop\n", stdout);
}

static void print_zsh_option(const struct option_info *option)
{
	const char *equals = option->argument ? "=" : "";
	if (option->letter)
		printf("\t'(-%c --%s)'{-%c%s,--%s%s}'[", option->letter, option->name,
			option->letter, option->argument ? "+" : "", option->name, equals);
	else
		printf("\t'--%s%s[", option->name, equals);
	print_help(option);
	putchar(']');
	if (option->argument) {
		printf(":%s:", option->argument);
		print_action(arguments[kind_of(option)].zsh);
	}
	fputs("' \\\n", stdout);
}

static void print_zsh(void)
{
	struct option_info option;
	fputs("#compdef dbtop\n# completion of dbtop for zsh, made when it was built\n"
	      "_arguments -s -S \\\n",
		stdout);
	for (size_t i = 0; options_info(i, &option); i++)
		print_zsh_option(&option);
	fputs("\t'1:conninfo: ' \\\n\t'*::command:_normal'\n", stdout);
}

static void print_fish(void)
{
	struct option_info option;
	fputs("# completion of dbtop for fish, made when it was built\n"
	      "complete -c dbtop -f\n",
		stdout);
	for (size_t i = 0; options_info(i, &option); i++) {
		printf("complete -c dbtop -l %s", option.name);
		if (option.letter)
			printf(" -s %c", option.letter);
		if (option.argument) {
			putchar(' ');
			print_action(arguments[kind_of(&option)].fish);
		}
		fputs(" -d '", stdout);
		/* fish has a way of its own with quotes, and needs none here */
		for (const char *c = option.help ? option.help : option.name; *c; c++)
			if (*c != '\'' && *c != '\\')
				putchar(*c);
		fputs("'\n", stdout);
	}
}

int main(int argc, char **argv)
{
	static const struct {
		const char *shell;
		void (*print)(void);
	} shells[] = { { "bash", print_bash }, { "zsh", print_zsh }, { "fish", print_fish } };
	list_themes();
	for (size_t i = 0; argc == 2 && i < sizeof(shells) / sizeof(shells[0]); i++) {
		if (strcmp(argv[1], shells[i].shell) == 0) {
			shells[i].print();
			return fflush(stdout) == 0 ? 0 : 1;
		}
	}
	fputs("Usage: make_completion bash|zsh|fish\n", stderr);
	return 2;
}
