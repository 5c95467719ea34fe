/* Command lines are long: folders are left out because they say least. */
#include "widgets/process_title.h"

#include <string.h>

#include "model/peers.h"
#include "widgets/line.h"

/* Only the file's name of a path is kept: /usr/bin/python3 becomes python3. */
static void add_word(struct line *line, enum style style, const char *word, size_t length)
{
	const char *slash = *word == '/' ? memrchr(word, '/', length) : NULL;
	if (slash && slash + 1 < word + length) {
		length -= (size_t)(slash + 1 - word);
		word = slash + 1;
	}
	line_add_bytes(line, style, word, length);
}

void process_title_add(const struct process *process, enum style style, struct line *line)
{
	const char *at = process->command ? process->command : process->name;
	at = at ? at + strspn(at, " ") : "";
	if (!*at)
		at = "unnamed process";
	while (*at) {
		size_t length = strcspn(at, " ");
		add_word(line, style, at, length);
		at += length;
		if (*at)
			line_add(line, style, " ");
		at += strspn(at, " ");
	}
}

bool process_title_says(const struct process *process, const char *name)
{
	const char *command = process->command;
	if (!command)
		return false;
	const char *end = command + strcspn(command, " ");
	const char *slash = memrchr(command, '/', (size_t)(end - command));
	const char *word = slash ? slash + 1 : command;
	return strncmp(name, word, (size_t)(end - word)) == 0 && name[end - word] == '\0';
}
