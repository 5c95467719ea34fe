/* One process a liar, and one a connection: nothing of it can take the test down. */
#include "liar.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"

/* A reader of the server's messages: type (1 byte), length (4 bytes, with itself), body. */
struct parser {
	uint8_t head[9]; /* type, length, and the first word of the body */
	size_t n_head, at;
};

struct liar {
	const char *server_socket;
	enum liar_fault fault;
	size_t after;
	uint64_t random;
	size_t told; /* bytes of the server's that went through */
	struct parser parser;
	struct liar_marks *marks; /* shared with the processes */
	int port, listener;
	pid_t pid;
};

static uint8_t random_byte(struct liar *liar)
{
	liar->random ^= liar->random << 13;
	liar->random ^= liar->random >> 7;
	liar->random ^= liar->random << 17;
	return (uint8_t)(liar->random >> 24);
}

static int call_server(const struct liar *liar)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", liar->server_socket);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		_exit(1);
	return fd;
}

static bool say(int fd, const uint8_t *bytes, size_t size)
{
	while (size) {
		ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);
		if (sent <= 0)
			return false;
		bytes += sent;
		size -= (size_t)sent;
	}
	return true;
}

static uint32_t read_word(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
		bytes[3];
}

/* `end` bytes were sent when the message was over. */
static void note_message(struct liar *liar, size_t end)
{
	const struct parser *parser = &liar->parser;
	if (parser->head[0] == 'R' && parser->n_head == 9 && read_word(parser->head + 5) == 0)
		liar->marks->let_in = end;
	else if (parser->head[0] == 'Z' && !liar->marks->ready)
		liar->marks->ready = end;
}

static void note(struct liar *liar, const uint8_t *bytes, size_t size)
{
	struct parser *parser = &liar->parser;
	for (size_t i = 0; i < size; i++) {
		if (parser->n_head < sizeof(parser->head))
			parser->head[parser->n_head++] = bytes[i];
		parser->at++;
		if (parser->at < 5 || parser->at < 1 + (size_t)read_word(parser->head + 1))
			continue;
		note_message(liar, liar->told + i + 1);
		*parser = (struct parser){ 0 };
	}
}

/* What is left of the server's words when the fault has had its way; false to hang up. */
static bool distort(struct liar *liar, uint8_t *bytes, size_t *size)
{
	size_t allowed = liar->after > liar->told ? liar->after - liar->told : 0;
	bool reached = *size > allowed;
	note(liar, bytes, *size);
	if (liar->fault == LIAR_FLIP)
		for (size_t i = 0; i < *size; i++)
			if ((liar->told + i) % liar->after == liar->after - 1)
				bytes[i] = random_byte(liar);
	liar->told += *size;
	if ((liar->fault == LIAR_CUT || liar->fault == LIAR_HANG) && reached)
		*size = allowed;
	return liar->fault != LIAR_CUT || !reached;
}

static void forward(struct liar *liar, int client)
{
	int server = call_server(liar);
	struct pollfd fds[] = { { client, POLLIN, 0 }, { server, POLLIN, 0 } };
	uint8_t bytes[16384];
	for (;;) {
		if (poll(fds, 2, -1) < 0)
			return;
		for (int i = 0; i < 2; i++) {
			if (!fds[i].revents)
				continue;
			ssize_t size = read(fds[i].fd, bytes, sizeof(bytes));
			if (size <= 0)
				return;
			size_t rest = (size_t)size;
			bool goes_on = i == 0 || distort(liar, bytes, &rest);
			if (!say(fds[1 - i].fd, bytes, rest) || !goes_on)
				return;
		}
	}
}

/* An authentication request: its kind, and what comes with it. */
static bool say_request(int client, uint8_t kind, const void *data, size_t size)
{
	uint8_t message[512] = { 'R', 0, 0, (uint8_t)((8 + size) >> 8), (uint8_t)(8 + size), 0, 0,
		0, kind };
	if (9 + size > sizeof(message))
		return false;
	memcpy(message + 9, data, size);
	return say(client, message, 9 + size);
}

/* SCRAM's challenge repeats the client's nonce, adds to it, and names the salt and how often the
 * password is to be hashed. */
static void ask_endlessly(int client)
{
	static const char mechanisms[] = "SCRAM-SHA-256\0";
	char bytes[512], challenge[400];
	if (read(client, bytes, sizeof(bytes)) <= 0 ||
		!say_request(client, 10, mechanisms, sizeof(mechanisms)))
		return;
	ssize_t size = read(client, bytes, sizeof(bytes) - 1);
	if (size <= 0)
		return;
	const char *nonce = memmem(bytes, (size_t)size, ",r=", 3);
	if (!nonce)
		return;
	int nonce_size = (int)(bytes + size - nonce) - 1;
	int n = snprintf(challenge, sizeof(challenge),
		"%.*smore,s=c2FsdCBhbmQgcGVwcGVy,i=2000000000", nonce_size, nonce + 1);
	if (n < (int)sizeof(challenge) && say_request(client, 11, challenge, (size_t)n))
		while (read(client, bytes, sizeof(bytes)) > 0)
			continue;
}

static void serve(struct liar *liar, int client)
{
	uint8_t bytes[4096];
	switch (liar->fault) {
	case LIAR_ENDLESS: ask_endlessly(client); return;
	case LIAR_RUBBISH:
		while (read(client, bytes, sizeof(bytes)) > 0) {
			for (size_t i = 0; i < liar->after; i++)
				bytes[i % sizeof(bytes)] = random_byte(liar);
			if (!say(client, bytes, liar->after))
				return;
		}
		return;
	case LIAR_MUTE:
		while (read(client, bytes, sizeof(bytes)) > 0)
			continue;
		return;
	default: forward(liar, client);
	}
}

/* The test waits for the end of its pipes, and may do so while a liar lives. */
static void drop_inherited(struct liar *liar)
{
	if (dup2(liar->listener, STDIN_FILENO) < 0)
		_exit(1);
	liar->listener = STDIN_FILENO;
	close_range(STDERR_FILENO + 1, ~0U, 0);
}

__attribute__((noreturn)) static void accept_all(struct liar *liar)
{
	drop_inherited(liar);
	signal(SIGCHLD, SIG_IGN);
	for (;; liar->random += 2) {
		int client = accept(liar->listener, NULL, NULL);
		if (client < 0 && errno != EINTR)
			_exit(1);
		if (client >= 0 && fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			*liar->marks = (struct liar_marks){ 0 };
			serve(liar, client);
			_exit(0);
		}
		close(client);
	}
}

static int listen_somewhere(int *ret_port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, 16) < 0 ||
		getsockname(fd, (struct sockaddr *)&address, &size) < 0) {
		perror("liar");
		abort();
	}
	*ret_port = ntohs(address.sin_port);
	return fd;
}

struct liar *liar_start(
	const char *server_socket, enum liar_fault fault, size_t after, uint64_t seed)
{
	struct liar *liar = mem_alloc(sizeof(*liar));
	*liar = (struct liar){ .server_socket = server_socket,
		.fault = fault,
		.after = after ? after : 1,
		.random = seed * 2 + 1 };
	liar->marks = mmap(NULL, sizeof(*liar->marks), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (liar->marks == MAP_FAILED) {
		perror("liar");
		abort();
	}
	liar->listener = listen_somewhere(&liar->port);
	liar->pid = fork();
	if (liar->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* nothing of the test's stays open because a liar is left: its server is waited for
		 * until nobody can give it orders */
		close_range(3, (unsigned)liar->listener - 1, 0);
		close_range((unsigned)liar->listener + 1, ~0U, 0);
		accept_all(liar);
	}
	close(liar->listener);
	return liar;
}

int liar_port(const struct liar *liar)
{
	return liar->port;
}

struct liar_marks liar_marks(const struct liar *liar)
{
	return *liar->marks;
}

void liar_stop(struct liar *liar)
{
	if (!liar)
		return;
	kill(liar->pid, SIGKILL);
	(void)waitpid(liar->pid, NULL, 0);
	munmap(liar->marks, sizeof(*liar->marks));
	free(liar);
}
