/* A stand-in for Patroni: supervisor
 *
 * It starts a server, becomes the server's user, holds a session, and stops the server when it gets
 * SIGTERM. It prints "uid N", "folder PATH", "port N", "server PID" and then "ready".
 * $LIVE_PASSWORD: the password of the server's role postgres. */
#include <grp.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "demo/private_server.h"

static pid_t postmaster;

static void stop_the_server(int signal_number)
{
	(void)signal_number;
	kill(postmaster, SIGINT);
	while (waitpid(postmaster, NULL, 0) < 0)
		;
	_exit(0);
}

static void become_its_user(const struct private_server *server)
{
	struct stat stat_of_data;
	char path[256];
	snprintf(path, sizeof(path), "%s/log", private_server_folder(server));
	if (stat(path, &stat_of_data) != 0)
		exit(1);
	printf("uid %u\n", (unsigned)stat_of_data.st_uid);
	if (getuid() == 0 &&
		(setgroups(0, NULL) != 0 || setgid(stat_of_data.st_gid) != 0 ||
			setuid(stat_of_data.st_uid) != 0))
		exit(1);
}

int main(void)
{
	char error[PRIVATE_SERVER_ERROR_MAX];
	struct private_server *server;
	const struct private_server_options options = {
		.tcp = true,
		.password = getenv("LIVE_PASSWORD"),
	};
	if (private_server_start(&options, &server, error) < 0) {
		fprintf(stderr, "supervisor: %s\n", error);
		return 1;
	}
	PGconn *heartbeat = PQconnectdb(private_server_conninfo(server));
	if (PQstatus(heartbeat) != CONNECTION_OK) {
		fprintf(stderr, "supervisor: %s", PQerrorMessage(heartbeat));
		return 1;
	}
	postmaster = private_server_pid(server);
	become_its_user(server);
	signal(SIGTERM, stop_the_server);
	printf("folder %s\nport %d\nserver %d\nready\n", private_server_folder(server),
		private_server_port(server), (int)postmaster);
	fflush(stdout);
	for (;;)
		pause();
}
