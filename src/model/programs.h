/* Programs that are known by name: what the name of an executable or a script means
 * for a server. */
#ifndef MODEL_PROGRAMS_H
#define MODEL_PROGRAMS_H

#include <stdbool.h>

enum program_kind {
	PROGRAM_UNKNOWN,
	PROGRAM_POSTGRESQL, /* the database server */
	PROGRAM_HA_AGENT,   /* it starts, stops or monitors servers */
	PROGRAM_POOLER,
	PROGRAM_SSHD,
	PROGRAM_FORWARDER,   /* its connections are made for others */
	PROGRAM_MAINTENANCE, /* makes backups, or maintains tables */
	PROGRAM_TOOL,        /* used by a person, or for monitoring */
	PROGRAM_DBTOP,
};

/* Finds a program by its file's name without the folder. A script's suffix (.py, .pl, .rb, .sh) is
 * ignored. NULL is PROGRAM_UNKNOWN. */
enum program_kind program_kind(const char *name);

/* The kind of a process. `script` is what its interpreter runs, or NULL: an application is not
 * called PostgreSQL or a pooler by a script's name. */
enum program_kind program_kind_of(const char *executable, const char *script);

/* Whether an application_name is exactly what a maintenance tool or an HA agent calls itself. NULL
 * is none. */
bool program_is_maintenance_application(const char *application_name);

#endif
