#include "action/audit_recent.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "action/guard.h"
#include "base/cleanup.h"
#include "base/instant.h"
#include "base/mem.h"
#include "model/action.h"

/* How much of the end of the log is read. Each session that was ended takes about 1 kB. */
#define TAIL_BYTES ((size_t)1 << 20)

char *audit_read_tail(const char *path, size_t most, size_t *ret_length)
{
	struct stat st;
	CLEANUP(cleanup_fd)
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0)
		return NULL;
	off_t from = st.st_size > (off_t)most ? st.st_size - (off_t)most : 0;
	char *text = mem_alloc(most + 1);
	ssize_t length = S_ISREG(st.st_mode) ? pread(fd, text, most, from) : 0;
	*ret_length = length > 0 ? (size_t)length : 0;
	return text;
}

static bool is_text(const json_t *line, const char *name, const char *wanted)
{
	const char *text = json_string_value(json_object_get(line, name));
	return text && strcmp(text, wanted) == 0;
}

/* When the line was written; INSTANT_UNKNOWN if it does not say so. */
static int64_t read_at(const json_t *line)
{
	int64_t at;
	const char *text = json_string_value(json_object_get(line, "at"));
	return text && instant_parse(text, &at) == 0 ? at : INSTANT_UNKNOWN;
}

/* How many of this server's leaked sessions this line's action was to end; else 0. */
static size_t read_count(const json_t *line, const char *server)
{
	json_int_t count = json_integer_value(json_object_get(line, "targets"));
	bool counts = is_text(line, "event", "action") &&
		is_text(line, "action", action_kind_name(ACTION_KILL_LEAKED)) &&
		is_text(line, "server", server);
	return counts && count > 0 ? (size_t)count : 0;
}

/* Backwards: only the lines of the last minute are parsed. */
void audit_recall(const char *path, const char *server, struct guard_history *history, int64_t now,
	int64_t monotonic)
{
	size_t end = 0;
	size_t counts[GUARD_WINDOW] = { 0 }; /* by the age in seconds */
	bool is_old = false;
	CLEANUP(cleanup_free)
	char *text = path && server ? audit_read_tail(path, TAIL_BYTES, &end) : NULL;
	while (end > 0 && !is_old) {
		const char *newline = memrchr(text, '\n', end - 1);
		size_t from = newline ? (size_t)(newline - text) + 1 : 0;
		json_t *line = json_loadb(text + from, end - from, 0, NULL);
		int64_t at = read_at(line), age = instant_elapsed(at, now) / USEC_PER_SEC;
		is_old = at != INSTANT_UNKNOWN && age >= GUARD_WINDOW;
		if (at != INSTANT_UNKNOWN && at <= now && !is_old)
			counts[age] += read_count(line, server);
		json_decref(line);
		end = from;
	}
	for (int64_t age = GUARD_WINDOW; age-- > 0;)
		if (counts[age])
			guard_note(history, counts[age], monotonic - age * USEC_PER_SEC);
}
