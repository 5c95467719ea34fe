#include "scraper.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "live_group.h"

#define WAIT_MS 60000

int scraper_dial(int port)
{
	const struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		fail_msg("port %d does not answer", port);
	return fd;
}

char *scraper_read(int fd)
{
	char *text = NULL;
	size_t length = 0, room = 0;
	for (;;) {
		struct pollfd wait = { .fd = fd, .events = POLLIN };
		if (poll(&wait, 1, WAIT_MS) <= 0)
			fail_msg("no answer, but: %.200s", text ? text : "");
		if (room < length + 4096)
			text = mem_resize(text, room += 65536, 1);
		ssize_t got = read(fd, text + length, 4095);
		if (got <= 0)
			break;
		length += (size_t)got;
	}
	text[length] = '\0';
	close(fd);
	return text;
}

char *scraper_ask(int port, const char *method, const char *path, const char *headers)
{
	CLEANUP(cleanup_free)
	char *request = mem_printf("%s %s HTTP/1.1\r\nHost: x\r\n%s\r\n", method, path, headers);
	int fd = scraper_dial(port);
	ssize_t sent = send(fd, request, strlen(request), MSG_NOSIGNAL);
	assert_int_equal(sent, strlen(request));
	return scraper_read(fd);
}

int scraper_port(struct live_program *dbtop)
{
	int port = 0;
	live_wait_err(dbtop, "/metrics\n", WAIT_MS);
	const char *at = strstr(live_err(dbtop), "http://127.0.0.1:");
	assert_non_null(at);
	assert_int_equal(sscanf(at, "http://127.0.0.1:%d/", &port), 1);
	return port;
}

void scraper_check(const char *answer)
{
	const char *body = strstr(answer, "\r\n\r\n");
	const char *const argv[] = { "promtool", "check", "metrics", NULL };
	const struct live_program_options options = { .argv = argv, .input = body + 4 };
	struct live_run run = live_run(&options, WAIT_MS);
	if (run.status != 0)
		fail_msg("promtool: %s%s", run.out, run.err);
	live_run_clear(&run);
}
