/* The options of a new target. */
#ifndef TARGET_TARGET_OPTIONS_H
#define TARGET_TARGET_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config_proxy;
struct host_agents;
struct params;
struct rules;

struct target_options {
	const char *name;                    /* of the configuration; NULL: none; copied */
	const struct params *params;         /* copied */
	const char *const *password_command; /* argv, copied; NULL: none */
	const struct rules *rules;           /* must outlive the target */
	const struct params *consoles;       /* PgBouncers' admin consoles; copied */
	size_t n_consoles;
	const char *pages; /* folder of stats pages; NULL or "": libdbpool's folders; copied */
	int64_t interval;  /* µs */
	bool no_query_text;
	const struct config_proxy *proxy; /* the settings of a local proxy; copied */
	bool await_proxy; /* the assessment is complete only once the proxy's state is known */
	bool refresh_until_complete; /* refresh again at once until the assessment is complete: for
					headless modes */
	bool scan_on_demand; /* scan sockets and processes only when target_scan() asks for it */
	struct host_agents *hosts; /* other machines' dbtops; borrowed; NULL: none */
	void *data;
	void (*assessed)(void *data); /* target_assessment() is new */
};

#endif
