/* Whether a plan may be carried out: allow, ask once more, or refuse; and why. Pure. */
#ifndef ACTION_GUARD_H
#define ACTION_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct action;

enum guard_verdict {
	GUARD_ALLOW,
	GUARD_CONFIRM, /* ask again; --yes is the answer */
	GUARD_REFUSE,
};

struct guard_limits {
	bool readonly;
	bool pooler;    /* connected through one */
	int per_minute; /* sessions ended in a minute without asking again; 0: no limit */
};

#define GUARD_WINDOW 60

/* How many sessions were signalled in each second of the last minute. Zeroed at first. */
struct guard_history {
	int64_t second[GUARD_WINDOW];
	size_t count[GUARD_WINDOW];
};

struct guard_answer {
	enum guard_verdict verdict;
	char why[120]; /* a sentence for people; "" when allowed */
};

/* now is the monotonic clock's, here and below: a clock that steps would reopen the limit. */
struct guard_answer guard_check(const struct action *plan, const struct guard_limits *limits,
	const struct guard_history *history, int64_t now);

/* How many more sessions may be ended within this minute without asking. */
size_t guard_room(
	const struct guard_limits *limits, const struct guard_history *history, int64_t now);

/* Remembers that n sessions were signalled. */
void guard_note(struct guard_history *history, size_t n, int64_t now);

#endif
