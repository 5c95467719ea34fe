/* Questions on the terminal outside of the dashboard, as readpassphrase(3) asks them: a signal ends
 * the question, gives the terminal its echo back, and then does what it does elsewhere. */
#ifndef MODES_PROMPT_H
#define MODES_PROMPT_H

enum prompt_outcome {
	PROMPT_ANSWERED,
	PROMPT_ENDED, /* no terminal, or the end of the input */
	/* By a signal, which was raised again: it has ended us, or the loop gets it next. Nothing
	 * is to be done, and nothing reported. */
	PROMPT_INTERRUPTED,
};

/* Asks on standard error, and reads a line of standard input, without its end. The caller frees
 * *ret_line; it is set only when answered. Waits: the loop stands still meanwhile. */
enum prompt_outcome prompt_ask(const char *question, char **ret_line)
	__attribute__((warn_unused_result));

/* The same for a password, on /dev/tty and without echo; user may be NULL. */
enum prompt_outcome prompt_password(const char *user, char **ret_password)
	__attribute__((warn_unused_result));

#endif
