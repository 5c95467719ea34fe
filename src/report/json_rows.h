/* Short names for the rows of JSON tables: for .c files that have such tables. */
#ifndef REPORT_JSON_ROWS_H
#define REPORT_JSON_ROWS_H

#include "report/json_field.h"

#define AT(type, member) offsetof(struct type, member)
#define TABLE(name)                                                                                \
	{                                                                                          \
		name, sizeof(name) / sizeof((name)[0])                                             \
	}

/* The enums' words by number. */
#define WORDS(function, name, type)                                                                \
	static const char *function(unsigned int value)                                            \
	{                                                                                          \
		return name((type)value);                                                          \
	}

#endif
