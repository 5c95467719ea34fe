/* Quotes identifiers. */
#include "model/identifier.h"

#include <stdbool.h>
#include <string.h>

/* Reserved in some version from 12 to 18, and what GRANT does not take for a role's name.
 * https://www.postgresql.org/docs/current/sql-keywords-appendix.html */
static const char *const reserved[] = {
	"all",
	"analyse",
	"analyze",
	"and",
	"any",
	"array",
	"as",
	"asc",
	"asymmetric",
	"authorization",
	"binary",
	"both",
	"case",
	"cast",
	"check",
	"collate",
	"collation",
	"column",
	"concurrently",
	"constraint",
	"create",
	"cross",
	"current_catalog",
	"current_date",
	"current_role",
	"current_schema",
	"current_time",
	"current_timestamp",
	"current_user",
	"default",
	"deferrable",
	"desc",
	"distinct",
	"do",
	"else",
	"end",
	"except",
	"false",
	"fetch",
	"for",
	"foreign",
	"freeze",
	"from",
	"full",
	"grant",
	"group",
	"having",
	"ilike",
	"in",
	"initially",
	"inner",
	"intersect",
	"into",
	"is",
	"isnull",
	"join",
	"lateral",
	"leading",
	"left",
	"like",
	"limit",
	"localtime",
	"localtimestamp",
	"natural",
	"none",
	"not",
	"notnull",
	"null",
	"offset",
	"on",
	"only",
	"or",
	"order",
	"outer",
	"overlaps",
	"placing",
	"primary",
	"public",
	"references",
	"returning",
	"right",
	"select",
	"session_user",
	"similar",
	"some",
	"symmetric",
	"system_user",
	"table",
	"tablesample",
	"then",
	"to",
	"trailing",
	"true",
	"union",
	"unique",
	"user",
	"using",
	"variadic",
	"verbose",
	"when",
	"where",
	"window",
	"with",
};

static bool is_plain(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
	if (!name[0] || strchr("0123456789", name[0]) || strspn(name, letters) != strlen(name))
		return false;
	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
		if (strcmp(name, reserved[i]) == 0)
			return false;
	return true;
}

char *identifier_quote(const char *name, char *text, size_t size)
{
	bool plain = is_plain(name);
	size_t length = 0;
	if (!plain)
		text[length++] = '"';
	for (; *name && length + 3 < size; name++) {
		if (*name == '"')
			text[length++] = '"';
		text[length++] = *name;
	}
	if (!plain)
		text[length++] = '"';
	text[length] = '\0';
	return text;
}
