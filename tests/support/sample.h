/* Believable assessments without a server: what the reports, plans and views are tested on. */
#ifndef SUPPORT_SAMPLE_H
#define SUPPORT_SAMPLE_H

#include <stddef.h>
#include <stdint.h>

struct assessment;
struct connection;
struct history;

/* 2026-01-31T12:03:44Z: `now` and `server_now` of every sample. */
#define SAMPLE_NOW INT64_C(1769861024000000)

enum sample_kind {
	SAMPLE_SCREEN,     /* 25 slots, 18 used, 4 leaked of each certainty, 2 rows hidden */
	SAMPLE_HOSTILE,    /* the same with hostile strings, cleaned as collect would */
	SAMPLE_STALE,      /* the same, 14 s old: the server is full and we try to come back */
	SAMPLE_FULL,       /* never let in: no activity, but the processes at the sockets */
	SAMPLE_REFUSED,    /* nobody answers: no activity, no processes */
	SAMPLE_CONNECTING, /* the first moment: nothing known, nothing wrong */
	SAMPLE_EMPTY,      /* only our own session */
	SAMPLE_OUTBOX,     /* SAMPLE_SCREEN, and writes wait in the outbox of its pool */
};
#define SAMPLE_COUNT (SAMPLE_OUTBOX + 1)

/* The caller frees it with assessment_free(). */
struct assessment *sample_assessment(enum sample_kind kind);

/* n_connections spread evenly over n_processes (at least 1), every tenth one leaked. */
struct assessment *sample_many(size_t n_connections, size_t n_processes);

/* Five minutes in which the slots filled up. */
void sample_history(struct history *history);

/* The connection of a backend pid; NULL when there is none. */
struct connection *sample_find(struct assessment *assessment, int32_t pid);

#endif
