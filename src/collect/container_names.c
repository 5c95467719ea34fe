/* Each engine keeps a file for a container, or one for all. The files are those of root, or of the
 * user who runs dbtop: another user's are not read. */
#include "collect/container_names.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/instant.h"
#include "base/mem.h"
#include "base/text.h"
#include "model/peers.h"

/* A larger file is not read. */
#define FILE_MOST (8 * 1024 * 1024)

/* How long a container stays without a name before it is looked for again: its file may be written
 * after its first process was started. */
#define LOOK_AGAIN (10 * USEC_PER_SEC)

/* Containers come and go: more are not remembered. */
#define KNOWN_MOST 4096

struct known_container {
	char id[65];
	char *name, *image; /* NULL: not known */
	int64_t asked_at;   /* monotonic */
};

struct container_names {
	char *root, *home;
	struct known_container *items;
	size_t count, room;
};

struct container_names *container_names_new(const char *root)
{
	struct container_names *names = mem_alloc(sizeof(*names));
	const char *home = getenv("HOME");
	names->root = mem_strdup(root);
	names->home = mem_strdup(home && *home == '/' ? home : "/root");
	return names;
}

static void forget(struct container_names *names)
{
	for (size_t i = 0; i < names->count; i++) {
		free(names->items[i].name);
		free(names->items[i].image);
	}
	names->count = 0;
}

void container_names_free(struct container_names *names)
{
	if (!names)
		return;
	forget(names);
	free(names->items);
	free(names->root);
	free(names->home);
	free(names);
}

static void cleanup_json(json_t **json)
{
	json_decref(*json);
}

/* NULL if there is no such file, or if it is another user's. */
static json_t *read_json(const char *path)
{
	struct stat st;
	CLEANUP(cleanup_fd)
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > FILE_MOST ||
		(st.st_uid != 0 && st.st_uid != geteuid()))
		return NULL;
	return json_loadfd(fd, 0, NULL);
}

static const char *text_at(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text && *text ? text : NULL;
}

static char *clean(const char *text)
{
	if (!text)
		return NULL;
	struct arena *arena = arena_new();
	char *copy = mem_strdup(text_clean(arena, text, strlen(text), TEXT_LINE));
	arena_free(arena);
	return copy;
}

static bool take(struct known_container *container, const char *name, const char *image)
{
	if (!name || !*name)
		return false;
	container->name = clean(name);
	container->image = clean(image);
	return true;
}

static bool read_docker(const char *root, struct known_container *container)
{
	CLEANUP(cleanup_free)
	char *path =
		mem_printf("%s/var/lib/docker/containers/%s/config.v2.json", root, container->id);
	CLEANUP(cleanup_json) json_t *file = read_json(path);
	const char *name = text_at(file, "Name");
	if (name && *name == '/')
		name++;
	return take(container, name, text_at(json_object_get(file, "Config"), "Image"));
}

/* A Kubernetes container is named with its pod: "pod/container". */
static bool read_annotations(const char *path, const char *pod_key, const char *name_key,
	const char *image_key, struct known_container *container)
{
	CLEANUP(cleanup_json) json_t *file = read_json(path);
	const json_t *annotations = json_object_get(file, "annotations");
	const char *pod = text_at(annotations, pod_key), *name = text_at(annotations, name_key);
	if (!pod)
		return take(container, name, text_at(annotations, image_key));
	CLEANUP(cleanup_free)
	char *both = mem_printf("%s%s%s", pod, name ? "/" : "", name ? name : "");
	return take(container, both, text_at(annotations, image_key));
}

static bool read_containerd(const char *root, struct known_container *container)
{
	static const char *const namespaces[] = { "k8s.io", "default", "moby" };
	for (size_t i = 0; i < sizeof(namespaces) / sizeof(namespaces[0]); i++) {
		CLEANUP(cleanup_free)
		char *path = mem_printf(
			"%s/run/containerd/io.containerd.runtime.v2.task/%s/%s/config.json", root,
			namespaces[i], container->id);
		if (read_annotations(path, "io.kubernetes.cri.sandbox-name",
			    "io.kubernetes.cri.container-name", "io.kubernetes.cri.image-name",
			    container) ||
			read_annotations(path, "", "nerdctl/name", "", container))
			return true;
	}
	return false;
}

static bool read_crio(const char *root, struct known_container *container)
{
	CLEANUP(cleanup_free)
	char *path =
		mem_printf("%s/run/containers/storage/overlay-containers/%s/userdata/config.json",
			root, container->id);
	return read_annotations(path, "io.kubernetes.pod.name", "io.kubernetes.container.name",
		"io.kubernetes.cri-o.ImageName", container);
}

/* podman's and CRI-O's storage has a list of all containers. */
static bool read_list(const char *path, struct known_container *container)
{
	CLEANUP(cleanup_json) json_t *list = read_json(path);
	size_t i;
	const json_t *entry;
	json_array_foreach(list, i, entry)
	{
		const char *id = text_at(entry, "id");
		const char *metadata = text_at(entry, "metadata");
		if (!id || strcmp(id, container->id) != 0)
			continue;
		CLEANUP(cleanup_json)
		json_t *more = metadata ? json_loads(metadata, 0, NULL) : NULL;
		return take(container,
			json_string_value(json_array_get(json_object_get(entry, "names"), 0)),
			text_at(more, "image-name"));
	}
	return false;
}

static bool read_storage(const char *storage, struct known_container *container)
{
	static const char *const drivers[] = { "overlay", "vfs", "btrfs", "zfs" };
	static const char *const files[] = { "containers", "volatile-containers" };
	for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++)
		for (size_t k = 0; k < sizeof(files) / sizeof(files[0]); k++) {
			CLEANUP(cleanup_free)
			char *path = mem_printf(
				"%s/%s-containers/%s.json", storage, drivers[i], files[k]);
			if (read_list(path, container))
				return true;
		}
	return false;
}

static void look_up(const struct container_names *names, struct known_container *container)
{
	CLEANUP(cleanup_free)
	char *roots = mem_printf("%s/var/lib/containers/storage", names->root);
	CLEANUP(cleanup_free)
	char *own = mem_printf("%s%s/.local/share/containers/storage", names->root, names->home);
	(void)(read_docker(names->root, container) || read_crio(names->root, container) ||
		read_storage(roots, container) || read_storage(own, container) ||
		read_containerd(names->root, container));
}

static struct known_container *find(struct container_names *names, const char *id)
{
	for (size_t i = 0; i < names->count; i++)
		if (strcmp(names->items[i].id, id) == 0)
			return &names->items[i];
	if (names->count == KNOWN_MOST)
		forget(names);
	names->items = mem_grow(names->items, names->count, &names->room, sizeof(*names->items));
	struct known_container *added = &names->items[names->count++];
	*added = (struct known_container){ .asked_at = INSTANT_UNKNOWN };
	snprintf(added->id, sizeof(added->id), "%s", id);
	return added;
}

void container_names_set(struct container_names *names, int64_t now, struct peers *peers)
{
	for (size_t i = 0; i < peers->n_processes; i++) {
		struct process *process = &peers->processes[i];
		if (!process->container_id)
			continue;
		struct known_container *known = find(names, process->container_id);
		bool due =
			known->asked_at == INSTANT_UNKNOWN || now - known->asked_at >= LOOK_AGAIN;
		if (!known->name && due) {
			look_up(names, known);
			known->asked_at = now;
		}
		if (!known->name)
			continue;
		process->container = arena_strdup(peers->arena, known->name);
		process->image = arena_strdup(peers->arena, known->image);
	}
}
