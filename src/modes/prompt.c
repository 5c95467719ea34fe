#include "modes/prompt.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"

/* The longest line that a terminal returns. */
#define LINE_SIZE 4096

static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP };
#define N_SIGNALS (sizeof(signals) / sizeof(signals[0]))

/* The handler writes the signal's number here. A flag would not be enough: the signal may come just
 * before read(), or on another thread. */
static int signal_pipe = -1;

static void on_signal(int number)
{
	int error = errno;
	unsigned char byte = (unsigned char)number;
	ssize_t written = write(signal_pipe, &byte, 1);
	(void)written;
	errno = error;
}

static void take_signals(struct sigaction before[static N_SIGNALS])
{
	struct sigaction ours = { .sa_handler = on_signal };
	sigemptyset(&ours.sa_mask);
	for (size_t i = 0; i < N_SIGNALS; i++) {
		sigaction(signals[i], NULL, &before[i]);
		/* signals that were ignored when dbtop started stay ignored */
		if (before[i].sa_handler != SIG_IGN)
			sigaction(signals[i], &ours, NULL);
	}
}

static void give_signals_back(const struct sigaction before[static N_SIGNALS])
{
	for (size_t i = 0; i < N_SIGNALS; i++)
		sigaction(signals[i], &before[i], NULL);
}

/* Reads a line of at most `size` − 1 bytes and ends it with a zero byte. Returns its length, −1 at
 * the end of the input, or −2 if a signal came. */
static int read_line(int fd, int interrupt, char *line, size_t size, int *ret_signal)
{
	size_t length = 0;
	for (;;) {
		struct pollfd fds[] = { { fd, POLLIN, 0 }, { interrupt, POLLIN, 0 } };
		unsigned char number;
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return -1;
		if (read(interrupt, &number, 1) == 1) {
			*ret_signal = number;
			return -2;
		}
		if (!fds[0].revents)
			continue;
		char c;
		ssize_t n = read(fd, &c, 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 && !length)
			return -1;
		if (n <= 0 || c == '\n')
			break;
		if (length + 1 < size)
			line[length++] = c;
	}
	line[length] = '\0';
	return (int)length;
}

/* Asks without echo if `silent` is set. If a signal ends the question, *ret_signal is its number.
 */
static enum prompt_outcome ask_once(
	int in, int out, const char *question, bool silent, char **ret_line, int *ret_signal)
{
	char line[LINE_SIZE];
	struct sigaction signals_before[N_SIGNALS];
	struct termios before;
	int fds[2];
	if ((silent && tcgetattr(in, &before) != 0) || pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0)
		return PROMPT_ENDED;
	CLEANUP(cleanup_fd) int interrupt = fds[0];
	CLEANUP(cleanup_fd) int write_end = fds[1];
	signal_pipe = write_end;
	take_signals(signals_before);
	if (silent) {
		struct termios without = before;
		without.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
		tcsetattr(in, TCSAFLUSH, &without);
	}
	dprintf(out, "%s", question);
	int length = read_line(in, interrupt, line, sizeof(line), ret_signal);
	if (silent)
		tcsetattr(in, TCSAFLUSH, &before);
	if (silent || length < 0)
		dprintf(out, "\n");
	give_signals_back(signals_before);
	signal_pipe = -1;
	if (length >= 0)
		*ret_line = mem_strdup(line);
	explicit_bzero(line, sizeof(line));
	return length >= 0 ? PROMPT_ANSWERED : length == -1 ? PROMPT_ENDED : PROMPT_INTERRUPTED;
}

static enum prompt_outcome ask(int in, int out, const char *question, bool silent, char **ret_line)
{
	for (;;) {
		int number = 0;
		enum prompt_outcome outcome =
			ask_once(in, out, question, silent, ret_line, &number);
		if (outcome != PROMPT_INTERRUPTED)
			return outcome;
		kill(getpid(), number);
		/* after SIGTSTP and SIGCONT the question is asked again */
		if (number != SIGTSTP)
			return outcome;
	}
}

enum prompt_outcome prompt_ask(const char *question, char **ret_line)
{
	return ask(STDIN_FILENO, STDERR_FILENO, question, false, ret_line);
}

enum prompt_outcome prompt_password(const char *user, char **ret_password)
{
	CLEANUP(cleanup_fd) int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (terminal < 0)
		return PROMPT_ENDED;
	CLEANUP(cleanup_free)
	char *question =
		user ? mem_printf("Password for user %s: ", user) : mem_strdup("Password: ");
	return ask(terminal, terminal, question, true, ret_password);
}
