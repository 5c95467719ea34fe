/* Questions on the terminal outside the dashboard, as readpassphrase(3) asks them: a signal ends
 * the question, the terminal's echo is restored, and then the signal has its usual effect. */
#ifndef MODES_PROMPT_H
#define MODES_PROMPT_H

enum prompt_outcome {
	PROMPT_ANSWERED,
	PROMPT_ENDED, /* there is no terminal, or the input has ended */
	/* A signal ended the question and was raised again: it has ended dbtop, or the loop handles
	 * it next. The caller does nothing and reports nothing. */
	PROMPT_INTERRUPTED,
};

/* Asks on standard error, and reads a line of standard input, without its line break. The caller
 * frees *ret_line; it is set only if the result is PROMPT_ANSWERED. Blocks: the loop does not run
 * meanwhile. */
enum prompt_outcome prompt_ask(const char *question, char **ret_line)
	__attribute__((warn_unused_result));

/* The same for a password, on /dev/tty without echo; user may be NULL. */
enum prompt_outcome prompt_password(const char *user, char **ret_password)
	__attribute__((warn_unused_result));

#endif
