/* The last signal handler. It has its own stack, because the signal may be a stack overflow. */
#include "dashboard/crash.h"

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static void (*restore_terminal)(void);
static char stack[64 * 1024];

static void on_crash(int signal_number)
{
	static const char text[] = "dbtop crashed: this is a bug, please report it\n";
	if (restore_terminal)
		restore_terminal();
	ssize_t written = write(STDERR_FILENO, text, sizeof(text) - 1);
	(void)written;
	/* SA_RESETHAND: this time the default action ends the process. */
	raise(signal_number);
}

void crash_install(void (*restore)(void))
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
	const stack_t alternate = { .ss_sp = stack, .ss_size = sizeof(stack) };
	restore_terminal = restore;
	sigaltstack(&alternate, NULL);
	struct sigaction action = { .sa_handler = on_crash };
	action.sa_flags = SA_ONSTACK | (int)SA_RESETHAND | SA_NODEFER;
	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &action, NULL);
}
