/* Real containers, by podman and runc: an application in one, and `podman run` as the command of a
 * shutdown test, without and with a daemon.
 *
 * Their storage is a folder of the test's own, where a user's podman without root has it: podman's
 * own storage and configuration are not touched. The image is empty; the programs are the
 * machine's, mounted read-only, and the server is reached by its Unix socket: no container has a
 * network. */
#include "live_group.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"

#define WAIT_MS 120000

static char *podman; /* with its options */
static char *mounts; /* options of "podman run" */
static char *run;    /* "podman run" with them */
static char *home;   /* "HOME=FOLDER" */

static void shell(const char *script)
{
	struct live_run done = live_run(
		&(const struct live_program_options){
			.argv = (const char *const[]){ "sh", "-ec", script, NULL } },
		WAIT_MS);
	if (done.status != 0)
		fail_msg("%s: %s", script, done.err);
	live_run_clear(&done);
}

/* The folder of a program, which is cut off. */
static char *folder_of(const char *path)
{
	char *folder = mem_strdup(path);
	*strrchr(folder, '/') = '\0';
	return folder;
}

static void set_up(void)
{
	const char *folder = live_folder();
	if (geteuid() != 0)
		return;
	CLEANUP(cleanup_free) char *clients = folder_of(live_client_path());
	CLEANUP(cleanup_free) char *dying = folder_of(DYING_PATH);
	home = mem_printf("HOME=%s", folder);
	podman = mem_printf("podman --root %s/.local/share/containers/storage --runroot %s/runroot "
			    "--tmpdir %s/podman --runtime runc --cgroup-manager cgroupfs "
			    "--storage-driver vfs --events-backend none",
		folder, folder, folder);
	mounts = mem_printf("--rm --network none --ulimit nofile=1024:1024 "
			    "--ulimit nproc=4096:4096 --env PGPASSWORD --volume /usr:/usr:ro "
			    "--volume /bin:/bin:ro --volume /lib:/lib:ro --volume /lib64:/lib64:ro "
			    "--volume /etc:/etc:ro --volume %s:%s:ro --volume %s:%s:ro "
			    "--volume %s:%s",
		clients, clients, dying, dying, private_server_folder(server),
		private_server_folder(server));
	run = mem_printf("%s run %s", podman, mounts);
	CLEANUP(cleanup_free)
	char *import = mem_printf("tar -c --files-from /dev/null | %s import - nothing", podman);
	shell(import);
}

static void take_down(void)
{
	free(home);
	free(podman);
	free(mounts);
	free(run);
}

/* What is left of a test that failed, too. */
static void remove_containers(void)
{
	CLEANUP(cleanup_free) char *script = mem_printf("%s rm --all --force --time 0", podman);
	shell(script);
}

/* The engine's files name the container and its image. */
static void a_container_is_named(void **state)
{
	(void)state;
	const char *conninfo = live_group_conninfo(LIVE_UNIX, "application_name=inside");
	CLEANUP(cleanup_free)
	char *script = mem_printf(
		"exec %s --name shop nothing %s '%s' idle", run, live_client_path(), conninfo);
	CLEANUP(cleanup_free) char *password = mem_printf("PGPASSWORD=%s", live_password());
	struct live_program *container = live_start(&(const struct live_program_options){
		.argv = (const char *const[]){ "sh", "-c", script, NULL },
		.env = (const char *const[]){ password, NULL } });
	live_wait_out(container, "ready\n", WAIT_MS);
	const struct live_program_options options = { .env = (const char *const[]){ home, NULL } };
	struct live_program *dbtop =
		live_dbtop_start(&options, "--json", live_group_conninfo(LIVE_UNIX, NULL), NULL);
	(void)live_finish(dbtop, WAIT_MS);
	json_t *root = live_last_json(dbtop, NULL);
	if (!root)
		fail_msg("no snapshot: %s", live_err(dbtop));
	json_t *row = live_find_text(root, "connections", "application_name", "inside");
	json_t *process = live_find_text(root, "processes", "container", "shop");
	const char *image = process ? live_text(process, "image") : NULL;
	const char *name = row ? live_text(row, "process.container") : NULL;
	if (!name || strcmp(name, "shop") != 0 || !image ||
		strcmp(image, "localhost/nothing:latest") != 0 ||
		strcmp(live_text(row, "client_end"), "held") != 0 ||
		!json_is_integer(live_member(row, "process.network_namespace")))
		fail_msg("%s", json_dumps(root, JSON_INDENT(1)));
	json_decref(root);
}

/* conmon, and so the container's processes, become dbtop's own children; podman passes the signal
 * on. */
static void podman_run_gets_a_verdict(void **state)
{
	(void)state;
	static const struct {
		const char *behaviour, *verdict;
	} cases[] = {
		{ "closed", "pass" },
		{ "left-sessions", "fail" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		CLEANUP(cleanup_free)
		char *script = mem_printf("exec %s nothing %s '%s' %s", run, DYING_PATH,
			live_group_conninfo(LIVE_UNIX, NULL), cases[i].behaviour);
		CLEANUP(cleanup_free) char *password = mem_printf("PGPASSWORD=%s", live_password());
		const struct live_program_options options = { .env = (const char *const[]){
								      password, NULL } };
		struct live_program *dbtop = live_dbtop_start(&options, "--shutdown-test", "--json",
			"--ready", "2", "--signal", "INT", "--timeout", "60", "--ready-timeout",
			"60", live_group_conninfo(LIVE_UNIX, NULL), "--", "sh", "-c", script, NULL);
		int status = live_finish(dbtop, WAIT_MS);
		json_t *root = live_last_json(dbtop, NULL);
		if (!root)
			fail_msg("status %d: %s", status, live_err(dbtop));
		const char *verdict = live_text(root, "verdict");
		if (!verdict || strcmp(verdict, cases[i].verdict) != 0 ||
			json_integer_value(live_member(root, "connections_before")) != 2)
			fail_msg("%s: %s", cases[i].behaviour, json_dumps(root, JSON_INDENT(1)));
		json_decref(root);
	}
}

static const char *socket_path;

static bool is_served(void *data)
{
	(void)data;
	return access(socket_path, F_OK) == 0;
}

/* The verdict on an engine's client as the command, as JSON; `more` is an option of its run. dbtop
 * recognises the client only if that is the command itself: no shell. */
static json_t *judge_client(const char *ready_timeout, const char *more)
{
	char *words[64] = { (char *)live_dbtop_path() };
	size_t count = 1;
	CLEANUP(cleanup_free)
	char *line = mem_printf("--shutdown-test --json --ready 2 --signal INT --target leader "
				"--timeout 60 --ready-timeout %s CONNINFO -- podman --remote --url "
				"unix://%s run %s %s nothing %s CONNINFO closed",
		ready_timeout, socket_path, more, mounts, DYING_PATH);
	const char *conninfo = live_group_conninfo(LIVE_UNIX, NULL);
	for (char *rest, *word = strtok_r(line, " ", &rest); word;
		word = strtok_r(NULL, " ", &rest))
		words[count++] = strcmp(word, "CONNINFO") == 0 ? (char *)conninfo : word;
	assert_true(count < sizeof(words) / sizeof(words[0]));
	CLEANUP(cleanup_free) char *password = mem_printf("PGPASSWORD=%s", live_password());
	struct live_program *dbtop =
		live_start(&(const struct live_program_options){ .argv = (const char *const *)words,
			.env = (const char *const[]){ password, NULL } });
	(void)live_finish(dbtop, WAIT_MS);
	json_t *root = live_last_json(dbtop, NULL);
	if (!root || !json_is_array(live_member(root, "timeline")))
		fail_msg("%s", live_err(dbtop));
	return root;
}

/* As with docker: the client asks a daemon, and the container is no descendant of the client. What
 * tells its processes is the id that the engine writes for --cidfile. */
static void a_container_of_a_daemon_is_followed(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *path = mem_printf("%s/podman.sock", live_folder());
	CLEANUP(cleanup_free)
	char *script = mem_printf("exec %s system service --time 0 unix://%s", podman, path);
	socket_path = path;
	struct live_program *service = live_start(&(const struct live_program_options){
		.argv = (const char *const[]){ "sh", "-c", script, NULL } });
	if (!live_wait(is_served, NULL, WAIT_MS))
		fail_msg("the service: %s", live_err(service));
	json_t *root = judge_client("60", "--label daemon=yes");
	const char *verdict = live_text(root, "verdict");
	CLEANUP(cleanup_free) char *line = json_dumps(root, 0);
	if (!verdict || strcmp(verdict, "pass") != 0 ||
		json_integer_value(live_member(root, "connections_before")) != 2 ||
		!strstr(line, "\"the container's dying ") ||
		!strstr(live_text(json_array_get(live_member(root, "timeline"), 0), "text"),
			"--cidfile"))
		fail_msg("%s", live_text(root, "text"));
	json_decref(root);
	/* dbtop takes the label for the name of the file: no id comes, and so no verdict */
	root = judge_client("1", "--label --cidfile=/nowhere/id");
	if (strcmp(live_text(root, "verdict"), "none") != 0 ||
		!strstr(live_text(root, "text"), "no container's id appeared in /nowhere/id"))
		fail_msg("%s", live_text(root, "text"));
	json_decref(root);
	/* The client has ended, but the daemon may be about to start its container: told to end, it
	 * finishes that first, and the container is there to be removed. */
	live_signal(service, SIGTERM);
	(void)live_finish(service, WAIT_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* root's */
		LIVE_TEST(a_container_is_named),
		LIVE_TEST(podman_run_gets_a_verdict),
		LIVE_TEST(a_container_of_a_daemon_is_followed),
	};
	return LIVE_GROUP("containers", tests, .set_up = set_up, .take_down = take_down,
		.clean_up = remove_containers, .root_tests = sizeof(tests) / sizeof(tests[0]));
}
