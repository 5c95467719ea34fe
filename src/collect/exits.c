/* One pidfd a process, watched by the loop. */
#include "collect/exits.h"

#include <stdbool.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"
#include "model/peers.h"

struct watch {
	uv_poll_t poll;
	struct watch *next;
	struct exits *exits;
	int fd;
	int32_t pid;
	uint64_t start_ticks;
	bool wanted;
};

struct exits {
	uv_loop_t *loop;
	struct exits_callbacks callbacks;
	struct watch *watches;
	int count;
};

struct exits *exits_new(uv_loop_t *loop, const struct exits_callbacks *callbacks)
{
	struct exits *exits = mem_alloc(sizeof(*exits));
	exits->loop = loop;
	exits->callbacks = *callbacks;
	return exits;
}

static void on_closed(uv_handle_t *handle)
{
	struct watch *watch = handle->data;
	close(watch->fd);
	free(watch);
}

static void drop_unwanted(struct exits *exits)
{
	struct watch **link = &exits->watches;
	while (*link) {
		struct watch *watch = *link;
		if (watch->wanted) {
			link = &watch->next;
			continue;
		}
		*link = watch->next;
		exits->count--;
		uv_close((uv_handle_t *)&watch->poll, on_closed);
	}
}

/* A pidfd is readable once the process is a zombie. */
static void on_exit_seen(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	struct watch *ended = poll->data;
	struct exits *exits = ended->exits;
	for (struct watch *watch = exits->watches; watch; watch = watch->next)
		watch->wanted = watch != ended;
	drop_unwanted(exits);
	exits->callbacks.ended(exits->callbacks.data);
}

/* The pid may be another's by now: then that one's end causes a look too many. */
static void add(struct exits *exits, const struct process *process)
{
	int fd = (int)syscall(SYS_pidfd_open, process->pid, 0);
	if (fd < 0)
		return;
	struct watch *watch = mem_alloc(sizeof(*watch));
	watch->fd = fd;
	if (uv_poll_init(exits->loop, &watch->poll, fd) != 0) {
		close(fd);
		free(watch);
		return;
	}
	watch->poll.data = watch;
	watch->exits = exits;
	watch->pid = process->pid;
	watch->start_ticks = process->start_ticks;
	watch->wanted = true;
	watch->next = exits->watches;
	exits->watches = watch;
	exits->count++;
	uv_poll_start(&watch->poll, UV_READABLE, on_exit_seen);
}

static void want(struct exits *exits, const struct process *process)
{
	for (struct watch *watch = exits->watches; watch; watch = watch->next) {
		if (watch->pid == process->pid && watch->start_ticks == process->start_ticks) {
			watch->wanted = true;
			return;
		}
	}
	if (exits->count < EXITS_MOST)
		add(exits, process);
}

static void mark_owners(const struct peers *peers, uint32_t inode, bool *clients)
{
	size_t count;
	const struct socket_owner *owners = inode ? peers_owners(peers, inode, &count) : NULL;
	for (size_t i = 0; owners && i < count; i++)
		clients[owners[i].process] = true;
}

void exits_follow(struct exits *exits, const struct peers *peers)
{
	bool *clients = mem_alloc(peers->n_processes * sizeof(*clients));
	for (size_t i = 0; i < peers->n_tcp; i++)
		if (peers->tcp[i].remote.port == peers->target.port)
			mark_owners(peers, peers->tcp[i].inode, clients);
	for (size_t i = 0; i < peers->n_unix; i++)
		mark_owners(peers, peers->unix_sockets[i].peer, clients);
	for (struct watch *watch = exits->watches; watch; watch = watch->next)
		watch->wanted = false;
	for (size_t i = 0; i < peers->n_processes; i++)
		if (clients[i] && peers->processes[i].pid != getpid())
			want(exits, &peers->processes[i]);
	drop_unwanted(exits);
	free(clients);
}

void exits_free(struct exits *exits)
{
	if (!exits)
		return;
	for (struct watch *watch = exits->watches; watch; watch = watch->next)
		watch->wanted = false;
	drop_unwanted(exits);
	free(exits);
}
