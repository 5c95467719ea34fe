/* Programs, with their output in memory: nothing they write can block them. */
#include "live.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/instant.h"
#include "base/mem.h"
#include "demo/demo.h"

struct capture {
	int fd;
	char *text;
};

struct live_program {
	pid_t pid;
	char *name;
	bool group, ended, kept;
	int status;
	struct capture out, err;
	int terminal; /* the master's end; −1 without */
	char *shown;  /* what was read from it */
	struct live_program *next;
};

/* Those that are not freed yet. */
static struct live_program *programs;

static void set_variable(const char *setting)
{
	CLEANUP(cleanup_free) char *name = mem_strdup(setting);
	char *value = strchr(name, '=');
	if (!value) {
		unsetenv(name);
		return;
	}
	*value = '\0';
	setenv(name, value + 1, 1);
}

/* Where a program's files are. */
struct home {
	const char *folder;
	char *passfile;
	char *valgrind_logs; /* NULL without valgrind: tools/under_valgrind */
};

static struct home choose_home(bool unprivileged)
{
	const char *logs = getenv("VALGRIND_LOGS");
	return (struct home){
		.folder = unprivileged ? live_nobodys_folder() : live_folder(),
		.passfile = live_passfile(unprivileged),
		.valgrind_logs = logs
			? mem_printf("%s%s", logs, unprivileged && getuid() == 0 ? "/nobody" : "")
			: NULL,
	};
}

static void set_environment(const struct live_program_options *options, const struct home *home)
{
	CLEANUP(cleanup_free) char *config = mem_printf("%s/config", home->folder);
	CLEANUP(cleanup_free) char *state = mem_printf("%s/state", home->folder);
	demo_drop_libpq_variables();
	setenv("PGPASSFILE", home->passfile, 1);
	if (home->valgrind_logs)
		setenv("VALGRIND_LOGS", home->valgrind_logs, 1);
	setenv("HOME", home->folder, 1);
	setenv("XDG_CONFIG_HOME", config, 1);
	setenv("XDG_STATE_HOME", state, 1);
	for (size_t i = 0; options->env && options->env[i]; i++)
		set_variable(options->env[i]);
}

static void become_nobody(void)
{
	const struct passwd *nobody = getpwnam("nobody");
	if (!nobody || setgroups(0, NULL) != 0 || setgid(nobody->pw_gid) != 0 ||
		setuid(nobody->pw_uid) != 0)
		_exit(126);
}

/* A child begins without handlers, and without what the test ignores or blocks. */
static void reset_signals(void)
{
	sigset_t none;
	sigemptyset(&none);
	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* A copy of a program where anybody may run it: nobody's way to a build folder may be barred. */
static char *public_copy(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *copy = mem_printf("%s/%s", live_folder(), slash + 1);
	if (access(copy, X_OK) == 0)
		return copy;
	CLEANUP(cleanup_free)
	char *command = mem_printf("cp '%s' '%s.new' && chmod 755 '%s.new' &&"
				   " mv '%s.new' '%s'",
		path, copy, copy, copy, copy);
	if (system(command) != 0)
		fail_msg("cannot copy %s", path);
	return copy;
}

/* A test that is run by hand has a terminal, where a program would ask for a password. */
static void leave_terminal(void)
{
	CLEANUP(cleanup_fd) int fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		(void)ioctl(fd, TIOCNOTTY);
}

/* In the child: never returns. */
__attribute__((noreturn)) static void become(const struct live_program_options *options,
	const char *file, const struct home *home, int in, int out, int err, pid_t parent)
{
	leave_terminal();
	if (options->own_session)
		setsid();
	else if (options->own_group)
		setpgid(0, 0);
	if (options->terminal) {
		setsid();
		ioctl(in, TIOCSCTTY, 0);
	}
	if (options->unprivileged && getuid() == 0)
		become_nobody();
	/* after setuid(), which clears it */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(126);
	set_environment(options, home);
	reset_signals();
	if (options->folder && chdir(options->folder) != 0)
		_exit(126);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	close_range(3, ~0U, 0);
	execvp(file, (char *const *)options->argv);
	dprintf(STDERR_FILENO, "%s: %s\n", file, strerror(errno));
	_exit(127);
}

/* Above the standard descriptors, so that none of them is in the others' way. */
static int memory(const char *text)
{
	CLEANUP(cleanup_fd) int fd = memfd_create("live", MFD_CLOEXEC);
	int high = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (high < 0 || (text && write(high, text, strlen(text)) != (ssize_t)strlen(text)) ||
		lseek(high, 0, SEEK_SET) != 0)
		fail_msg("memfd: %s", strerror(errno));
	return high;
}

/* The program's end of a new terminal; the other one is the master. */
static int open_terminal(struct live_program *program)
{
	char name[64];
	program->terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	int slave = -1;
	if (program->terminal >= 0 && grantpt(program->terminal) == 0 &&
		unlockpt(program->terminal) == 0 &&
		ptsname_r(program->terminal, name, sizeof(name)) == 0)
		slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		fail_msg("no terminal: %s", strerror(errno));
	return slave;
}

static int open_input(struct live_program *program, const struct live_program_options *options)
{
	if (options->terminal)
		return open_terminal(program);
	return options->input ? memory(options->input) : open("/dev/null", O_RDWR | O_CLOEXEC);
}

struct live_program *live_start(const struct live_program_options *options)
{
	struct live_program *program = mem_alloc(sizeof(*program));
	const struct home home = choose_home(options->unprivileged);
	program->terminal = -1;
	CLEANUP(cleanup_fd) int in = open_input(program, options);
	program->out.fd = memory(NULL);
	program->err.fd = memory(NULL);
	program->name = mem_strdup(options->argv[0]);
	program->group = options->own_group || options->own_session || options->terminal;
	CLEANUP(cleanup_free) char *built = live_built(options->argv[0]);
	CLEANUP(cleanup_free)
	char *file = options->unprivileged && getuid() == 0 && *built == '/' ? public_copy(built)
									     : mem_strdup(built);
	pid_t parent = getpid();
	/* nothing half written may be written twice */
	fflush(NULL);
	program->pid = fork();
	if (program->pid == 0)
		become(options, file, &home, in, options->out ? options->out : program->out.fd,
			program->err.fd, parent);
	if (program->pid < 0)
		fail_msg("fork: %s", strerror(errno));
	free(home.passfile);
	free(home.valgrind_logs);
	/* here, too: parent and child both do it, so that the group exists when this returns */
	if (options->own_group)
		(void)setpgid(program->pid, program->pid);
	program->next = programs;
	programs = program;
	return program;
}

pid_t live_pid(const struct live_program *program)
{
	return program->pid;
}

static const char *read_capture(struct capture *capture)
{
	struct stat stat;
	if (fstat(capture->fd, &stat) != 0)
		fail_msg("memfd: %s", strerror(errno));
	free(capture->text);
	capture->text = mem_alloc((size_t)stat.st_size + 1);
	ssize_t n = pread(capture->fd, capture->text, (size_t)stat.st_size, 0);
	capture->text[n > 0 ? n : 0] = '\0';
	return capture->text;
}

const char *live_out(struct live_program *program)
{
	return read_capture(&program->out);
}

const char *live_err(struct live_program *program)
{
	return read_capture(&program->err);
}

bool live_running(struct live_program *program)
{
	int status;
	if (!program->ended && waitpid(program->pid, &status, WNOHANG) == program->pid) {
		program->ended = true;
		program->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	}
	return !program->ended;
}

void live_type(struct live_program *program, const char *text)
{
	assert_true(program->terminal >= 0);
	if (write(program->terminal, text, strlen(text)) != (ssize_t)strlen(text))
		fail_msg("terminal: %s", strerror(errno));
}

bool live_echoes(const struct live_program *program)
{
	struct termios modes;
	assert_int_equal(tcgetattr(program->terminal, &modes), 0);
	return modes.c_lflag & ECHO;
}

/* What comes out of the terminal is lost once it is read: kept beside. */
static const char *read_terminal(struct live_program *program)
{
	char bytes[256];
	struct pollfd pollfd = { .fd = program->terminal, .events = POLLIN };
	while (poll(&pollfd, 1, 0) == 1) {
		ssize_t n = read(program->terminal, bytes, sizeof(bytes));
		if (n <= 0)
			break;
		char *longer =
			mem_printf("%s%.*s", program->shown ? program->shown : "", (int)n, bytes);
		free(program->shown);
		program->shown = longer;
	}
	return program->shown ? program->shown : "";
}

struct text_awaited {
	struct live_program *program;
	const char *(*read)(struct live_program *program);
	const char *text;
	bool found;
};

static bool has_written(void *data)
{
	struct text_awaited *awaited = data;
	/* its end is asked for first: what it wrote before is there then */
	bool running = live_running(awaited->program);
	awaited->found = strstr(awaited->read(awaited->program), awaited->text) != NULL;
	return awaited->found || !running;
}

static void wait_for_text(struct text_awaited awaited, int ms)
{
	(void)live_wait(has_written, &awaited, ms);
	if (!awaited.found)
		fail_msg("%s does not say \"%s\", but \"%s\", \"%s\"", awaited.program->name,
			awaited.text, live_out(awaited.program), live_err(awaited.program));
}

void live_wait_out(struct live_program *program, const char *text, int ms)
{
	wait_for_text((struct text_awaited){ program, live_out, text, false }, ms);
}

void live_wait_err(struct live_program *program, const char *text, int ms)
{
	wait_for_text((struct text_awaited){ program, live_err, text, false }, ms);
}

void live_wait_prompt(struct live_program *program, const char *text, int ms)
{
	wait_for_text((struct text_awaited){ program, read_terminal, text, false }, ms);
}

void live_signal(struct live_program *program, int signal_number)
{
	if (live_running(program))
		(void)kill(program->group ? -program->pid : program->pid, signal_number);
}

static bool has_ended(void *data)
{
	return !live_running(data);
}

int live_finish(struct live_program *program, int ms)
{
	if (!live_wait(has_ended, program, ms))
		fail_msg("%s does not end: \"%s\", \"%s\"", program->name, live_out(program),
			live_err(program));
	return program->status;
}

static void unlist(const struct live_program *program)
{
	for (struct live_program **at = &programs; *at; at = &(*at)->next) {
		if (*at == program) {
			*at = program->next;
			return;
		}
	}
}

void live_free(struct live_program *program)
{
	if (!program)
		return;
	if (live_running(program)) {
		(void)kill(program->group ? -program->pid : program->pid, SIGKILL);
		(void)kill(program->pid, SIGKILL);
		while (waitpid(program->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	unlist(program);
	if (program->terminal >= 0)
		close(program->terminal);
	close(program->out.fd);
	close(program->err.fd);
	free(program->out.text);
	free(program->err.text);
	free(program->shown);
	free(program->name);
	free(program);
}

void live_keep(bool kept)
{
	for (struct live_program *program = programs; program; program = program->next)
		program->kept = kept;
}

/* The youngest come first in the list: what is kept is at its end. */
int live_teardown(void **state)
{
	(void)state;
	while (programs && !programs->kept)
		live_free(programs);
	return 0;
}

struct live_run live_run(const struct live_program_options *options, int ms)
{
	struct live_program *program = live_start(options);
	struct live_run run = { .status = live_finish(program, ms) };
	run.out = mem_strdup(live_out(program));
	run.err = mem_strdup(live_err(program));
	live_free(program);
	return run;
}

void live_run_clear(struct live_run *run)
{
	free(run->out);
	free(run->err);
	*run = (struct live_run){ 0 };
}

void live_shell(const char *script)
{
	const struct live_program_options options = {
		.argv = (const char *const[]){ "sh", "-ec", script, NULL },
	};
	struct live_run run = live_run(&options, 30000);
	if (run.status != 0)
		fail_msg("%s: %s", script, run.err);
	live_run_clear(&run);
}
