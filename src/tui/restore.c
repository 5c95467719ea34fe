/* This state is global, because a signal handler gets no argument. */
#include "tui/restore.h"

#include <ncurses.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <term.h>
#include <unistd.h>

/* Ends an incomplete sequence. */
#define CANCEL '\030'

static struct {
	volatile sig_atomic_t armed;
	int fd;
	struct termios modes;
	char bytes[256];
	size_t length;
} saved;

void restore_save(int fd)
{
	saved.fd = fd;
	saved.length = 0;
	tcgetattr(fd, &saved.modes);
}

/* Leaves out the delays ($<5>), which today's terminals do not need. */
static void add(const char *capability)
{
	const char *string = tigetstr(capability);
	if (!string || string == (const char *)-1)
		return;
	while (*string && saved.length < sizeof(saved.bytes)) {
		if (string[0] == '$' && string[1] == '<' && strchr(string, '>'))
			string = strchr(string, '>') + 1;
		else
			saved.bytes[saved.length++] = *string++;
	}
}

void restore_arm(void)
{
	saved.bytes[0] = CANCEL;
	saved.length = 1;
	add("sgr0");  /* no attributes */
	add("op");    /* no colours */
	add("cnorm"); /* the cursor visible */
	add("rmkx");  /* the keypad's normal mode */
	add("rmcup"); /* the shell's screen */
	saved.armed = 1;
}

void restore_add(const char *sequence)
{
	size_t length = strlen(sequence);
	saved.armed = 0;
	if (saved.length + length <= sizeof(saved.bytes)) {
		memmove(saved.bytes + 1 + length, saved.bytes + 1, saved.length - 1);
		memcpy(saved.bytes + 1, sequence, length);
		saved.length += length;
	}
	saved.armed = 1;
}

void restore_disarm(void)
{
	saved.armed = 0;
}

void restore_modes(void)
{
	(void)tcsetattr(saved.fd, TCSANOW, &saved.modes);
}

static bool write_bytes(void)
{
	return write(saved.fd, saved.bytes, saved.length) == (ssize_t)saved.length;
}

void restore_now(void)
{
	if (!saved.armed)
		return;
	saved.armed = 0;
	if (!write_bytes()) {
		/* The terminal is full or was stopped by Ctrl-S: drops output that was not read. */
		(void)tcflow(saved.fd, TCOOFF);
		(void)tcflow(saved.fd, TCOON);
		(void)tcflush(saved.fd, TCOFLUSH);
		(void)write_bytes();
	}
	restore_modes();
}
