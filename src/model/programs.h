/* Programs that are known by name: what an executable or a script is to a server. */
#ifndef MODEL_PROGRAMS_H
#define MODEL_PROGRAMS_H

enum program_kind {
	PROGRAM_UNKNOWN,
	PROGRAM_POSTGRESQL, /* the server */
	PROGRAM_HA_AGENT,   /* it starts, stops or watches servers */
	PROGRAM_POOLER,
	PROGRAM_SSHD,
	PROGRAM_FORWARDER, /* its connections are others' */
	PROGRAM_TOOL,      /* a person's, or one of backup, maintenance and monitoring */
};

/* By the name of a file, without its folder; a script's ending (.py, .pl, .rb, .sh) does not count.
 * NULL is PROGRAM_UNKNOWN. */
enum program_kind program_kind(const char *name);

#endif
