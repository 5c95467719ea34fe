/* The demo's application: processes with known faults, each the same program in a role. */
#ifndef DEMO_DEMO_APP_H
#define DEMO_DEMO_APP_H

#include <stdbool.h>
#include <sys/types.h>

enum demo_role {
	DEMO_STOREFRONT,    /* a healthy pool of three */
	DEMO_REPORT_WORKER, /* borrows three connections and forgets them */
	DEMO_CHECKOUT,      /* leaves two in the middle of a transaction */
	DEMO_IMPORTER, /* is killed in the middle of a statement, so that its backend lives on */
};
#define DEMO_ROLES (DEMO_IMPORTER + 1)

/* Starts this program again in a role, as a child that ends with us. It is ready when a byte can be
 * read from *ret_ready, which the caller closes. Returns its pid or a negative errno. */
pid_t demo_app_start(enum demo_role role, const char *conninfo, int *ret_ready)
	__attribute__((warn_unused_result));

/* Whether this process was started so. Asked first thing in main(). */
bool demo_app_requested(void);

/* Plays the role until killed; returns an exit status when the server is gone. */
int demo_app_main(void);

#endif
