/* The demo's application: processes with known faults. Each is this program in a role. */
#ifndef DEMO_DEMO_APP_H
#define DEMO_DEMO_APP_H

#include <stdbool.h>
#include <sys/types.h>

enum demo_role {
	DEMO_STOREFRONT,    /* a healthy pool of three */
	DEMO_REPORT_WORKER, /* uses three connections once and keeps them idle */
	DEMO_BASKET,        /* forgets a connection of its libdbpool */
	DEMO_CHECKOUT,      /* leaves two connections idle in a transaction */
	DEMO_IMPORTER,      /* is killed while a statement runs, so that its backend stays */
};
#define DEMO_ROLES (DEMO_IMPORTER + 1)

/* Starts this program again in a role, as a child that ends with us. `pages` is the folder of the
 * stats pages. It is ready when a byte can be
 * read from *ret_ready, which the caller closes. Returns its pid or a negative errno. */
pid_t demo_app_start(enum demo_role role, const char *conninfo, const char *pages, int *ret_ready)
	__attribute__((warn_unused_result));

/* True if this process was started by demo_app_start(). main() checks this first. */
bool demo_app_requested(void);

/* demo_pool_main() */
typedef int demo_pool_fn(const char *conninfo, const char *pages, void (*report_ready)(void));

/* Runs the role until it is killed; returns an exit status when the server is gone. */
int demo_app_main(demo_pool_fn *play_pool);

#endif
