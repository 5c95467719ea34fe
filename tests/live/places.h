/* Places from which clients come to a server in a network namespace of its own. The tests' own
 * namespace (the machine) is a new one, so that nothing of the real machine is touched. The others
 * are connected to it by cables:
 *
 *	server NET.2 -- NET.1 machine NET.17 -- NET.18 application NET.241 -- NET.242 pod
 *
 * See cables.h. The application's namespace is also the pod's node. */
#ifndef PLACES_H
#define PLACES_H

#include "live_group.h"

/* The ports of the machine that lead to the server's: translated, through root's forwarder, through
 * nobody's, and through HAProxy. And one of the node, translated. */
#define PUBLISHED 15432
#define FORWARDED 15433
#define STRANGERS 15434
#define BALANCED  15435
#define NODE_PORT 15436

enum home { MACHINE, OF_SERVER, OF_APPLICATION, OF_POD };

struct place {
	const char *name;
	enum home home;
	int port; /* 0: the server's */
	bool over_unix, loopback;
	const char *address; /* that the client uses; NULL: as dbtop reaches the server */
	const char *matched_by;
	const char *users; /* matched_by for the dbtop of its user; NULL: not known there */
	bool user_proves;  /* other users than root see its end, and prove that it is gone */
	bool kept; /* the forwarder keeps its connection to the server when the client is gone */
};
#define PLACES 18
extern struct place places[PLACES];

extern struct live_program *in_server, *in_application, *in_pod; /* keep a namespace alive */
extern struct live_program *forwarder, *balancer; /* socat and HAProxy, on the machine */
extern char server_address[32], application_address[32];

/* Moves into a new namespace, in which the server is to be started. */
bool places_enter(void);
/* Goes back to the machine, and prepares the places. */
void places_set_up(void);

/* Starts a process that does nothing in a new namespace, or in ours. */
struct live_program *start_holder(bool new_namespace);

/* The way to the server over this address; owned by the group of tests. */
const char *by_address(const char *address, const char *more);

/* Starts the client in the namespace of the process; 0: in ours. */
struct live_program *start_client(
	pid_t namespace, bool nobodys, const char *conninfo, const char *role);

/* A client of that application_name at the place: its way to the server, and its namespace. */
const char *way_of(const struct place *place, const char *name);
pid_t home_of(const struct place *place);
struct live_program *start_at(const struct place *place, bool nobodys, const char *role);

/* dbtop's own ways to the server. */
enum way { OVER_ADDRESS, OVER_UNIX, OVER_PORT, WAYS };
const char *way_to_server(enum way way);

/* dbtop --follow as this user, who may not be root. */
struct live_program *follow_as(const char *user);

/* The session with this application_name; fails without it. */
json_t *row_of(json_t *root, const char *name);
/* Fails if the text at this path is another one; NULL: null. */
void check_text(json_t *row, const char *path, const char *expected);

#endif
