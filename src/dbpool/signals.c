/* SIGINT and SIGTERM.
 *
 * The shutdown runs in a thread that waits at a pipe; the handler only writes a byte to the pipe.
 * Blocking the signals and reading them with sigwait() or a signalfd would need no handler. But
 * threads that already run cannot be given a signal mask, and a signal to one of them would end the
 * process. Programs that the application starts would also inherit the mask, and ignore Ctrl+C. */
#include "dbpool/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "dbpool/util.h"

static const int caught[] = { SIGINT, SIGTERM };

#define N_CAUGHT (sizeof(caught) / sizeof(caught[0]))

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned users;
static bool installed[N_CAUGHT];
static struct sigaction before[N_CAUGHT]; /* the application's handlers */
static int pipe_fds[2] = { -1, -1 };      /* created once, kept until the process ends */
static atomic_int owner;                  /* the process in which the handlers were installed */
static atomic_int ending;                 /* the signal that is being handled; 0: none */
static void (*shut_down_all)(void);
static atomic_bool lethal; /* that signal will end the process */

static bool has_handler(const struct sigaction *action)
{
	return (action->sa_flags & SA_SIGINFO) ||
		(action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN);
}

static size_t index_of(int signal_number)
{
	return signal_number == caught[0] ? 0 : 1;
}

/* Ends the process by the signal, which a shell sees as 128 + n. The first process of a container
 * is immune to default actions, so it calls _exit(). */
static void die(int signal_number)
{
	sigset_t set;
	signal(signal_number, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, signal_number);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	raise(signal_number);
	_exit(128 + signal_number);
}

static void on_signal(int signal_number, siginfo_t *info, void *context)
{
	int error = errno;
	const struct sigaction *theirs = &before[index_of(signal_number)];
	bool chain = has_handler(theirs);
	if (atomic_load(&owner) == getpid()) {
		unsigned char byte = (unsigned char)signal_number;
		if (atomic_exchange(&ending, signal_number))
			die(signal_number); /* the second signal */
		ssize_t n = write(pipe_fds[1], &byte, 1);
		(void)n;
	} else if (!chain) {
		die(signal_number); /* a child process that was created without libc's fork() */
	}
	if (chain && (theirs->sa_flags & SA_SIGINFO))
		theirs->sa_sigaction(signal_number, info, context);
	else if (chain)
		theirs->sa_handler(signal_number);
	errno = error;
}

/* An ignored signal stays ignored: nohup, or a shell's background job. */
static void install(size_t i)
{
	if (sigaction(caught[i], NULL, &before[i]) < 0 ||
		(!has_handler(&before[i]) && before[i].sa_handler == SIG_IGN))
		return;
	struct sigaction ours = { .sa_sigaction = on_signal,
		.sa_mask = before[i].sa_mask,
		.sa_flags = SA_SIGINFO | SA_RESTART };
	if (has_handler(&before[i]))
		ours.sa_flags = (before[i].sa_flags & (SA_RESTART | SA_ONSTACK)) | SA_SIGINFO;
	installed[i] = sigaction(caught[i], &ours, NULL) == 0;
}

/* Restores the application's handler, unless the application has replaced ours. */
static void uninstall(size_t i)
{
	struct sigaction now;
	if (installed[i] && sigaction(caught[i], NULL, &now) == 0 && (now.sa_flags & SA_SIGINFO) &&
		now.sa_sigaction == on_signal)
		(void)sigaction(caught[i], &before[i], NULL);
	installed[i] = false;
}

static void uninstall_all(void)
{
	for (size_t i = 0; i < N_CAUGHT; i++)
		uninstall(i);
}

static void handle_signal(int signal_number)
{
	bool theirs = has_handler(&before[index_of(signal_number)]);
	atomic_store(&lethal, !theirs);
	shut_down_all();
	if (!theirs)
		die(signal_number);
	/* the application's handler decides when the process ends */
	pthread_mutex_lock(&lock);
	if (!users)
		uninstall_all();
	atomic_store(&ending, 0);
	pthread_mutex_unlock(&lock);
}

static void *run(void *data)
{
	unsigned char byte;
	(void)data;
	for (;;) {
		ssize_t n = read(pipe_fds[0], &byte, 1);
		if (n == 1)
			handle_signal(byte);
		else if (n == 0 || errno != EINTR)
			return NULL;
	}
}

static int start_listening(void)
{
	pthread_t thread;
	if (pipe_fds[0] >= 0)
		return 0;
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return -errno;
	int r = start_thread(&thread, "dbpool-signals", run, NULL);
	if (r == 0) {
		pthread_detach(thread);
		return 0;
	}
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	pipe_fds[0] = pipe_fds[1] = -1;
	return r;
}

int signals_start(void (*shut_down)(void))
{
	pthread_mutex_lock(&lock);
	shut_down_all = shut_down;
	int r = start_listening();
	if (r == 0 && users++ == 0) {
		atomic_store(&owner, getpid());
		for (size_t i = 0; i < N_CAUGHT; i++)
			install(i);
	}
	pthread_mutex_unlock(&lock);
	return r;
}

/* Keeps the handlers while a signal is being handled: a second signal must reach them. */
void signals_stop(void)
{
	pthread_mutex_lock(&lock);
	if (--users == 0 && !atomic_load(&ending))
		uninstall_all();
	pthread_mutex_unlock(&lock);
}

static bool is_ignored(int signal_number)
{
	struct sigaction now;
	return sigaction(signal_number, NULL, &now) == 0 && !(now.sa_flags & SA_SIGINFO) &&
		now.sa_handler == SIG_IGN;
}

const char *signals_ignored(void)
{
	bool interrupt = is_ignored(SIGINT), terminate = is_ignored(SIGTERM);
	return interrupt && terminate ? "SIGINT and SIGTERM"
		: interrupt           ? "SIGINT"
		: terminate           ? "SIGTERM"
				      : NULL;
}

void signals_forked(void)
{
	uninstall_all();
	if (pipe_fds[0] >= 0) {
		close(pipe_fds[0]);
		close(pipe_fds[1]);
	}
	pipe_fds[0] = pipe_fds[1] = -1;
	users = 0;
	atomic_store(&ending, 0);
	atomic_store(&lethal, false);
	pthread_mutex_init(&lock, NULL);
}

bool signals_are_ending(void)
{
	return atomic_load(&ending) && atomic_load(&lethal);
}
