/* What the text of a statement shows about its session: whether it begins or ends to listen, or a
 * base backup. */
#ifndef MODEL_STATEMENT_H
#define MODEL_STATEMENT_H

enum effect {
	EFFECT_NONE,
	EFFECT_BEGINS,
	EFFECT_ENDS,
};

struct statement_effects {
	enum effect listening; /* LISTEN; UNLISTEN * or DISCARD ALL */
	enum effect backup;    /* pg_backup_start() or pg_backup_stop(), by both their names */
};

/* Reads one or several statements; of several effects the last one counts. Comments, strings and
 * the bodies of functions do not count. NULL has no effects. The text may be cut anywhere. */
struct statement_effects statement_effects(const char *text);

#endif
