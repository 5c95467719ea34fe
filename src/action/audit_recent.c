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

/* The end of the log that is read: some hundred ended sessions, of about 1 kB each. */
#define TAIL_BYTES ((off_t)1 << 20)

/* The caller frees it; NULL if there is nothing. The first line may be cut. */
static char *read_tail(const char *path)
{
	struct stat st;
	CLEANUP(cleanup_fd)
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return NULL;
	off_t from = st.st_size > TAIL_BYTES ? st.st_size - TAIL_BYTES : 0;
	size_t size = (size_t)(st.st_size - from);
	char *text = mem_alloc(size + 1);
	ssize_t length = pread(fd, text, size, from);
	text[length > 0 ? length : 0] = '\0';
	return text;
}

static bool is_text(const json_t *line, const char *name, const char *wanted)
{
	const char *text = json_string_value(json_object_get(line, name));
	return text && strcmp(text, wanted) == 0;
}

/* How many sessions this line's action was to end, and when. 0: it is another line. */
static size_t read_line(const char *text, size_t length, const char *server, int64_t *ret_at)
{
	json_t *line = json_loadb(text, length, 0, NULL);
	const char *at = json_string_value(json_object_get(line, "at"));
	json_int_t count = json_integer_value(json_object_get(line, "targets"));
	bool counts = is_text(line, "event", "action") &&
		is_text(line, "action", action_kind_name(ACTION_KILL_LEAKED)) &&
		is_text(line, "server", server) && at && instant_parse(at, ret_at) == 0;
	json_decref(line);
	return counts && count > 0 ? (size_t)count : 0;
}

void audit_recall(const char *path, const char *server, struct guard_history *history, int64_t now,
	int64_t monotonic)
{
	CLEANUP(cleanup_free) char *text = path && server ? read_tail(path) : NULL;
	for (const char *line = text; line && *line;) {
		size_t length = strcspn(line, "\n");
		int64_t at;
		size_t count = read_line(line, length, server, &at);
		if (count && at <= now && now - at < GUARD_WINDOW * USEC_PER_SEC)
			guard_note(history, count, monotonic - (now - at));
		line += length;
		line += *line == '\n';
	}
}
