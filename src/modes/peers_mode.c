/* Each target has a scanner of its own: a scan looks for one server's port, and keeps what it found
 * for the next one. The stats pages are read after it, in the private folders of the processes that
 * it found, too. */
#include "modes/peers_mode.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include <uv.h>

#include "base/arena.h"
#include "base/mem.h"
#include "collect/clients.h"
#include "collect/host_lines.h"
#include "collect/pages.h"
#include "loop/handle.h"
#include "model/peers.h"
#include "modes/options.h"
#include "modes/peers_answer.h"
#include "page/host.h"
#include "proc/procfs.h"

/* If nobody reads the answer for this long, the other side is gone. */
#define WRITE_TIMEOUT_MS 30000

/* An answer waits no longer than this for the stats pages: a disk may hang. */
#define PAGES_TIMEOUT_MS 1000

#define CHUNK 65536

struct peers_mode;

struct target_scanner {
	struct peers_mode *mode;
	struct clients *clients;
	struct pages *pages;
	uv_timer_t *pages_late;
	struct peers_answer *answer;
	bool is_asked;   /* a question has no answer yet */
	bool is_scanned; /* it waits for the stats pages */
};

struct peers_mode {
	uv_loop_t loop;
	uv_pipe_t *input;
	struct procfs *procfs;
	struct target_scanner *targets[HOST_TARGETS_MOST];
	char *line;
	size_t length;
	int version; /* that is spoken; 0: not greeted yet */
	int status;
	char chunk[CHUNK];
};

static void finish(struct peers_mode *mode, int status)
{
	mode->status = status;
	handle_close(mode->input);
	mode->input = NULL;
	uv_stop(&mode->loop);
}

/* Standard output may share its file with standard input, which does not block. */
static int write_all(const char *text, size_t length)
{
	while (length > 0) {
		ssize_t n = write(STDOUT_FILENO, text, length);
		if (n < 0 && errno == EAGAIN) {
			struct pollfd fd = { .fd = STDOUT_FILENO, .events = POLLOUT };
			if (poll(&fd, 1, WRITE_TIMEOUT_MS) == 0)
				return -ETIMEDOUT;
		} else if (n < 0 && errno != EINTR) {
			return -errno;
		}
		if (n > 0) {
			text += n;
			length -= (size_t)n;
		}
	}
	return 0;
}

/* Frees the line. */
static void say(struct peers_mode *mode, char *line)
{
	size_t length = strlen(line);
	line[length] = '\n';
	if (write_all(line, length + 1) < 0 && mode->input)
		finish(mode, EXIT_UNKNOWN);
	free(line);
}

static void refuse(struct peers_mode *mode, const char *error)
{
	say(mode, host_lines_refusal(error));
	fprintf(stderr, "dbtop: --peers: %s\n", error);
	if (mode->input)
		finish(mode, EXIT_USAGE);
}

static void answer(struct target_scanner *target)
{
	struct arena *arena = arena_new();
	bool has_pages = target->mode->version >= HOST_VERSION_PAGES &&
		peers_answer_has_ends(target->answer);
	uv_timer_stop(target->pages_late);
	target->is_asked = target->is_scanned = false;
	const struct host_answer answer =
		peers_answer_make(target->answer, clients_latest(target->clients),
			has_pages ? pages_latest(target->pages) : NULL, arena);
	say(target->mode, host_lines_answer(&answer));
	arena_free(arena);
}

static void on_pages(void *data)
{
	struct target_scanner *target = data;
	if (target->is_scanned)
		answer(target);
}

static void on_pages_late(uv_timer_t *timer)
{
	on_pages(timer->data);
}

static void on_scanned(void *data)
{
	struct target_scanner *target = data;
	if (!target->is_asked || target->is_scanned)
		return;
	target->is_scanned = true;
	pages_set_peers(target->pages, clients_latest(target->clients));
	if (target->mode->version >= HOST_VERSION_PAGES && peers_answer_has_ends(target->answer) &&
		pages_refresh(target->pages))
		uv_timer_start(target->pages_late, on_pages_late, PAGES_TIMEOUT_MS, 0);
	else
		answer(target);
}

static struct target_scanner *find_target(struct peers_mode *mode, uint32_t number)
{
	struct target_scanner *target = mode->targets[number];
	if (target)
		return target;
	target = mode->targets[number] = mem_alloc(sizeof(*target));
	const struct clients_callbacks callbacks = { target, on_scanned };
	target->mode = mode;
	target->clients = clients_new(&mode->loop, "/proc", &callbacks);
	target->pages = pages_new(&mode->loop,
		&(struct pages_options){
			.proc_root = "/proc", .data = target, .published = on_pages });
	target->pages_late = handle_new_timer(&mode->loop, target);
	target->answer = peers_answer_new(mode->procfs);
	return target;
}

static void on_question(struct peers_mode *mode, const struct host_question *question)
{
	struct target_scanner *target = find_target(mode, question->target);
	const struct peers_target where = {
		.port = question->ports[0],
		.server_port = question->n_ports > 1 ? question->ports[1] : 0,
	};
	if (target->is_asked) {
		refuse(mode, "the last question has no answer yet");
		return;
	}
	if (!peers_answer_take(target->answer, question)) {
		refuse(mode, "too many ends");
		return;
	}
	target->is_asked = true;
	if (peers_answer_wants_search(target->answer))
		clients_search_networks(target->clients);
	clients_scan(target->clients, &where, false);
}

/* A boot's id, and a number for this run. */
static char *make_hello(int version)
{
	uint64_t random[2] = { 0 };
	char run[40];
	struct page_host host;
	page_host_read("/proc", &host);
	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		random[0] = (uint64_t)getpid();
	snprintf(run, sizeof(run), "%016" PRIx64 "%016" PRIx64, random[0], random[1]);
	const struct host_hello hello = { version, host.boot_id[0] ? host.boot_id : "unknown",
		run };
	return host_lines_hello(&hello);
}

static void on_line(struct peers_mode *mode, const char *line, size_t length)
{
	struct arena *arena = arena_new();
	struct host_question question;
	const char *error;
	if (!mode->version) {
		if (host_lines_read_greeting(arena, line, length, &mode->version, &error) < 0)
			refuse(mode, error);
		else
			say(mode, make_hello(mode->version));
	} else if (host_lines_read_question(arena, line, length, &question, &error) < 0) {
		refuse(mode, error);
	} else {
		on_question(mode, &question);
	}
	arena_free(arena);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buffer)
{
	struct peers_mode *mode = handle->data;
	(void)suggested;
	*ret_buffer = uv_buf_init(mode->chunk, CHUNK);
}

static void on_input(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
	struct peers_mode *mode = stream->data;
	(void)buffer;
	if (n < 0) {
		finish(mode, EXIT_CLEAN);
		return;
	}
	const char *from = mode->chunk, *last = mode->chunk + n;
	while (mode->input && from < last) {
		const char *newline = memchr(from, '\n', (size_t)(last - from));
		size_t count = (size_t)((newline ? newline : last) - from);
		if (mode->length + count > HOST_QUESTION_MOST) {
			refuse(mode, "the line is too long");
			return;
		}
		mode->line = mem_resize(mode->line, mode->length + count + 1, 1);
		memcpy(mode->line + mode->length, from, count);
		mode->length += count;
		from += count + 1;
		if (!newline)
			break;
		count = mode->length;
		mode->length = 0;
		on_line(mode, mode->line, count);
	}
}

static void release(struct peers_mode *mode)
{
	for (size_t i = 0; i < HOST_TARGETS_MOST; i++) {
		if (!mode->targets[i])
			continue;
		clients_free(mode->targets[i]->clients);
		pages_free(mode->targets[i]->pages);
		handle_close(mode->targets[i]->pages_late);
		peers_answer_free(mode->targets[i]->answer);
		free(mode->targets[i]);
	}
	procfs_free(mode->procfs);
	free(mode->line);
}

/* A scan that hangs does not hold up the end: the process ends with it. */
static void close_loop(struct peers_mode *mode)
{
	for (int i = 0; i < 100 && uv_run(&mode->loop, UV_RUN_NOWAIT) != 0; i++)
		(void)poll(NULL, 0, 10);
	if (uv_loop_close(&mode->loop) < 0)
		_exit(mode->status);
}

int peers_mode_run(void)
{
	uv_handle_type kind = uv_guess_handle(STDIN_FILENO);
	if (kind != UV_NAMED_PIPE && kind != UV_TCP) {
		fputs("dbtop: --peers is what another dbtop runs here (--host-agent): it reads "
		      "from a pipe\n",
			stderr);
		return EXIT_USAGE;
	}
	struct peers_mode *mode = mem_alloc(sizeof(*mode));
	uv_loop_init(&mode->loop);
	mode->procfs = procfs_new("/proc");
	mode->input = mem_alloc(sizeof(*mode->input));
	mode->input->data = mode;
	uv_pipe_init(&mode->loop, mode->input, 0);
	if (uv_pipe_open(mode->input, STDIN_FILENO) < 0 ||
		uv_read_start((uv_stream_t *)mode->input, on_alloc, on_input) < 0)
		finish(mode, EXIT_UNKNOWN);
	else
		uv_run(&mode->loop, UV_RUN_DEFAULT);
	release(mode);
	close_loop(mode);
	int status = mode->status;
	free(mode);
	return status;
}
