/* What asks dbtop --metrics over HTTP. Each function fails the test if there is no answer. */
#ifndef TESTS_SCRAPER_H
#define TESTS_SCRAPER_H

struct live_program;

/* The port that it says it listens on. */
int scraper_port(struct live_program *dbtop);

/* A connection to the port. */
int scraper_dial(int port);

/* All that comes until the end; closes the connection. The caller frees it. */
char *scraper_read(int fd);

/* The answer to a request: headers and text. Each of `headers` ends with "\r\n". The caller frees
 * it. */
char *scraper_ask(int port, const char *method, const char *path, const char *headers);

/* Gives the text of an answer to promtool, which checks it. */
void scraper_check(const char *answer);

#endif
