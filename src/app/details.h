/* Everything known of one connection, as text for a page. */
#ifndef APP_DETAILS_H
#define APP_DETAILS_H

struct assessment;
struct connection;

/* The caller frees it. */
char *details_text(const struct assessment *assessment, const struct connection *connection);

#endif
