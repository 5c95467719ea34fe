/* Reads the paths of control groups.
 *
 * systemd names a unit's group after the unit, below its slices: /system.slice/jarvis.service.
 * Container engines put the 64 hexadecimal digits of the id into one of the last folders, each with
 * its own prefix: /docker/ID, docker-ID.scope, libpod-ID.scope, cri-containerd-ID.scope,
 * …slice:cri-containerd:ID, kubepods/burstable/podUID/ID. The steps of a build have shorter ids:
 * buildkit/ID. systemd-nspawn and LXC have names. */
#include "proc/cgroup.h"

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/text.h"

#define ID_DIGITS    64
#define SHOWN_DIGITS 12

struct cgroup_span {
	const char *start;
	size_t length;
};

static bool starts_with(struct cgroup_span span, const char *prefix)
{
	size_t length = strlen(prefix);
	return span.length >= length && memcmp(span.start, prefix, length) == 0;
}

static bool is_equal(struct cgroup_span span, const char *text)
{
	return span.length == strlen(text) && memcmp(span.start, text, span.length) == 0;
}

static bool ends_with(struct cgroup_span span, const char *suffix)
{
	size_t length = strlen(suffix);
	return span.length > length &&
		memcmp(span.start + span.length - length, suffix, length) == 0;
}

/* Returns the last part of the path before *end, and moves *end to before it. */
static bool previous_part(const char *path, const char **end, struct cgroup_span *ret)
{
	while (*end > path && (*end)[-1] == '/')
		(*end)--;
	if (*end == path)
		return false;
	const char *start = *end;
	while (start > path && start[-1] != '/')
		start--;
	*ret = (struct cgroup_span){ start, (size_t)(*end - start) };
	*end = start;
	return true;
}

/* A run of exactly 64 hexadecimal digits; NULL if there is none. The monitor that an engine runs
 * beside a container (libpod-conmon-ID.scope) is not in the container, and a slice is not one: that
 * of a pod has the pod's id. */
static const char *container_id(struct cgroup_span part)
{
	static const char *const monitors[] = { "libpod-conmon-", "crio-conmon-" };
	if (ends_with(part, ".slice"))
		return NULL;
	for (size_t i = 0; i < sizeof(monitors) / sizeof(monitors[0]); i++)
		if (starts_with(part, monitors[i]))
			return NULL;
	size_t run = 0;
	for (size_t i = 0; i <= part.length; i++) {
		if (i < part.length && isalnum((unsigned char)part.start[i])) {
			bool digit = isxdigit((unsigned char)part.start[i]);
			run = digit && run <= ID_DIGITS ? run + 1 : ID_DIGITS + 1;
			continue;
		}
		if (run == ID_DIGITS)
			return part.start + i - ID_DIGITS;
		run = 0;
	}
	return NULL;
}

static bool is_unit(struct cgroup_span part)
{
	if (ends_with(part, ".scope"))
		return true;
	return ends_with(part, ".service") && !starts_with(part, "user@");
}

/* systemd escapes a byte in a name as \x and two digits. */
static const char *unescape(struct arena *arena, struct cgroup_span name)
{
	char *text = arena_strndup(arena, name.start, name.length);
	size_t length = 0;
	for (size_t i = 0; i < name.length; i++) {
		unsigned byte;
		char digits[3] = "";
		if (name.length - i >= 4 && text[i] == '\\' && text[i + 1] == 'x')
			memcpy(digits, text + i + 2, 2);
		if (isxdigit((unsigned char)digits[0]) && isxdigit((unsigned char)digits[1]) &&
			sscanf(digits, "%2x", &byte) == 1) {
			text[length++] = (char)byte;
			i += 3;
		} else {
			text[length++] = text[i];
		}
	}
	return text_clean(arena, text, length, TEXT_LINE);
}

/* The name of a machine: systemd-nspawn@NAME.service, machine-NAME.scope, lxc.payload.NAME. NULL if
 * it is none. */
static const char *machine_name(struct arena *arena, struct cgroup_span part)
{
	static const struct {
		const char *prefix, *suffix;
	} forms[] = {
		{ "systemd-nspawn@", ".service" },
		{ "machine-", ".scope" },
		{ "lxc.payload.", "" },
	};
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		size_t prefix = strlen(forms[i].prefix), suffix = strlen(forms[i].suffix);
		if (!starts_with(part, forms[i].prefix) || part.length <= prefix + suffix ||
			(suffix && !ends_with(part, forms[i].suffix)))
			continue;
		return unescape(arena,
			(struct cgroup_span){ part.start + prefix, part.length - prefix - suffix });
	}
	return NULL;
}

/* The name or the short id of a container in a folder of containers; NULL if it is none. */
static const char *name_in_folder(
	struct arena *arena, struct cgroup_span folder, struct cgroup_span below)
{
	if (is_equal(folder, "lxc") || is_equal(folder, "lxc.payload"))
		return text_clean(arena, below.start, below.length, TEXT_LINE);
	if (is_equal(folder, "buildkit") && below.length > SHOWN_DIGITS)
		return text_clean(arena, below.start, SHOWN_DIGITS, TEXT_LINE);
	return NULL;
}

/* The deepest part decides, because a unit may have groups of its own below its group. */
static void read_path(struct arena *arena, struct cgroup_span path, struct cgroup *cgroup)
{
	const char *end = path.start + path.length;
	struct cgroup_span part, below = { .length = 0 };
	for (; previous_part(path.start, &end, &part); below = part) {
		const char *id = container_id(part);
		if (id && !cgroup->container) {
			cgroup->container = arena_strndup(arena, id, SHOWN_DIGITS);
			cgroup->container_id = arena_strndup(arena, id, ID_DIGITS);
		}
		const char *machine = id ? NULL : machine_name(arena, part);
		if (!id && !machine && below.length)
			machine = name_in_folder(arena, part, below);
		if (machine && !cgroup->container)
			cgroup->container = machine;
		if (!id && !machine && !cgroup->unit && is_unit(part))
			cgroup->unit = text_clean(arena, part.start, part.length, TEXT_LINE);
		else if (cgroup->unit && starts_with(part, "user@") && ends_with(part, ".service"))
			cgroup->unit_is_users = true;
	}
}

/* A line is HIERARCHY:CONTROLLERS:PATH. If the group was removed while the process was in it, the
 * kernel adds a mark to the path. */
static struct cgroup_span path_of(struct cgroup_span line)
{
	static const char removed[] = " (deleted)";
	const char *path = memchr(line.start, ':', line.length);
	const char *end = line.start + line.length;
	if (path)
		path = memchr(path + 1, ':', (size_t)(end - path - 1));
	if (!path)
		return (struct cgroup_span){ end, 0 };
	struct cgroup_span span = { path + 1, (size_t)(end - path - 1) };
	if (ends_with(span, removed))
		span.length -= sizeof(removed) - 1;
	return span;
}

struct cgroup cgroup_parse(struct arena *arena, const char *text)
{
	struct cgroup cgroup = { .unit = NULL };
	while (*text) {
		struct cgroup_span line = { text, strcspn(text, "\n") };
		read_path(arena, path_of(line), &cgroup);
		text += line.length;
		text += *text == '\n';
	}
	return cgroup;
}
