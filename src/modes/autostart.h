/* proxy.autostart: starts the local proxy when nobody listens on its port. */
#ifndef MODES_AUTOSTART_H
#define MODES_AUTOSTART_H

#include <uv.h>

struct app;
struct assessment;
struct audit;
struct autostart;
struct session;

struct autostart_callbacks {
	void *data;
	/* The proxy was started, or could not be: one clean line. */
	void (*tried)(void *data, const char *text);
};

/* NULL if the configuration does not want it, or forbids actions. Session and audit are borrowed,
 * and must outlive it. */
struct autostart *autostart_new(const struct app *app, uv_loop_t *loop, struct session *session,
	struct audit *audit, const struct autostart_callbacks *callbacks);

/* The handles close in the loop's next turns. NULL is allowed. */
void autostart_free(struct autostart *autostart);

/* There is a new assessment. A proxy that ends again is started again after 10 s, and then less and
 * less often. NULL is allowed. */
void autostart_update(struct autostart *autostart, const struct assessment *assessment);

/* Where the output of a proxy goes: in the folder of the audit log, which exists because the audit
 * is written first. The caller frees the path; NULL: nowhere. */
char *autostart_output_path(void);

#endif
