/* Command lines are long: folders are left out because they say least. */
#include "widgets/process_title.h"

#include <stdint.h>
#include <string.h>

#include "model/peers.h"
#include "widgets/line.h"

/* Only the file's name of a path is kept: /usr/bin/python3 becomes python3. Returns where it
 * begins, and makes *length its length. */
static const char *without_folders(const char *word, size_t *length)
{
	const char *slash = *word == '/' ? memrchr(word, '/', *length) : NULL;
	if (!slash || slash + 1 == word + *length)
		return word;
	*length -= (size_t)(slash + 1 - word);
	return slash + 1;
}

/* Adds the first word, and further ones while all of them have at most `most` bytes. */
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
		const char *next = at + length;
		const char *word = without_folders(at, &length);
		if (line->length > begin && line->length - begin + length > most) {
			line_add(line, style, "…");
			return;
		}
		line_add_bytes(line, style, word, length);
		if (*next)
			line_add(line, style, " ");
		at = next + strspn(next, " ");
	}
}

void process_title_add(const struct process *process, enum style style, struct line *line)
{
	add_title(process, SIZE_MAX, style, line);
}

void process_title_add_short(const struct process *process, enum style style, struct line *line)
{
	add_title(process, PROCESS_TITLE_SHORT, style, line);
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
