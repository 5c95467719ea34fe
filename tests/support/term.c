/* The program's side of the terminal: the pty, the process, and waiting for it. */
#include "term.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utmp.h>

#include "base/cleanup.h"
#include "base/instant.h"
#include "base/mem.h"
#include "term_internal.h"

/* What a terminal holds for its reader: the kernel's N_TTY_BUF_SIZE - 1. */
#define MOST_UNREAD 4095

#define SETTLED_LOOKS 3 /* asleep in so many looks, with nothing to read in between */

/* Those that are not ended yet. */
static struct term *terms;

__attribute__((noreturn)) static void fail(const char *what)
{
	fprintf(stderr, "term: %s: %s\n", what, strerror(errno));
	abort();
}

/* What the tester's shell has set must not change what the tests see. PGPASSFILE is live.h's. */
static void scrub_environment(void)
{
	static const char *const prefixes[] = { "PG", "XDG_", "DBTOP_" };
	static const char *const names[] = { "NO_COLOR", "COLORTERM", "LINES", "COLUMNS", "LANG",
		"LC_CTYPE", "LC_MESSAGES", "LC_NUMERIC", "LANGUAGE", "TERMINFO", "TERMCAP",
		"ESCDELAY", "NCURSES_NO_UTF8_ACS" };
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unsetenv(names[i]);
	for (size_t at = 0; environ && environ[at];) {
		bool scrubbed = false;
		for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
			if (strncmp(environ[at], prefixes[i], strlen(prefixes[i])) == 0)
				scrubbed = strncmp(environ[at], "PGPASSFILE=", 11) != 0;
		if (!scrubbed) {
			at++;
			continue;
		}
		CLEANUP(cleanup_free)
		char *name = strndup(environ[at], strcspn(environ[at], "="));
		unsetenv(name);
	}
}

static void set_environment(const struct term_options *options, const char *home)
{
	scrub_environment();
	setenv("HOME", home, 1);
	setenv("TERM", options->type ? options->type : "xterm-256color", 1);
	setenv("LC_ALL", options->locale ? options->locale : "C.UTF-8", 1);
	setenv("TZ", "UTC", 1);
	for (size_t i = 0; options->environment && options->environment[i]; i++) {
		const char *variable = options->environment[i];
		/* the child's memory is its own, and so are the strings putenv() keeps */
		if (strchr(variable, '='))
			putenv(mem_strdup(variable));
		else
			unsetenv(variable);
	}
}

/* dbtop's settings in that home: it sees no stats pages of other tests, and of the machine. */
static void write_settings(const char *home)
{
	static const char *const folders[] = { "pages", ".config", ".config/dbtop" };
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		CLEANUP(cleanup_free) char *folder = mem_printf("%s/%s", home, folders[i]);
		if (mkdir(folder, 0700) != 0)
			fail(folder);
	}
	CLEANUP(cleanup_free) char *path = mem_printf("%s/.config/dbtop/config.yaml", home);
	CLEANUP(cleanup_file) FILE *file = fopen(path, "we");
	if (!file || fprintf(file, "pages: %s/pages\n", home) < 0)
		fail(path);
}

__attribute__((noreturn)) static void run(
	const struct term *term, const struct term_options *options, const char *const *argv)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(term->master);
	if (login_tty(term->slave) != 0)
		_exit(126);
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	set_environment(options, term->home);
	execv(argv[0], (char *const *)argv);
	fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

struct term *term_start(const struct term_options *options, const char *const *argv)
{
	struct term *term = mem_alloc(sizeof(*term));
	const struct winsize size = {
		.ws_row = (unsigned short)options->height,
		.ws_col = (unsigned short)options->width,
	};
	term->width = options->width;
	term->height = options->height;
	term->home = mem_strdup("/tmp/dbtop-term-XXXXXX");
	if (!mkdtemp(term->home))
		fail(term->home);
	write_settings(term->home);
	if (openpty(&term->master, &term->slave, NULL, NULL, &size) != 0)
		fail("openpty");
	fcntl(term->master, F_SETFD, FD_CLOEXEC);
	fcntl(term->slave, F_SETFD, FD_CLOEXEC);
	fcntl(term->master, F_SETFL, O_NONBLOCK);
	term_open_screen(term);
	fflush(NULL);
	term->pid = fork();
	if (term->pid < 0)
		fail("fork");
	if (term->pid == 0)
		run(term, options, argv);
	term->next = terms;
	terms = term;
	return term;
}

static int remove_entry(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
	(void)stat, (void)type, (void)ftw;
	return remove(path);
}

static void unlist(const struct term *term)
{
	struct term **at = &terms;
	while (*at != term)
		at = &(*at)->next;
	*at = term->next;
}

void term_end(struct term *term)
{
	if (!term)
		return;
	unlist(term);
	if (term->pid > 0) {
		kill(term->pid, SIGKILL);
		kill(term->pid, SIGCONT);
		while (waitpid(term->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	term_hang_up(term);
	vterm_free(term->vterm);
	nftw(term->home, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	free(term->home);
	free(term->title);
	free(term);
}

int term_teardown(void **state)
{
	(void)state;
	while (terms)
		term_end(terms);
	return 0;
}

pid_t term_pid(const struct term *term)
{
	return term->pid;
}

const char *term_home(const struct term *term)
{
	return term->home;
}

void term_hang_up(struct term *term)
{
	if (term->master < 0)
		return;
	close(term->slave);
	close(term->master);
	term->master = term->slave = -1;
}

/* How often it went to sleep. */
static long count_sleeps(const struct term *term)
{
	CLEANUP(cleanup_free) char *path = mem_printf("/proc/%d/status", term->pid);
	CLEANUP(cleanup_file) FILE *file = fopen(path, "re");
	char line[256];
	long count = 0;
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "voluntary_ctxt_switches: %ld", &count) == 1)
			break;
	return count;
}

void term_stirred(struct term *term)
{
	term->sleeps = count_sleeps(term);
}

void term_resize(struct term *term, int width, int height)
{
	const struct winsize size = {
		.ws_row = (unsigned short)height,
		.ws_col = (unsigned short)width,
	};
	/* the kernel sends no signal for an unchanged size: the wait for it would never end */
	if (width == term->width && height == term->height)
		return;
	/* what it wrote for the old size is shown at the old size */
	term_read(term, 0);
	for (int i = 0; i < 200 && !term_is_whole(term); i++)
		term_read(term, 5);
	term->width = width;
	term->height = height;
	term_fit_screen(term);
	term_stirred(term);
	if (ioctl(term->master, TIOCSWINSZ, &size) != 0)
		fail("TIOCSWINSZ");
}

/* Returns whether something came. */
static bool read_some(struct term *term)
{
	char bytes[65536];
	ssize_t got = term->master < 0 ? -1 : read(term->master, bytes, sizeof(bytes));
	if (got <= 0)
		return false;
	term->written += (size_t)got;
	term_show(term, bytes, (size_t)got);
	return true;
}

void term_read(struct term *term, int ms)
{
	/* a descriptor of −1 is passed over */
	struct pollfd pollfd = { .fd = term->master, .events = POLLIN };
	(void)poll(&pollfd, 1, ms);
	while (read_some(term))
		;
}

void term_write(struct term *term, const char *bytes, size_t size)
{
	int64_t deadline = instant_monotonic() + TERM_TIMEOUT_MS * USEC_PER_MSEC;
	term_stirred(term);
	while (size && term->master >= 0) {
		ssize_t written = write(term->master, bytes, size);
		if (written > 0) {
			bytes += written;
			size -= (size_t)written;
		} else if (errno == EAGAIN && instant_monotonic() < deadline) {
			/* it may wait for us to read before it reads */
			term_read(term, 1);
		} else {
			fail("input is not taken");
		}
	}
}

bool term_wait(struct term *term, term_predicate *predicate, void *data, const char *what)
{
	int64_t deadline = instant_monotonic() + TERM_TIMEOUT_MS * USEC_PER_MSEC;
	term_read(term, 0);
	while (!predicate(term, data)) {
		if (instant_monotonic() > deadline) {
			CLEANUP(cleanup_free) char *heading = mem_printf("waited for: %s", what);
			term_print(term, heading);
			return false;
		}
		term_read(term, 5);
	}
	return true;
}

static bool shows(struct term *term, void *data)
{
	return term_shows(term, data);
}

/* Its main thread, which draws, has a processor or waits for one. */
static bool is_running(const struct term *term)
{
	CLEANUP(cleanup_free) char *path = mem_printf("/proc/%d/stat", term->pid);
	CLEANUP(cleanup_file) FILE *file = fopen(path, "re");
	char state;
	return file && fscanf(file, "%*d (%*[^)]) %c", &state) == 1 && strchr("RD", state);
}

/* A frame comes in several pieces, and the program may lose its processor between two of them. */
static bool is_frame_whole(struct term *term, void *data)
{
	size_t written = term->written;
	(void)data;
	if (is_running(term))
		return false;
	term_read(term, 5);
	return term->written == written && !is_running(term);
}

static bool shows_not(struct term *term, void *data)
{
	return !term_shows(term, data) && is_frame_whole(term, NULL) && !term_shows(term, data);
}

bool term_wait_text(struct term *term, const char *text)
{
	return term_wait(term, shows, (void *)text, text) &&
		term_wait(term, is_frame_whole, NULL, "the rest of the frame");
}

bool term_wait_gone(struct term *term, const char *text)
{
	CLEANUP(cleanup_free) char *what = mem_printf("the end of \"%s\"", text);
	return term_wait(term, shows_not, (void *)text, what);
}

/* Whether one of its threads is at work: what it finds out will be shown. */
static bool is_at_work(const struct term *term)
{
	CLEANUP(cleanup_free) char *folder = mem_printf("/proc/%d/task", term->pid);
	CLEANUP(cleanup_dir) DIR *threads = opendir(folder);
	bool at_work = false;
	for (const struct dirent *entry; threads && !at_work && (entry = readdir(threads));) {
		CLEANUP(cleanup_free) char *path = mem_printf("%s/%s/stat", folder, entry->d_name);
		CLEANUP(cleanup_file) FILE *file = fopen(path, "re");
		char state;
		at_work =
			file && fscanf(file, "%*d (%*[^)]) %c", &state) == 1 && strchr("RD", state);
	}
	return at_work;
}

/* Asleep in its loop, not in the middle of reading a key. */
static bool is_asleep(const struct term *term)
{
	CLEANUP(cleanup_free) char *path = mem_printf("/proc/%d/syscall", term->pid);
	CLEANUP(cleanup_file) FILE *file = fopen(path, "re");
	long number;
	if (!file || fscanf(file, "%ld", &number) != 1)
		return false;
	bool asleep = number == SYS_epoll_pwait;
#ifdef SYS_epoll_wait
	asleep = asleep || number == SYS_epoll_wait;
#endif
	return asleep;
}

struct settling {
	size_t written;
	int looks;
};

static bool is_settled(struct term *term, void *data)
{
	struct settling *settling = data;
	int unread = 0;
	/* the threads first: one that is done has woken the loop */
	if (term->written != settling->written || ioctl(term->slave, FIONREAD, &unread) != 0 ||
		unread || is_at_work(term) || !is_asleep(term) ||
		count_sleeps(term) <= term->sleeps)
		settling->looks = 0;
	else
		settling->looks++;
	settling->written = term->written;
	return settling->looks > SETTLED_LOOKS;
}

static bool has_taken_input(struct term *term, void *data)
{
	(void)data;
	int unread = 0;
	return ioctl(term->slave, FIONREAD, &unread) == 0 && !unread && is_asleep(term);
}

bool term_wait_taken(struct term *term)
{
	return term_wait(term, has_taken_input, NULL, "all input to be taken");
}

bool term_settle(struct term *term)
{
	struct settling settling = { .written = term->written };
	return term_wait(term, is_settled, &settling, "the program to be at rest");
}

static void look_at_process(struct term *term, int flags)
{
	int status;
	if (term->pid <= 0 || waitpid(term->pid, &status, WNOHANG | flags) != term->pid)
		return;
	term->status = status;
	if (!WIFSTOPPED(status))
		term->pid = 0;
}

static bool has_stopped(struct term *term, void *data)
{
	(void)data;
	look_at_process(term, WUNTRACED);
	return term->pid == 0 || WIFSTOPPED(term->status);
}

bool term_wait_stop(struct term *term)
{
	term->status = 0;
	bool stopped = term_wait(term, has_stopped, NULL, "the program to stop");
	term_read(term, 0);
	return stopped;
}

static bool has_ended(struct term *term, void *data)
{
	(void)data;
	look_at_process(term, 0);
	return term->pid == 0;
}

bool term_wait_exit(struct term *term, int *ret_status)
{
	if (!term_wait(term, has_ended, NULL, "the program to end"))
		return false;
	term_read(term, 0);
	*ret_status = term->status;
	return true;
}

/* It takes nothing at this moment. That may end without a reader: somebody else is writing, or the
 * kernel has not yet passed on what was written. */
static bool refuses(const struct term *term)
{
	struct pollfd pollfd = { .fd = term->slave, .events = POLLOUT };
	return poll(&pollfd, 1, 0) == 0;
}

bool term_is_blocking(const struct term *term)
{
	/* it shares its open file description */
	return !(fcntl(term->slave, F_GETFL) & O_NONBLOCK);
}

/* As term_wait(), without reading. */
static bool wait_unread(struct term *term, term_predicate *predicate, const char *what)
{
	int64_t deadline = instant_monotonic() + TERM_TIMEOUT_MS * USEC_PER_MSEC;
	while (!predicate(term, NULL)) {
		if (instant_monotonic() > deadline) {
			CLEANUP(cleanup_free) char *heading = mem_printf("waited for: %s", what);
			term_print(term, heading);
			return false;
		}
		(void)poll(NULL, 0, 5);
	}
	return true;
}

/* As the program sleeps, it is not writing. */
static bool refuses_program(const struct term *term)
{
	long sleeps = count_sleeps(term);
	return is_asleep(term) && refuses(term) && is_asleep(term) && count_sleeps(term) == sleeps;
}

/* What waits for the reader is all that the kernel puts there, so that it passes nothing on, and
 * behind it is no room. */
bool term_is_full(const struct term *term)
{
	int unread = 0;
	return ioctl(term->master, FIONREAD, &unread) == 0 && unread >= MOST_UNREAD &&
		refuses(term);
}

/* Wakes a program that waits for room. The kernel does so only when somebody reads: if it passes
 * output on after the program found no room, there is room, and the program is not notified. */
static void wake_writer(const struct term *term)
{
	if (tcflow(term->slave, TCOOFF) != 0 || tcflow(term->slave, TCOON) != 0)
		fail("tcflow");
}

static bool fills(struct term *term, void *data)
{
	(void)data;
	if (!refuses(term)) {
		wake_writer(term);
		term_send(term, "\f");
	}
	return term_is_full(term) && refuses_program(term);
}

void term_fill(struct term *term)
{
	if (!wait_unread(term, fills, "the terminal to be full"))
		fail("the terminal is never full");
}

static bool has_stopped_output(struct term *term, void *data)
{
	(void)data;
	return refuses_program(term);
}

void term_stop_output(struct term *term)
{
	term_send(term, "\023");
	if (!wait_unread(term, has_stopped_output, "output to be stopped"))
		fail("output is not stopped");
}

bool term_wait_exit_unread(struct term *term, int *ret_status)
{
	bool ended = wait_unread(term, has_ended, "the program to end");
	*ret_status = term->status;
	return ended;
}

static bool has_taken(struct term *term, void *data)
{
	(void)data;
	int unread = 0;
	return ioctl(term->slave, FIONREAD, &unread) == 0 && !unread && is_asleep(term) &&
		count_sleeps(term) > term->sleeps;
}

bool term_wait_taken_unread(struct term *term)
{
	return wait_unread(term, has_taken, "the program to take its input");
}

struct termios term_modes(const struct term *term)
{
	struct termios modes;
	memset(&modes, 0, sizeof(modes));
	tcgetattr(term->slave, &modes);
	return modes;
}
