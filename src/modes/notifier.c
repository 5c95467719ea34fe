/* A datagram for each state: systemd documents the protocol as stable. */
#include "modes/notifier.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/instant.h"
#include "base/mem.h"
#include "loop/handle.h"

struct notifier {
	int socket; /* −1: no notifications are wanted */
	struct sockaddr_un address;
	socklen_t length;
	uv_timer_t *watchdog;
};

/* A path, or "@name" in the abstract namespace. */
static void open_socket(struct notifier *notifier, const char *path)
{
	size_t length = path ? strlen(path) : 0;
	if (length < 2 || (path[0] != '/' && path[0] != '@') ||
		length >= sizeof(notifier->address.sun_path))
		return;
	notifier->address.sun_family = AF_UNIX;
	memcpy(notifier->address.sun_path, path, length);
	if (path[0] == '@')
		notifier->address.sun_path[0] = '\0';
	notifier->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
	notifier->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

static void send_text(const struct notifier *notifier, const char *text)
{
	if (notifier->socket >= 0)
		(void)sendto(notifier->socket, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT,
			(const struct sockaddr *)&notifier->address, notifier->length);
}

static void on_watchdog(uv_timer_t *timer)
{
	send_text(timer->data, "WATCHDOG=1");
}

/* A number in the environment; 0: none. */
static uint64_t read_number(const char *name)
{
	const char *text = getenv(name);
	char *end = NULL;
	errno = 0;
	uint64_t number = text ? strtoull(text, &end, 10) : 0;
	return errno || !end || end == text || *end ? 0 : number;
}

struct notifier *notifier_new(uv_loop_t *loop)
{
	struct notifier *notifier = mem_alloc(sizeof(*notifier));
	notifier->socket = -1;
	open_socket(notifier, getenv("NOTIFY_SOCKET"));
	notifier->watchdog = handle_new_timer(loop, notifier);
	uint64_t pid = read_number("WATCHDOG_PID"), usec = read_number("WATCHDOG_USEC");
	uint64_t ms = usec / (uint64_t)USEC_PER_MSEC / 3;
	if (notifier->socket >= 0 && ms > 0 && (pid == 0 || pid == (uint64_t)getpid()))
		uv_timer_start(notifier->watchdog, on_watchdog, 0, ms);
	/* the programs that we start are not the service */
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	return notifier;
}

void notifier_free(struct notifier *notifier)
{
	if (!notifier)
		return;
	handle_close(notifier->watchdog);
	if (notifier->socket >= 0)
		close(notifier->socket);
	free(notifier);
}

void notifier_ready(struct notifier *notifier)
{
	send_text(notifier, "READY=1");
}

void notifier_reloading(struct notifier *notifier)
{
	char text[80];
	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRId64, instant_monotonic());
	send_text(notifier, text);
}

void notifier_stopping(struct notifier *notifier)
{
	send_text(notifier, "STOPPING=1");
}

void notifier_status(struct notifier *notifier, const char *text)
{
	char line[600];
	snprintf(line, sizeof(line), "STATUS=%s", text);
	send_text(notifier, line);
}
