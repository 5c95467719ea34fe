/* Sets traps by rows in the system catalogs, which takes seconds; by CREATE it would be minutes. */
#include "live_traps.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "live.h"

#define STATEMENT "STATEMENT:  "

#define FIRST_USER_OID 16384 /* FirstNormalObjectId: PostgreSQL's own objects are below */

const char *const live_traps_settings[] = { "debug_print_parse=on", "debug_pretty_print=off",
	"log_min_messages=warning", "log_min_error_statement=error", "compute_query_id=off", NULL };

/* A copy of every function, aggregate, operator, type and relation. */
static const char copies_sql[] =
	"CREATE SCHEMA traps;"
	"GRANT USAGE ON SCHEMA traps TO public;"
	"DO $$ DECLARE r record; BEGIN"
	" FOR r IN SELECT catalog, source, string_agg(quote_ident(attname), ',' ORDER BY attnum)"
	"   AS columns, string_agg(CASE"
	"     WHEN attname = 'oid' THEN format('pg_nextoid(%L, ''oid'', %L)', catalog::text,"
	"       catalog::text || '_oid_index')"
	"     WHEN attname IN ('pronamespace', 'oprnamespace') THEN '''traps''::regnamespace'"
	"     WHEN attname = 'aggfnoid' THEN 'copy.oid'"
	"     ELSE 'old.' || quote_ident(attname) END, ',' ORDER BY attnum) AS copied"
	"   FROM (VALUES"
	"     (1, 'pg_proc'::regclass, ' WHERE pronamespace = ''pg_catalog''::regnamespace'"
	"       || ' AND prokind <> ''p'''),"
	"     (2, 'pg_operator', ' WHERE oprnamespace = ''pg_catalog''::regnamespace'),"
	"     (3, 'pg_aggregate', ' JOIN pg_proc p ON p.oid = old.aggfnoid'"
	"       || ' JOIN pg_proc copy ON copy.pronamespace = ''traps''::regnamespace'"
	"       || ' AND copy.proname = p.proname AND copy.proargtypes = p.proargtypes'))"
	"     AS v (n, catalog, source)"
	"   JOIN pg_attribute ON attrelid = catalog AND attnum > 0 AND NOT attisdropped"
	"   GROUP BY n, catalog, source ORDER BY n"
	" LOOP"
	"   EXECUTE format('INSERT INTO %s (%s) SELECT %s FROM %s old%s',"
	"     r.catalog, r.columns, r.copied, r.catalog, r.source);"
	" END LOOP;"
	" FOR r IN SELECT typname AS name FROM pg_type"
	"   WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype IN ('b', 'r')"
	"   AND NOT (typelem <> 0 AND typlen = -1)"
	" LOOP"
	"   EXECUTE format('CREATE DOMAIN traps.%I AS pg_catalog.%I', r.name, r.name);"
	" END LOOP;"
	" FOR r IN SELECT relname AS name FROM pg_class"
	"   WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind IN ('r', 'v')"
	"   AND NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = pg_class.oid"
	"     AND atttypid IN ('anyarray'::regtype, 'pg_statistic[]'::regtype))"
	" LOOP"
	"   EXECUTE format('CREATE VIEW traps.%I AS TABLE pg_catalog.%I', r.name, r.name);"
	"   EXECUTE format('GRANT SELECT ON traps.%I TO public', r.name);"
	" END LOOP;"
	"END $$;";

/* In public: for each name the arguments that a statement has at hand, without a conversion. */
static const char better_sql[] =
	"CREATE FUNCTION public.trap() RETURNS text LANGUAGE plpgsql AS"
	" $$ BEGIN RAISE LOG 'a trap is sprung'; RETURN NULL; END $$;"
	"CREATE TEMP TABLE lists AS"
	" WITH one AS (SELECT unnest('{text,name,int4,int8,numeric,float8,oid,bool,timestamptz,"
	"   interval,jsonb,inet,xid,_int4,_text}'::regtype[]::oid[]) AS a),"
	" two AS (SELECT unnest('{text,name,int4,int8,numeric,oid,float8}'::regtype[]::oid[]) AS b)"
	" SELECT 1 AS n, a::text::oidvector AS list, a, 0::oid AS b FROM one"
	" UNION ALL SELECT 2, (a || ' ' || b)::oidvector, a, b FROM one, two"
	"   WHERE a IN (SELECT b FROM two) OR b = 'int4'::regtype;"
	"CREATE TEMP TABLE wanted AS SELECT name, n, list, result FROM ("
	"  SELECT proname AS name, min(pronargs - pronargdefaults) AS least,"
	"    max(CASE WHEN provariadic > 0 THEN 9 ELSE pronargs END) AS most,"
	"    max(CASE WHEN typtype = 'p' THEN 'text'::regtype ELSE prorettype END::oid) AS result"
	"  FROM pg_proc JOIN pg_type t ON t.oid = prorettype"
	"  WHERE pronamespace = 'pg_catalog'::regnamespace AND prokind = 'f' AND NOT proretset"
	"    AND NOT proargtypes::oid[] && '{internal,cstring}'::regtype[]::oid[]"
	"  GROUP BY proname) f JOIN lists ON n BETWEEN least AND most;"
	/* what the operators below call */
	"INSERT INTO wanted SELECT DISTINCT 'trap_' || oprresult, n, list, oprresult"
	" FROM pg_operator, lists WHERE oprkind = 'b' AND n = 2;"
	/* both statements are complete before the first trap is set */
	"DO $$ DECLARE columns text; changed text; functions text; operators text; BEGIN"
	" SELECT string_agg(quote_ident(attname), ',' ORDER BY attnum), string_agg(CASE attname"
	"     WHEN 'oid' THEN 'pg_nextoid(''pg_proc'', ''oid'', ''pg_proc_oid_index'')'"
	"     WHEN 'proname' THEN 'wanted.name' WHEN 'pronargs' THEN 'wanted.n'"
	"     WHEN 'proargtypes' THEN 'wanted.list' WHEN 'prorettype' THEN 'wanted.result'"
	"     ELSE 'trap.' || quote_ident(attname) END, ',' ORDER BY attnum)"
	"   INTO columns, changed FROM pg_attribute"
	"   WHERE attrelid = 'pg_proc'::regclass AND attnum > 0 AND NOT attisdropped;"
	" functions := format('INSERT INTO pg_proc (%s) SELECT %s FROM pg_proc trap, wanted"
	"   WHERE trap.proname = ''trap''', columns, changed);"
	" SELECT string_agg(quote_ident(attname), ',' ORDER BY attnum), string_agg(CASE attname"
	"     WHEN 'oid' THEN 'pg_nextoid(''pg_operator'', ''oid'', ''pg_operator_oid_index'')'"
	"     WHEN 'oprnamespace' THEN '''public''::regnamespace'"
	"     WHEN 'oprleft' THEN 'a' WHEN 'oprright' THEN 'b' WHEN 'oprcode' THEN 'p.oid'"
	"     WHEN 'oprcom' THEN '0' WHEN 'oprnegate' THEN '0' WHEN 'oprrest' THEN '0'"
	"     WHEN 'oprjoin' THEN '0' WHEN 'oprcanmerge' THEN 'false'"
	"     WHEN 'oprcanhash' THEN 'false'"
	"     ELSE 'o.' || quote_ident(attname) END, ',' ORDER BY attnum)"
	"   INTO columns, changed FROM pg_attribute"
	"   WHERE attrelid = 'pg_operator'::regclass AND attnum > 0 AND NOT attisdropped;"
	" operators := format('INSERT INTO pg_operator (%s) SELECT %s FROM (SELECT DISTINCT ON"
	"   (oprname) * FROM pg_operator WHERE oprnamespace = ''pg_catalog''::regnamespace"
	"   AND oprkind = ''b'' ORDER BY oprname, oid) o JOIN lists ON n = 2"
	"   JOIN pg_proc p ON p.pronamespace = ''public''::regnamespace"
	"   AND p.proname = ''trap_'' || o.oprresult AND p.proargtypes = lists.list',"
	"   columns, changed);"
	" EXECUTE functions;"
	" EXECUTE operators;"
	"END $$;"
	"DROP TABLE lists, wanted;";

/* Logical lines of the server's log: a line that begins with a tab continues the one before. */
struct reader {
	FILE *file;
	char *next; /* read ahead */
	size_t size;
	char *line; /* white space as one blank */
};

static long log_offset;

static bool read_physical(struct reader *reader)
{
	return getline(&reader->next, &reader->size, reader->file) > 0;
}

static void append(char **line, const char *more)
{
	char *joined = mem_printf("%s %.*s", *line, (int)strcspn(more, "\n"), more);
	free(*line);
	*line = joined;
}

static bool read_logical(struct reader *reader, bool *more)
{
	if (!*more)
		return false;
	free(reader->line);
	reader->line = mem_printf("%.*s", (int)strcspn(reader->next, "\n"), reader->next);
	while ((*more = read_physical(reader)) && reader->next[0] == '\t')
		append(&reader->line, reader->next + 1);
	return true;
}

/* Whether a dump of a parse tree names an object that is not PostgreSQL's own. */
static bool names_a_trap(const regex_t *oid, const char *tree)
{
	regmatch_t match[3];
	for (; regexec(oid, tree, 3, match, 0) == 0; tree += match[0].rm_eo)
		if (atol(tree + match[2].rm_so) >= FIRST_USER_OID)
			return true;
	return false;
}

static char *log_path(const struct private_server *server)
{
	return mem_printf("%s/log", private_server_folder(server));
}

struct findings {
	int statements;
	char *sprung;
};

static void take_line(
	const char *line, const regex_t *oid, bool *trapped, struct findings *findings)
{
	const char *statement = strstr(line, STATEMENT);
	if (!strstr(line, "@" LIVE_TRAPS_DATABASE " "))
		return;
	if (strstr(line, "LOG:  a trap is sprung") ||
		(strstr(line, "DETAIL:  ") && names_a_trap(oid, line)))
		*trapped = true;
	if (!statement)
		return;
	findings->statements++;
	if (*trapped &&
		!(findings->sprung && strstr(findings->sprung, statement + strlen(STATEMENT)))) {
		char *before = findings->sprung;
		findings->sprung =
			mem_printf("%s%s\n", before ? before : "", statement + strlen(STATEMENT));
		free(before);
	}
	*trapped = false;
}

static struct findings read_log(const struct private_server *server)
{
	struct findings findings = { 0 };
	CLEANUP(cleanup_free) char *path = log_path(server);
	CLEANUP(cleanup_file) FILE *file = fopen(path, "re");
	struct reader reader = { .file = file };
	regex_t oid;
	bool trapped = false;
	if (!file || fseek(file, log_offset, SEEK_SET) != 0)
		fail_msg("%s cannot be read", path);
	assert_int_equal(regcomp(&oid,
				 ":(opno|opfuncid|funcid|aggfnoid|winfnoid|relid|[a-z_]*type|"
				 "[a-z_]*typeid) ([0-9]+)",
				 REG_EXTENDED),
		0);
	for (bool more = read_physical(&reader); read_logical(&reader, &more);)
		take_line(reader.line, &oid, &trapped, &findings);
	regfree(&oid);
	free(reader.next);
	free(reader.line);
	return findings;
}

char *live_traps_sprung(const struct private_server *server)
{
	return read_log(server).sprung;
}

int live_traps_statements(const struct private_server *server)
{
	struct findings findings = read_log(server);
	free(findings.sprung);
	return findings.statements;
}

void live_traps_begin(const struct private_server *server)
{
	CLEANUP(cleanup_free) char *path = log_path(server);
	CLEANUP(cleanup_file) FILE *log = fopen(path, "re");
	if (!log || fseek(log, 0, SEEK_END) != 0)
		fail_msg("%s cannot be read", path);
	log_offset = ftell(log);
}

static PGconn *connect_as(const struct private_server *server, const char *role)
{
	CLEANUP(cleanup_free)
	char *more = mem_printf("dbname=" LIVE_TRAPS_DATABASE " user=%s", role);
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_UNIX, more);
	return live_connect(conninfo);
}

static void must_spring(const struct private_server *server, const char *role, const char *sql)
{
	PGconn *conn = connect_as(server, role);
	live_traps_begin(server);
	PQclear(PQexec(conn, sql));
	CLEANUP(cleanup_free) char *sprung = live_traps_sprung(server);
	if (!sprung || !strstr(sprung, sql))
		fail_msg("no trap for %s: %s", role, sql);
	PQfinish(conn);
}

/* A test with traps that nothing can spring would pass whatever it tests. */
static void check_traps(const struct private_server *server)
{
	static const char *const both[] = { "SELECT 2.5 * 2",
		"SELECT pg_has_role('pg_monitor', 'USAGE')",
		"SELECT 1 WHERE false AND 2.5 * 2 = 5" };
	static const char *const unqualified[] = { "SELECT pg_backend_pid()",
		"SELECT count(*) FROM pg_catalog.pg_class", "SELECT 1::oid", "SELECT 'a'::text",
		"SELECT 1 FROM pg_stat_activity", "SELECT 1 IN (2, 3)" };
	for (size_t i = 0; i < sizeof(both) / sizeof(both[0]); i++) {
		must_spring(server, LIVE_TRAPS_USUAL, both[i]);
		must_spring(server, LIVE_TRAPS_FIRST, both[i]);
	}
	for (size_t i = 0; i < sizeof(unqualified) / sizeof(unqualified[0]); i++)
		must_spring(server, LIVE_TRAPS_FIRST, unqualified[i]);
}

void live_traps_set(const struct private_server *server)
{
	live_sql(server, "CREATE ROLE " LIVE_TRAPS_USUAL " LOGIN");
	live_sql(server, "CREATE ROLE " LIVE_TRAPS_FIRST " LOGIN");
	live_sql(server, "CREATE DATABASE " LIVE_TRAPS_DATABASE);
	PGconn *conn = connect_as(server, "postgres");
	live_exec(conn, copies_sql);
	live_exec(conn, better_sql);
	live_exec(conn,
		"ALTER ROLE " LIVE_TRAPS_FIRST " SET search_path = traps, public, pg_catalog");
	PQfinish(conn);
	check_traps(server);
	live_traps_begin(server);
}
