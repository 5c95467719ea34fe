#include "proc/command.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/text.h"
#include "model/peers.h"
#include "proc/cmdline.h"
#include "proc/read_file.h"

/* TASK_COMM_LEN − 1: a name of this length may have been cut. */
#define COMM_CUT 15

/* The kernel cuts a name to 15 bytes; the first argument may contain the whole name. */
static const char *whole_name(struct arena *arena, const char *comm, const char *arguments)
{
	size_t length = strlen(comm);
	const char *slash = strrchr(arguments, '/');
	const char *base = slash ? slash + 1 : arguments;
	size_t whole = strcspn(base, " ");
	if (length == COMM_CUT && whole > length && strncmp(base, comm, length) == 0)
		return text_clean(arena, base, whole, TEXT_LINE);
	return text_clean(arena, comm, length, TEXT_LINE);
}

/* The name of the process's file; its own name if that cannot be read, as for other users'
 * processes.
 */
static const char *executable(int folder, struct arena *arena, const char *name)
{
	char path[4096];
	ssize_t size = readlinkat(folder, "exe", path, sizeof(path) - 1);
	if (size <= 0)
		return name;
	path[size] = '\0';
	const char *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : path;
	/* the kernel marks a file that was replaced, for example by an upgrade */
	const char *deleted = strstr(base, " (deleted)");
	return text_clean(
		arena, base, deleted ? (size_t)(deleted - base) : strlen(base), TEXT_LINE);
}

/* The script that an interpreter runs; the interpreter is known by the first argument. */
static const char *script(struct arena *arena, const char *bytes, size_t size)
{
	char name[64];
	size_t length = strcspn(bytes, " ");
	const char *slash = memrchr(bytes, '/', length);
	const char *base = slash ? slash + 1 : bytes;
	snprintf(name, sizeof(name), "%.*s", (int)(bytes + length - base), base);
	return cmdline_script(arena, bytes, size, name);
}

void command_describe(int folder, struct arena *arena, const char *comm, struct process *process)
{
	char bytes[CMDLINE_MAX + 1];
	ssize_t size = read_file(folder, "cmdline", bytes, sizeof(bytes));
	process->name = whole_name(arena, comm, size > 0 ? bytes : "");
	if (size >= 0)
		process->command = cmdline_format(arena, bytes, (size_t)size);
	process->program = program_kind_of(executable(folder, arena, process->name),
		size > 0 ? script(arena, bytes, (size_t)size) : NULL);
	if (size >= 0 && !process->command)
		process->command = arena_printf(arena, "[%s]", process->name);
}
