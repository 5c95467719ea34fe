/* An address where connections are neither accepted nor refused: a listener whose queue is full. */
#ifndef LIVE_BLACK_HOLE_H
#define LIVE_BLACK_HOLE_H

struct black_hole;

/* At this IPv4 or IPv6 address of the loopback; port 0: any. Never NULL. */
struct black_hole *black_hole_open(const char *address, int port);

int black_hole_port(const struct black_hole *hole);

/* NULL is allowed. */
void black_hole_close(struct black_hole *hole);

#endif
