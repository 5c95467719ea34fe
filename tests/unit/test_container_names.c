/* Names of containers from recorded files of their engines, and what is not believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/instant.h"
#include "base/mem.h"
#include "collect/container_names.h"
#include "model/peers.h"

#define DIGITS "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde"

static char root[] = "/tmp/test_container_names.XXXXXX";

/* Writes a file below the root, and the folders above it. */
static void write_file(const char *path, const char *text)
{
	char *whole = mem_printf("%s%s", root, path);
	for (char *slash = whole + sizeof(root); (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		(void)mkdir(whole, 0700);
		*slash = '/';
	}
	FILE *file = fopen(whole, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	free(whole);
}

static struct peers *peers_of(const char *id)
{
	struct peers *peers = peers_new();
	peers->processes = arena_array(peers->arena, 2, sizeof(*peers->processes));
	peers->n_processes = 2;
	peers->processes[0].container = "short";
	peers->processes[0].container_id = id;
	return peers;
}

static void check(
	struct container_names *names, int64_t now, char last, const char *name, const char *image)
{
	char id[] = DIGITS "x";
	id[sizeof(id) - 2] = last;
	struct peers *peers = peers_of(id);
	container_names_set(names, now, peers);
	assert_string_equal(peers->processes[0].container, name);
	assert_string_equal(peers->processes[0].image ? peers->processes[0].image : "", image);
	assert_null(peers->processes[1].container);
	peers_unref(peers);
}

static void each_engines_files_are_read(void **state)
{
	(void)state;
	setenv("HOME", "/home/app", 1);
	write_file("/var/lib/docker/containers/" DIGITS "1/config.v2.json",
		"{\"Name\":\"/web\",\"Config\":{\"Image\":\"shop:1.2\"}}");
	write_file("/run/containerd/io.containerd.runtime.v2.task/k8s.io/" DIGITS "2/config.json",
		"{\"annotations\":{\"io.kubernetes.cri.sandbox-name\":\"shop-7f\","
		"\"io.kubernetes.cri.container-name\":\"api\","
		"\"io.kubernetes.cri.image-name\":\"registry/api:3\"}}");
	write_file("/run/containers/storage/overlay-containers/" DIGITS "3/userdata/config.json",
		"{\"annotations\":{\"io.kubernetes.pod.name\":\"shop-8\","
		"\"io.kubernetes.container.name\":\"db\"}}");
	write_file("/var/lib/containers/storage/overlay-containers/containers.json",
		"[{\"id\":\"other\",\"names\":[\"other\"]},{\"id\":\"" DIGITS
		"4\",\"names\":[\"jobs\"],\"metadata\":\"{\\\"image-name\\\":\\\"jobs:9\\\"}\"}]");
	write_file(
		"/home/app/.local/share/containers/storage/vfs-containers/volatile-containers.json",
		"[{\"id\":\"" DIGITS "5\",\"names\":[\"mine\"],\"metadata\":\"\"}]");
	struct container_names *names = container_names_new(root);
	check(names, 0, '1', "web", "shop:1.2");
	check(names, 0, '2', "shop-7f/api", "registry/api:3");
	check(names, 0, '3', "shop-8/db", "");
	check(names, 0, '4', "jobs", "jobs:9");
	check(names, 0, '5', "mine", "");
	container_names_free(names);
}

/* It keeps the short id; it is looked for again, but not at once. */
static void a_container_without_a_name_is_asked_for_later(void **state)
{
	(void)state;
	struct container_names *names = container_names_new(root);
	check(names, 0, '6', "short", "");
	write_file("/var/lib/docker/containers/" DIGITS "6/config.v2.json",
		"{\"Name\":\"/la\\u001b[2Jte\"}");
	check(names, USEC_PER_SEC, '6', "short", "");
	check(names, 60 * USEC_PER_SEC, '6', "la␛[2Jte", "");
	container_names_free(names);
}

static void strange_files_are_no_names(void **state)
{
	(void)state;
	static const char *const texts[] = { "", "{", "[]", "{\"Name\":7}", "{\"Name\":\"/\"}",
		"{\"Name\":null,\"Config\":[]}" };
	struct container_names *names = container_names_new(root);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		write_file("/var/lib/docker/containers/" DIGITS "7/config.v2.json", texts[i]);
		check(names, (int64_t)i * 60 * USEC_PER_SEC, '7', "short", "");
	}
	/* a link is not followed */
	char *link = mem_printf("%s/var/lib/docker/containers/" DIGITS "8", root);
	char *file = mem_printf("%s/config.v2.json", link);
	assert_int_equal(mkdir(link, 0700), 0);
	assert_int_equal(symlink("../" DIGITS "1/config.v2.json", file), 0);
	check(names, 0, '8', "short", "");
	free(link);
	free(file);
	container_names_free(names);
}

static int make_root(void **state)
{
	(void)state;
	return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
	(void)state;
	char *command = mem_printf("rm -rf %s", root);
	int r = system(command);
	free(command);
	return r;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_engines_files_are_read),
		cmocka_unit_test(a_container_without_a_name_is_asked_for_later),
		cmocka_unit_test(strange_files_are_no_names),
	};
	return cmocka_run_group_tests_name("container_names", tests, make_root, remove_root);
}
