/* Ends what the programs of a test leave behind, however the test ends: programs that a program
 * started live on when that is killed, in process groups and sessions of their own. */
#ifndef SUPPORT_SWEEPER_H
#define SUPPORT_SWEEPER_H

#include "demo/cleaner.h"

/* Its variable is in the environment of all programs that the test starts later, and of those that
 * they start. */
#define SWEEPER_VARIABLE "LIVE_FOLDER"

/* Starts the process that will end all with this value of the variable, but for private servers and
 * their guardians, which end themselves. The value is this test's alone. Returns 0 or a negative
 * errno. */
int sweeper_start(const char *value, struct cleaner *ret_sweeper)
	__attribute__((warn_unused_result));

#endif
