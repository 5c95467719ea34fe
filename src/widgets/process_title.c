/* Command lines are long: folders are left out because they say least. */
#include "widgets/process_title.h"

#include <stdint.h>
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

/* Ends before the word that would make it longer than `most` bytes, but for the first. */
static void add_title(
	const struct process *process, size_t most, enum style style, struct line *line)
{
	size_t begin = line->length;
	const char *at = process->command ? process->command : process->name;
	at = at ? at + strspn(at, " ") : "";
	if (!*at)
		at = "unnamed process";
	while (*at) {
		size_t length = strcspn(at, " ");
		if (line->length > begin && line->length - begin + length > most) {
			line_add(line, style, "…");
			return;
		}
		add_word(line, style, at, length);
		at += length;
		if (*at)
			line_add(line, style, " ");
		at += strspn(at, " ");
	}
}

void process_title_add(const struct process *process, enum style style, struct line *line)
{
	add_title(process, SIZE_MAX, style, line);
}

void process_title_add_short(const struct process *process, enum style style, struct line *line)
{
	add_title(process, 20, style, line);
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
