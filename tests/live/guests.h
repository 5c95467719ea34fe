/* Clients and containers that come and go at all places. */
#ifndef GUESTS_H
#define GUESTS_H

/* A test: root's dbtop follows them, that of nobody, whose half of the clients are, and a
 * stranger's. Each connection is right or not known in each of them, and each killed client is
 * proven gone by root's. $DBTOP_TEST_ROUNDS scales it. */
void nothing_is_wrong_while_clients_come_and_go(void **state);

#endif
