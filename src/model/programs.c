/* One table of program names. */
#include "model/programs.h"

#include <stddef.h>
#include <string.h>

#include "base/text.h"

static const struct {
	enum program_kind kind;
	const char *names[64]; /* ended by NULL */
} programs[] = {
	{ PROGRAM_POSTGRESQL, { "postgres", "postmaster", "edb-postgres" } },
	{ PROGRAM_HA_AGENT,
		{ "patroni", "patronictl", "repmgrd", "repmgr", "pg_autoctl", "stolon-keeper",
			"stolon-sentinel", "stolon-proxy", "stolonctl", "pgagent", "efm",
			"pacemakerd", "pacemaker-execd", "pgsqlms", "pgconsul" } },
	{ PROGRAM_POOLER,
		{ "pgbouncer", "pgpool", "pgcat", "odyssey", "pgagroal", "pgdog", "pg_doorman" } },
	{ PROGRAM_SSHD, { "sshd", "sshd-session", "sshd-auth", "dropbear" } },
	{ PROGRAM_FORWARDER,
		{ "haproxy", "socat", "socat1", "stunnel", "stunnel3", "stunnel4", "stunnel5",
			"ssh", "envoy", "traefik", "rinetd", "redir", "simpleproxy", "docker-proxy",
			"rootlessport", "rootlesskit", "slirp4netns", "pasta", "pasta.avx2",
			"passt", "passt.avx2", "gvproxy", "kubectl", "kubelet", "containerd",
			"crio", "dockerd", "systemd-socket-proxyd", "toxiproxy-server",
			"ghostunnel", "cloud-sql-proxy", "cloud_sql_proxy",
			"alloydb-auth-proxy" } },
	{ PROGRAM_MAINTENANCE,
		{ "pg_dump", "pg_dumpall", "pg_restore", "pg_basebackup", "pg_receivewal",
			"pg_recvlogical", "pg_rewind", "pg_upgrade", "pg_amcheck",
			"pg_createsubscriber", "pg_probackup", "pg_rman", "pgbackrest", "barman",
			"wal-g", "wal-e", "pghoard", "vacuumdb", "vacuumlo", "reindexdb",
			"clusterdb", "pg_repack", "pg_squeeze", "pgcopydb" } },
	{ PROGRAM_TOOL,
		{ "psql", "pgcli", "usql", "pgadmin4", "pgAdmin4", "dbeaver", "datagrip",
			"pg_activity", "pg_top", "pgcenter", "pg_view", "pgmetrics", "pg_ctl",
			"pg_isready", "createdb", "dropdb", "createuser", "dropuser", "pgbench",
			"pgloader", "check_postgres", "check_pgactivity", "postgres_exporter",
			"pg_exporter", "pgwatch", "pgwatch2" } },
	{ PROGRAM_DBTOP, { "dbtop" } },
};

/* What these programs set as application_name, or libpq's fallback for them. */
static const char *const applications[] = { "pg_dump", "pg_dumpall", "pg_restore", "pg_basebackup",
	"pg_receivewal", "pg_recvlogical", "pg_rewind", "pg_amcheck", "pg_createsubscriber",
	"pg_probackup", "pgBackRest [backup]", "pgBackRest [check]", "pgBackRest [stanza-create]",
	"pgBackRest [stanza-upgrade]", "barman", "barman_streaming_backup", "barman_receive_wal",
	"wal-g", "pghoard", "vacuumdb", "reindexdb", "clusterdb", "pg_repack", "pgcopydb",
	"Patroni", "Patroni heartbeat", "Patroni restapi", "repmgr", "repmgrd", "pg_autoctl" };

static size_t length_without_ending(const char *name)
{
	static const char *const endings[] = { ".py", ".pl", ".rb", ".sh" };
	size_t length = strlen(name);
	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		size_t size = strlen(endings[i]);
		if (length > size && strcmp(name + length - size, endings[i]) == 0)
			return length - size;
	}
	return length;
}

enum program_kind program_kind(const char *name)
{
	size_t length = name ? length_without_ending(name) : 0;
	for (size_t i = 0; length && i < sizeof(programs) / sizeof(programs[0]); i++)
		for (const char *const *known = programs[i].names; *known; known++)
			if (strlen(*known) == length && memcmp(*known, name, length) == 0)
				return programs[i].kind;
	return PROGRAM_UNKNOWN;
}

enum program_kind program_kind_of(const char *executable, const char *script)
{
	enum program_kind kind = program_kind(executable);
	if (kind != PROGRAM_UNKNOWN)
		return kind;
	kind = program_kind(script);
	return kind == PROGRAM_HA_AGENT || kind == PROGRAM_MAINTENANCE || kind == PROGRAM_TOOL
		? kind
		: PROGRAM_UNKNOWN;
}

bool program_is_maintenance_application(const char *application_name)
{
	return text_is_one_of(
		application_name, applications, sizeof(applications) / sizeof(applications[0]));
}
