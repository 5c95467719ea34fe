/* Whether "nothing was found" may be said of an assessment: only of what was looked at. */
#ifndef MODEL_FINDINGS_H
#define MODEL_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "model/verdict.h"

struct arena;
struct assessment;
struct endpoint;

/* What is asked for. */
struct findings_limits {
	enum certainty least; /* only leaks of at least this certainty are findings */
	int min_free;         /* fewer free slots than this are a finding; 0: none */
};

/* What keeps dbtop from telling, the most important first. */
enum blindness {
	BLIND_NOT,        /* all was looked at */
	BLIND_CONNECTION, /* not connected, or the last answer is overdue */
	BLIND_POLL,       /* connected, but the last poll failed, or none was answered yet */
	BLIND_HIDDEN,     /* sessions in scope are hidden from our role */
	BLIND_UNSETTLED,  /* sessions are leaked by their age, but something that decides it could
			     not be read: what may protect them; or, where more certainty is asked
			     for, whether their clients are gone */
};

enum blindness findings_blindness(const struct assessment *assessment, enum certainty least);

/* Whether there are no current rows at all: then nothing may be said of any session. */
bool findings_has_no_rows(const struct assessment *assessment);

#define FINDINGS_TEXT_MAX 512

/* "the last poll failed: permission denied for view pg_stat_activity": what keeps dbtop from
 * telling, and what to do; "" if nothing does. Returns text. */
char *findings_describe_blindness(const struct assessment *assessment, enum certainty least,
	char text[static FINDINGS_TEXT_MAX]);

/* The same for an emergency: sessions whose process cannot be seen from here come first. */
char *findings_describe_unreached(
	const struct assessment *assessment, char text[static FINDINGS_TEXT_MAX]);

/* Another machine, and how many of its sessions an emergency there may end. */
struct findings_host {
	const char *name;
	size_t sessions;
	const char *command; /* findings_host_command() */
};

/* The other machines whose processes hold such sessions, each once, those with most sessions first.
 * The list and the names are in the arena. */
struct findings_host *findings_list_hosts(const struct assessment *assessment, struct arena *arena,
	size_t *ret_count) __attribute__((returns_nonnull));

/* The command that runs an emergency on another machine, where the client of a connection is:
 * "ssh -t web dbtop -h 10.0.0.5 -p 5432 -U app -d shop --emergency", to be typed here. Where dbtop
 * does not get there by ssh: "on web: dbtop …". In the arena. */
const char *findings_host_command(const struct assessment *assessment, struct arena *arena,
	const char *name, const struct endpoint *client);

/* The leaked connections in scope of at least this certainty, without those that may be protected
 * by what could not be read. */
size_t findings_count_leaked(const struct assessment *assessment, enum certainty least);

/* Whether fewer slots are free than asked for. */
enum room { ROOM_ENOUGH, ROOM_TOO_LITTLE, ROOM_UNKNOWN };
enum room findings_room(const struct assessment *assessment, int min_free);

/* The sessions in scope that are judged by their age alone: nobody here can see whether their
 * clients are gone. */
size_t findings_count_by_age(const struct assessment *assessment);

/* The sessions in scope whose process cannot be seen from here: it runs on another machine, or as
 * another user. An emergency cannot stop it. */
size_t findings_count_without_process(const struct assessment *assessment);

#endif
