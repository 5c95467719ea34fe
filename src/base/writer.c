/* A queue of lines, and the thread that writes them. */
#include "base/writer.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/instant.h"
#include "base/mem.h"
#include "base/thread.h"

struct written_line {
	struct written_line *next;
	char text[];
};

struct writer {
	char *path;
	struct journal_options options;
	pthread_t thread;
	bool started;

	pthread_mutex_t mutex;
	pthread_cond_t changed;
	/* the members from here on are guarded by the mutex */
	struct written_line *first, **last;
	size_t waiting; /* includes the line that is being written */
	size_t lost;
	int error;
	bool ending;
	bool abandoned; /* the thread frees the writer */
};

struct writer *writer_new(const char *path, const struct journal_options *options)
{
	struct writer *writer = mem_alloc(sizeof(*writer));
	pthread_condattr_t monotonic;
	writer->path = mem_strdup(path);
	writer->options = *options;
	writer->last = &writer->first;
	pthread_mutex_init(&writer->mutex, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&writer->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	return writer;
}

static void release(struct writer *writer)
{
	while (writer->first) {
		struct written_line *line = writer->first;
		writer->first = line->next;
		free(line);
	}
	pthread_cond_destroy(&writer->changed);
	pthread_mutex_destroy(&writer->mutex);
	free(writer->path);
	free(writer);
}

/* Writes the first line. The mutex is held; it is released during the write. */
static void write_first(struct writer *writer)
{
	struct written_line *line = writer->first;
	writer->first = line->next;
	if (!writer->first)
		writer->last = &writer->first;
	pthread_mutex_unlock(&writer->mutex);
	int r = journal_append(writer->path, line->text, &writer->options);
	free(line);
	pthread_mutex_lock(&writer->mutex);
	writer->error = r;
	writer->waiting--;
	pthread_cond_broadcast(&writer->changed);
}

static void *run(void *data)
{
	struct writer *writer = data;
	pthread_mutex_lock(&writer->mutex);
	while (writer->first || !writer->ending) {
		if (writer->first)
			write_first(writer);
		else
			pthread_cond_wait(&writer->changed, &writer->mutex);
	}
	bool abandoned = writer->abandoned;
	pthread_mutex_unlock(&writer->mutex);
	if (abandoned)
		release(writer);
	return NULL;
}

void writer_append(struct writer *writer, const char *text)
{
	int r = writer->started ? 0 : thread_start(&writer->thread, run, writer);
	writer->started |= r == 0;
	pthread_mutex_lock(&writer->mutex);
	if (r < 0 || writer->waiting >= WRITER_LINES_MAX) {
		writer->error = r < 0 ? r : -ETIMEDOUT;
		writer->lost++;
	} else {
		size_t size = strlen(text) + 1;
		struct written_line *line = mem_alloc(sizeof(*line) + size);
		memcpy(line->text, text, size);
		*writer->last = line;
		writer->last = &line->next;
		writer->waiting++;
		pthread_cond_broadcast(&writer->changed);
	}
	pthread_mutex_unlock(&writer->mutex);
}

int writer_error(struct writer *writer)
{
	pthread_mutex_lock(&writer->mutex);
	int error = writer->error;
	pthread_mutex_unlock(&writer->mutex);
	return error;
}

static struct timespec after(int64_t timeout)
{
	int64_t at = instant_monotonic() + timeout;
	return (struct timespec){
		.tv_sec = (time_t)(at / USEC_PER_SEC),
		.tv_nsec = (long)(at % USEC_PER_SEC) * 1000,
	};
}

/* Waits until no line waits, or the deadline has passed. The mutex is held. */
static void await_lines(struct writer *writer, const struct timespec *deadline)
{
	while (writer->waiting &&
		pthread_cond_timedwait(&writer->changed, &writer->mutex, deadline) == 0)
		;
}

int writer_wait(struct writer *writer, int64_t timeout)
{
	const struct timespec deadline = after(timeout);
	pthread_mutex_lock(&writer->mutex);
	await_lines(writer, &deadline);
	int error = writer->waiting ? -ETIMEDOUT : writer->error;
	pthread_mutex_unlock(&writer->mutex);
	return error;
}

size_t writer_free(struct writer *writer, int64_t timeout)
{
	if (!writer)
		return 0;
	const struct timespec deadline = after(timeout);
	pthread_mutex_lock(&writer->mutex);
	writer->ending = true;
	pthread_cond_broadcast(&writer->changed);
	await_lines(writer, &deadline);
	size_t unwritten = writer->waiting + writer->lost;
	/* with no line left, the thread ends at once */
	bool hangs = writer->waiting > 0, started = writer->started;
	pthread_t thread = writer->thread;
	writer->abandoned = hangs;
	pthread_mutex_unlock(&writer->mutex);
	if (hangs) {
		pthread_detach(thread);
		return unwritten;
	}
	if (started)
		pthread_join(thread, NULL);
	release(writer);
	return unwritten;
}
