/* The file is read once to find the beginning of each line; then only the line that is shown is
 * parsed. A recording of some hours has hundreds of megabytes. The values for the sparkline and for
 * seeking are in the head of each line. */
#include "report/recording.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/instant.h"
#include "base/mem.h"
#include "base/text.h"
#include "model/assessment.h"
#include "model/history.h"
#include "report/decode.h"

#define HEAD_MAX      4096       /* bytes that contain taken_at, server and slots */
#define LINE_SIZE_MAX (64 << 20) /* a snapshot of 2,000 connections has 1 MiB */
#define BLOCK         (1 << 20)

struct entry {
	off_t offset;
	size_t length, line; /* its number, from 1 */
	int64_t at;
	int used, leaked;
};

struct recording {
	char *path; /* clean */
	int fd;
	struct entry *entries;
	size_t count, room;
	char *server;      /* the first server.name as JSON: "\"shop\""; NULL: none */
	size_t other_line; /* the first line of another server; 0: none */
};

__attribute__((format(printf, 4, 5))) static int fail(const struct recording *recording, int r,
	char error[static RECORDING_ERROR_MAX], const char *format, ...)
{
	va_list args;
	int length = snprintf(error, RECORDING_ERROR_MAX, "%.200s: ", recording->path);
	va_start(args, format);
	vsnprintf(error + length, RECORDING_ERROR_MAX - (size_t)length, format, args);
	va_end(args);
	return r;
}

/* The text after `"key":` in the head; NULL if the key is not there. */
static const char *find_value(const char *head, const char *key)
{
	const char *found = strstr(head, key);
	return found ? found + strlen(key) : NULL;
}

static int find_count(const char *head, const char *key)
{
	const char *value = find_value(head, key);
	return value && *value >= '0' && *value <= '9' ? atoi(value) : -1;
}

static int64_t find_instant(const char *head)
{
	char text[INSTANT_TEXT_MAX];
	int64_t instant = INSTANT_UNKNOWN;
	const char *value = find_value(head, "\"taken_at\":\"");
	size_t length = value ? strcspn(value, "\"") : 0;
	if (!length || length >= sizeof(text))
		return INSTANT_UNKNOWN;
	memcpy(text, value, length);
	text[length] = '\0';
	return instant_parse(text, &instant) == 0 ? instant : INSTANT_UNKNOWN;
}

/* Notes a line of another server than the first one's, by the names of the configuration. A line
 * without a name may be of any. */
static void compare_server(struct recording *recording, const char *head, size_t line)
{
	const char *name = find_value(head, "\"server\":{"),
		   *slots = find_value(head, "\"slots\":");
	name = name ? find_value(name, "\"name\":") : NULL;
	if (!name || !slots || name > slots || *name != '"')
		return;
	CLEANUP(cleanup_free) char *text = mem_printf("%.*s", (int)strcspn(name, ",}"), name);
	if (!recording->server)
		recording->server = mem_strdup(text);
	else if (recording->other_line == 0 && strcmp(recording->server, text) != 0)
		recording->other_line = line;
}

/* A line while it is read block by block. */
struct walk {
	struct entry entry;
	size_t head_length;
	char head[HEAD_MAX];
};

static void end_line(struct recording *recording, struct walk *walk)
{
	walk->head[walk->head_length] = '\0';
	if (walk->head[strspn(walk->head, " \t\r")] != '\0') {
		const char *slots = find_value(walk->head, "\"slots\":{");
		compare_server(recording, walk->head, walk->entry.line);
		walk->entry.at = find_instant(walk->head);
		walk->entry.used = slots ? find_count(slots, "\"used\":") : -1;
		if (slots && walk->entry.used < 0)
			walk->entry.used = find_count(slots, "\"used_at_most\":");
		walk->entry.leaked = slots ? find_count(slots, "\"leaked\":") : -1;
		recording->entries = mem_grow(recording->entries, recording->count,
			&recording->room, sizeof(*recording->entries));
		recording->entries[recording->count++] = walk->entry;
	}
	walk->entry.offset += (off_t)walk->entry.length + 1;
	walk->entry.length = walk->head_length = 0;
	walk->entry.line++;
}

static void take_bytes(struct walk *walk, const char *bytes, size_t length)
{
	size_t room = HEAD_MAX - 1 - walk->head_length;
	size_t kept = length < room ? length : room;
	memcpy(walk->head + walk->head_length, bytes, kept);
	walk->head_length += kept;
	walk->entry.length += length;
}

/* Finds the lines. Returns 0, or a negative errno. *ret_cut_off: the last line has no end. */
static int find_lines(struct recording *recording, bool *ret_cut_off)
{
	struct walk walk = { .entry.line = 1 };
	CLEANUP(cleanup_free) char *block = mem_alloc(BLOCK);
	ssize_t got;
	for (off_t at = 0; (got = pread(recording->fd, block, BLOCK, at)) > 0; at += got) {
		const char *from = block, *end = block + got, *newline;
		while ((newline = memchr(from, '\n', (size_t)(end - from)))) {
			take_bytes(&walk, from, (size_t)(newline - from));
			end_line(recording, &walk);
			from = newline + 1;
		}
		take_bytes(&walk, from, (size_t)(end - from));
	}
	if (got < 0)
		return -errno;
	*ret_cut_off = walk.entry.length > 0;
	if (*ret_cut_off)
		end_line(recording, &walk);
	return 0;
}

/* A pipe cannot seek, so it is copied to memory first. */
static int copy_to_memory(int from)
{
	int memory = memfd_create("recording", MFD_CLOEXEC);
	CLEANUP(cleanup_free) char *block = mem_alloc(BLOCK);
	ssize_t got = memory < 0 ? -1 : 0;
	while (memory >= 0 && (got = read(from, block, BLOCK)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 || write(memory, block, (size_t)got) != got)
			break;
	}
	if (got == 0)
		return memory;
	int r = errno ? -errno : -EIO;
	if (memory >= 0)
		close(memory);
	return r;
}

static int open_file(const char *path)
{
	struct stat status;
	bool input = strcmp(path, "-") == 0;
	CLEANUP(cleanup_fd)
	int fd = input ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
		       : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 || fstat(fd, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode))
		return S_ISDIR(status.st_mode) ? -EISDIR : copy_to_memory(fd);
	int opened = fd;
	fd = -1;
	return opened;
}

/* Parses the first line to check that this is a recording, and the last one if it was cut off. */
static int check(struct recording *recording, bool cut_off, char error[static RECORDING_ERROR_MAX])
{
	struct assessment *assessment;
	char last_error[RECORDING_ERROR_MAX];
	if (cut_off && recording->count > 1) {
		if (recording_read(recording, recording->count - 1, &assessment, last_error) < 0)
			recording->count--;
		else
			assessment_free(assessment);
	}
	if (!recording->count)
		return fail(recording, -EINVAL, error, "there is no snapshot in it");
	if (recording->other_line)
		return fail(recording, -EINVAL, error,
			"line %zu is of another server; of several, choose one: jq -c "
			"'select(.server.name == \"NAME\")'",
			recording->other_line);
	int r = recording_read(recording, 0, &assessment, error);
	if (r == 0)
		assessment_free(assessment);
	return r;
}

static char *clean_name(const char *path)
{
	struct arena *arena = arena_new();
	char *name = mem_strdup(strcmp(path, "-") == 0
			? "standard input"
			: text_clean(arena, path, strlen(path), TEXT_LINE));
	arena_free(arena);
	return name;
}

int recording_open(
	const char *path, struct recording **ret_recording, char error[static RECORDING_ERROR_MAX])
{
	struct recording *recording = mem_alloc(sizeof(*recording));
	bool cut_off = false;
	recording->path = clean_name(path);
	recording->fd = open_file(path);
	int r = recording->fd < 0 ? recording->fd : find_lines(recording, &cut_off);
	if (r < 0)
		(void)fail(recording, r, error, "%s", strerror(-r));
	else
		r = check(recording, cut_off, error);
	if (r < 0)
		recording_free(recording);
	else
		*ret_recording = recording;
	return r;
}

void recording_free(struct recording *recording)
{
	if (!recording)
		return;
	if (recording->fd >= 0)
		close(recording->fd);
	free(recording->entries);
	free(recording->path);
	free(recording->server);
	free(recording);
}

size_t recording_count(const struct recording *recording)
{
	return recording->count;
}

int64_t recording_at(const struct recording *recording, size_t i)
{
	return recording->entries[i].at;
}

size_t recording_find(const struct recording *recording, int64_t instant)
{
	size_t i = 0;
	while (i + 1 < recording->count && recording->entries[i].at < instant)
		i++;
	return i;
}

int recording_read(const struct recording *recording, size_t i, struct assessment **ret_assessment,
	char error[static RECORDING_ERROR_MAX])
{
	const struct entry *entry = &recording->entries[i];
	char reason[JSON_ERROR_MAX];
	if (entry->length > LINE_SIZE_MAX)
		return fail(recording, -EINVAL, error, "line %zu: too long for a snapshot",
			entry->line);
	CLEANUP(cleanup_free) char *line = mem_alloc(entry->length + 1);
	for (size_t at = 0; at < entry->length;) {
		ssize_t got = pread(
			recording->fd, line + at, entry->length - at, entry->offset + (off_t)at);
		if (got <= 0)
			return fail(recording, got < 0 ? -errno : -EIO, error, "line %zu: %s",
				entry->line,
				got < 0 ? strerror(errno) : "it is not there any more");
		at += (size_t)got;
	}
	int r = decode(line, entry->length, ret_assessment, reason);
	return r < 0 ? fail(recording, r, error, "line %zu: %s", entry->line, reason) : 0;
}

void recording_history(const struct recording *recording, size_t i, struct history *ret_history)
{
	size_t first = i >= HISTORY_SAMPLES ? i + 1 - HISTORY_SAMPLES : 0;
	*ret_history = (struct history){ 0 };
	for (; first <= i; first++) {
		const struct entry *entry = &recording->entries[first];
		if (entry->at != INSTANT_UNKNOWN)
			history_add(ret_history,
				(struct history_sample){
					.at = entry->at,
					.used = entry->used,
					.leaked = entry->leaked,
				});
	}
}
