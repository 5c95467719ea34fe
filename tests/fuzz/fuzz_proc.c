/* collect: command lines, control groups and rows of sock_diag, as any process may make them. The
 * first byte chooses the reader. */
#include <string.h>

#include "base/arena.h"
#include "collect/netlink.h"
#include "fuzz.h"
#include "proc/cgroup.h"
#include "proc/cmdline.h"

static void check_clean(const char *text)
{
	for (; text && *text; text++)
		MUST((unsigned char)*text >= 0x20 && *text != 0x7f);
}

static bool read_cgroup(struct arena *arena, const char *bytes, size_t size)
{
	const char *text = arena_strndup(arena, bytes, size);
	struct cgroup cgroup = cgroup_parse(arena, text);
	check_clean(cgroup.unit);
	check_clean(cgroup.container);
	MUST(!cgroup.container || strlen(cgroup.container) == 12);
	return cgroup.unit || cgroup.container;
}

static bool read_attributes(const char *bytes, size_t size)
{
	struct netlink_attribute attribute;
	size_t offset = 0;
	while (netlink_next_attribute(bytes, size, &offset, &attribute)) {
		const char *value = attribute.value;
		MUST(value >= bytes && attribute.size <= size);
		MUST((size_t)(value - bytes) <= size - attribute.size);
	}
	return offset == size && size > 0;
}

static bool read_cmdline(struct arena *arena, const char *bytes, size_t size)
{
	const char *text = cmdline_format(arena, bytes, size);
	check_clean(text);
	return text && *text;
}

bool fuzz_one(const uint8_t *data, size_t size)
{
	if (!size)
		return false;
	const char *bytes = (const char *)data + 1;
	struct arena *arena = arena_new();
	bool accepted = false;
	switch (data[0] % 3) {
	case 0: accepted = read_cmdline(arena, bytes, size - 1); break;
	case 1: accepted = read_cgroup(arena, bytes, size - 1); break;
	default: accepted = read_attributes(bytes, size - 1); break;
	}
	arena_free(arena);
	return accepted;
}
