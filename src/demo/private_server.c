/* Runs initdb and postgres; the guardian removes both. */
#include "demo/private_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <libpq-fe.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/instant.h"
#include "base/mem.h"
#include "base/safe_folder.h"
#include "demo/brief_session.h"
#include "demo/guardian.h"

#define START_TIMEOUT  (30 * USEC_PER_SEC)
#define MOST_ARGUMENTS 96

struct private_server {
	char *bin;    /* the folder of initdb and postgres */
	char *outer;  /* belongs to us: has the passfile and the folder below */
	char *folder; /* belongs to the server's user: data, log and socket */
	char *conninfo, *passfile;
	char password[PRIVATE_SERVER_PASSWORD_MAX];
	bool wide;
	char **arguments; /* the arguments of postgres */
	int n_arguments;
	int port;
	uid_t uid;
	gid_t gid;
	pid_t postmaster;
	struct cleaner guardian;
};

/* Chooses the user that PostgreSQL runs as: ourselves, unless we are root. */
static int choose_user(struct private_server *server, char *error)
{
	static const char *const names[] = { "postgres", "nobody" };
	server->uid = getuid();
	server->gid = getgid();
	if (server->uid != 0)
		return 0;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const struct passwd *user = getpwnam(names[i]);
		if (!user)
			continue;
		server->uid = user->pw_uid;
		server->gid = user->pw_gid;
		return 0;
	}
	snprintf(error, PRIVATE_SERVER_ERROR_MAX,
		"PostgreSQL does not run as root, and there is no user postgres or nobody");
	return -ENOENT;
}

static bool has_server(const char *folder)
{
	CLEANUP(cleanup_free) char *initdb = mem_printf("%s/initdb", folder);
	CLEANUP(cleanup_free) char *postgres = mem_printf("%s/postgres", folder);
	return access(initdb, X_OK) == 0 && access(postgres, X_OK) == 0;
}

/* Searches PATH first. Debian keeps each version's programs in a folder of its own. */
static char *find_bin(void)
{
	CLEANUP(cleanup_free) char *path = mem_strdup(getenv("PATH"));
	for (char *rest = path, *folder; rest && (folder = strsep(&rest, ":"));)
		if (*folder && has_server(folder))
			return mem_strdup(folder);
	static const char *const patterns[] = { "/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin",
		"/usr/local/pgsql*/bin" };
	char *found = NULL;
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]) && !found; i++) {
		glob_t matches;
		if (glob(patterns[i], 0, NULL, &matches) != 0)
			continue;
		/* sorted by name: begin with the last, which is usually the newest */
		for (size_t match = matches.gl_pathc; match-- > 0 && !found;)
			if (has_server(matches.gl_pathv[match]))
				found = mem_strdup(matches.gl_pathv[match]);
		globfree(&matches);
	}
	return found;
}

int private_server_free_port(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	CLEANUP(cleanup_fd) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) < 0 ||
		getsockname(fd, (struct sockaddr *)&address, &size) < 0)
		return -errno;
	return ntohs(address.sin_port);
}

static void become_user(const struct private_server *server)
{
	if (getuid() == 0 &&
		(setgroups(0, NULL) != 0 || setgid(server->gid) != 0 || setuid(server->uid) != 0))
		_exit(126);
}

/* Sets the standard descriptors up: stdin is a pipe with `input`; output goes to the log, which
 * initdb creates (`begins`). The folder belongs to the server's user, so the log is opened as that
 * user. So is the pipe, because initdb opens it again as /dev/stdin. */
static void redirect(const char *input, bool begins)
{
	int flags = O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC;
	int log = open("log", flags | (begins ? O_CREAT | O_EXCL : 0), 0600);
	int pipes[2];
	ssize_t length = (ssize_t)strlen(input);
	if (log < 0 || pipe2(pipes, O_CLOEXEC) != 0 || write(pipes[1], input, length) != length)
		_exit(126);
	dup2(pipes[0], STDIN_FILENO);
	dup2(log, STDOUT_FILENO);
	dup2(log, STDERR_FILENO);
}

/* Runs in the child and never returns. PostgreSQL's programs look for each other in the folder of
 * the path in argv[0], so that path is written to the place left for it in the arguments. */
__attribute__((noreturn)) static void run(const struct private_server *server, const char *program,
	char *arguments[], const char *input, pid_t parent)
{
	char path[4096];
	snprintf(path, sizeof(path), "%s/%s", server->bin, program);
	/* Ctrl+C in our terminal must not reach the server */
	setsid();
	become_user(server);
	umask(077);
	if (chdir(server->folder) != 0)
		_exit(126);
	redirect(input, strcmp(program, "initdb") == 0);
	/* needed besides the guardian, which cannot open a pidfd on every system; set after
	 * setuid(), which would clear it */
	prctl(PR_SET_PDEATHSIG, SIGQUIT);
	if (getppid() != parent)
		_exit(126);
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	arguments[0] = path;
	execv(path, arguments);
	_exit(127);
}

static bool is_reason(const char *line)
{
	return strstr(line, "FATAL:") || strstr(line, "error:");
}

/* Reads from the log why the program failed: the last line with a reason, which is not always the
 * last line. */
static void read_log(const struct private_server *server, const char *what, char *error)
{
	CLEANUP(cleanup_free) char *path = mem_printf("%s/log", server->folder);
	struct stat st;
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	bool plain = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	CLEANUP(cleanup_file) FILE *log = plain ? fdopen(fd, "r") : NULL;
	if (fd >= 0 && !log)
		close(fd);
	char line[300], last[300] = "no log";
	bool found = false;
	while (log && fgets(line, sizeof(line), log)) {
		bool reason = is_reason(line);
		if (line[0] != '\n' && (reason || !found))
			strcpy(last, line);
		found |= reason;
	}
	last[strcspn(last, "\n")] = '\0';
	snprintf(error, PRIVATE_SERVER_ERROR_MAX, "%s: %s", what, last);
}

static int init_database(struct private_server *server, char *error)
{
	char data[] = "data";
	char *arguments[] = { NULL, (char *)"-D", data, (char *)"-U", (char *)"postgres",
		(char *)"-A", (char *)"scram-sha-256", (char *)"--pwfile=/dev/stdin", (char *)"-E",
		(char *)"UTF8", (char *)"--locale=C", (char *)"--no-sync", NULL };
	int status;
	pid_t parent = getpid();
	pid_t child = fork();
	if (child == 0)
		run(server, "initdb", arguments, server->password, parent);
	if (child < 0)
		return -errno;
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (status == 0)
		return 0;
	read_log(server, "initdb failed", error);
	return -EIO;
}

static void add_argument(struct private_server *server, char *argument)
{
	if (server->n_arguments < MOST_ARGUMENTS)
		server->arguments[server->n_arguments++] = argument;
	else
		free(argument);
}

static void add_setting(struct private_server *server, const char *setting)
{
	add_argument(server, mem_strdup("-c"));
	add_argument(server, mem_strdup(setting));
}

static void build_arguments(
	struct private_server *server, const struct private_server_options *options)
{
	static const char *const settings[] = { "max_connections=25", "shared_buffers=16MB",
		"fsync=off", "full_page_writes=off", "synchronous_commit=off", "autovacuum=off",
		"max_wal_senders=4", "wal_level=replica", "logging_collector=off",
		"log_line_prefix=%m [%p] %q%u@%d ", "password_encryption=scram-sha-256" };
	server->arguments = mem_alloc((MOST_ARGUMENTS + 1) * sizeof(char *));
	add_argument(server, mem_strdup("postgres")); /* replaced by the program's path */
	add_argument(server, mem_strdup("-D"));
	add_argument(server, mem_strdup("data"));
	add_argument(server, mem_strdup("-k"));
	add_argument(server, mem_strdup(server->folder));
	add_argument(server, mem_strdup("-p"));
	add_argument(server, mem_printf("%d", server->port));
	add_setting(server,
		server->wide ? "unix_socket_permissions=0777" : "unix_socket_permissions=0700");
	add_setting(server, options->tcp ? "listen_addresses=127.0.0.1,::1" : "listen_addresses=");
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		add_setting(server, settings[i]);
	for (size_t i = 0; options->settings && options->settings[i]; i++)
		add_setting(server, options->settings[i]);
}

static int wait_until_up(struct private_server *server, char *error)
{
	int64_t deadline = instant_monotonic() + START_TIMEOUT;
	while (!brief_session_try(server->conninfo)) {
		int status;
		if (waitpid(server->postmaster, &status, WNOHANG) == server->postmaster) {
			server->postmaster = 0;
			read_log(server, "postgres ended", error);
			return -EIO;
		}
		if (instant_monotonic() > deadline) {
			read_log(server, "postgres did not start", error);
			return -ETIMEDOUT;
		}
		usleep(5000);
	}
	return 0;
}

static int launch(struct private_server *server, char *error)
{
	pid_t parent = getpid();
	pid_t child = fork();
	if (child < 0)
		return -errno;
	if (child == 0)
		run(server, "postgres", server->arguments, "", parent);
	server->postmaster = child;
	guardian_watch(&server->guardian, child);
	return wait_until_up(server, error);
}

static void make_password(struct private_server *server, const char *wanted)
{
	unsigned char bytes[(PRIVATE_SERVER_PASSWORD_MAX - 1) / 2];
	if (wanted) {
		snprintf(server->password, sizeof(server->password), "%s", wanted);
		return;
	}
	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		abort();
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(server->password + 2 * i, 3, "%02x", bytes[i]);
}

/* Writes libpq's password file. libpq requires that only its owner can read it. */
static int write_passfile(struct private_server *server)
{
	server->passfile = mem_printf("%s/passfile", server->outer);
	CLEANUP(cleanup_fd)
	int fd = open(server->passfile, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd >= 0 && dprintf(fd, "*:*:*:*:%s\n", server->password) > 0 ? 0 : -errno;
}

/* Creates the server's own folder, for data, log and socket. */
static int make_inner(struct private_server *server)
{
	server->folder = mem_printf("%s/server", server->outer);
	if (mkdir(server->folder, 0700) != 0)
		return -errno;
	CLEANUP(cleanup_fd)
	int fd = open(server->folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || (getuid() == 0 && fchown(fd, server->uid, server->gid) != 0) ||
		fchmod(fd, server->wide ? 0755 : 0700) != 0)
		return -errno;
	return 0;
}

/* Chooses the folder in which all is created. Not $TMPDIR if it is too long for the path of a
 * socket (at most 107 bytes), or, as root, if it may be another user's. */
static const char *choose_parent(void)
{
	CLEANUP(cleanup_fd) int fd = -1;
	const char *tmp = getenv("TMPDIR");
	bool good = tmp && *tmp == '/' && strlen(tmp) <= 60 &&
		safe_folder_open(tmp, SAFE_FOLDER_SHARED, &fd) == 0;
	return good ? tmp : "/tmp";
}

static int make_folders(struct private_server *server, char *error)
{
	server->outer = mem_printf("%s/dbtop-XXXXXX", choose_parent());
	if (!mkdtemp(server->outer)) {
		int r = -errno;
		snprintf(error, PRIVATE_SERVER_ERROR_MAX, "%s: %s", server->outer, strerror(-r));
		free(server->outer);
		server->outer = NULL;
		return r;
	}
	/* lets the server's user, and other users of the socket, pass through the folder */
	if ((getuid() == 0 || server->wide) && chmod(server->outer, 0711) != 0)
		return -errno;
	int r = write_passfile(server);
	return r < 0 ? r : make_inner(server);
}

static int set_up(
	struct private_server *server, const struct private_server_options *options, char *error)
{
	server->bin = find_bin();
	if (!server->bin) {
		snprintf(error, PRIVATE_SERVER_ERROR_MAX,
			"PostgreSQL's server is not installed (Debian: apt-get install "
			"postgresql)");
		return -ENOENT;
	}
	int r = choose_user(server, error);
	if (r == 0)
		r = make_folders(server, error);
	if (r == 0)
		r = guardian_start(server->outer, server->uid, server->gid, &server->guardian);
	if (r < 0)
		return r;
	server->port = private_server_free_port();
	if (server->port < 0)
		return server->port;
	server->conninfo = mem_printf("host=%s port=%d user=postgres dbname=postgres passfile=%s",
		server->folder, server->port, server->passfile);
	build_arguments(server, options);
	r = init_database(server, error);
	return r < 0 ? r : launch(server, error);
}

int private_server_start(const struct private_server_options *options,
	struct private_server **ret_server, char error[static PRIVATE_SERVER_ERROR_MAX])
{
	struct private_server *server = mem_alloc(sizeof(*server));
	server->guardian = (struct cleaner){ -1, -1 };
	server->wide = options->wide;
	make_password(server, options->password);
	error[0] = '\0';
	int r = set_up(server, options, error);
	if (r < 0) {
		if (!error[0])
			snprintf(error, PRIVATE_SERVER_ERROR_MAX, "%s", strerror(-r));
		private_server_stop(server);
		return r;
	}
	*ret_server = server;
	return 0;
}

/* Signals the postmaster and waits for its end. Until then its pid cannot be reused, because it is
 * our child. */
static int end_postmaster(struct private_server *server, int signal_number)
{
	if (server->postmaster <= 0)
		return -ESRCH;
	kill(server->postmaster, signal_number);
	int r;
	do
		r = waitpid(server->postmaster, NULL, 0) < 0 ? -errno : 0;
	while (r == -EINTR);
	server->postmaster = 0;
	return r;
}

/* Removes the folders when there is no guardian: nothing has run then, and the inner folder is
 * empty. */
static void remove_folders(const struct private_server *server)
{
	if (server->folder)
		rmdir(server->folder);
	if (server->passfile)
		unlink(server->passfile);
	if (server->outer)
		rmdir(server->outer);
}

void private_server_stop(struct private_server *server)
{
	if (!server)
		return;
	/* faster than the guardian, and only we can reap our child */
	(void)end_postmaster(server, SIGQUIT);
	if (server->guardian.orders >= 0)
		cleaner_finish(&server->guardian);
	else
		remove_folders(server);
	for (int i = 0; i < server->n_arguments; i++)
		free(server->arguments[i]);
	free(server->arguments);
	free(server->conninfo);
	explicit_bzero(server->password, sizeof(server->password));
	free(server->passfile);
	free(server->folder);
	free(server->outer);
	free(server->bin);
	free(server);
}

int private_server_restart(
	struct private_server *server, char error[static PRIVATE_SERVER_ERROR_MAX])
{
	int r = end_postmaster(server, SIGINT); /* a fast shutdown */
	return r < 0 ? r : launch(server, error);
}

void private_server_guard(struct private_server *server, pid_t pid)
{
	guardian_watch(&server->guardian, pid);
}

const char *private_server_conninfo(const struct private_server *server)
{
	return server->conninfo;
}

/* Copies the superuser's password verifier, which does not depend on the role's name. */
const char *private_server_admission(void)
{
	return "UPDATE pg_catalog.pg_authid SET rolpassword = (SELECT rolpassword"
	       " FROM pg_catalog.pg_authid WHERE rolname = 'postgres')"
	       " WHERE rolcanlogin AND rolpassword IS NULL";
}

const char *private_server_password(const struct private_server *server)
{
	return server->password;
}

const char *private_server_passfile(const struct private_server *server)
{
	return server->passfile;
}

const char *private_server_folder(const struct private_server *server)
{
	return server->folder;
}

int private_server_port(const struct private_server *server)
{
	return server->port;
}

pid_t private_server_pid(const struct private_server *server)
{
	return server->postmaster;
}
