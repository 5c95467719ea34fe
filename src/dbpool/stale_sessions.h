/* Sessions that dead processes left on the server. */
#ifndef DBPOOL_STALE_SESSIONS_H
#define DBPOOL_STALE_SESSIONS_H

struct dbpool;
struct pool_link;

/* Ends the sessions that dead processes of this application left behind, over a new link. */
void stale_sessions_end(struct dbpool *pool, struct pool_link *link);

#endif
