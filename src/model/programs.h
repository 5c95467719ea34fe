/* Programs that are known by name: what the name of an executable or a script means
 * for a server. */
#ifndef MODEL_PROGRAMS_H
#define MODEL_PROGRAMS_H

enum program_kind {
	PROGRAM_UNKNOWN,
	PROGRAM_POSTGRESQL, /* the database server */
	PROGRAM_HA_AGENT,   /* it starts, stops or monitors servers */
	PROGRAM_POOLER,
	PROGRAM_SSHD,
	PROGRAM_FORWARDER, /* its connections are made for others */
	PROGRAM_TOOL,      /* used by a person, or for backup, maintenance or monitoring */
};

/* Finds a program by its file's name without the folder. A script's suffix (.py, .pl, .rb, .sh) is
 * ignored. NULL is PROGRAM_UNKNOWN. */
enum program_kind program_kind(const char *name);

#endif
