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

static void read_cgroup(struct arena *arena, const char *bytes, size_t size)
{
	const char *text = arena_strndup(arena, bytes, size);
	struct cgroup cgroup = cgroup_parse(arena, text);
	check_clean(cgroup.unit);
	check_clean(cgroup.container);
	MUST(!cgroup.container || strlen(cgroup.container) == 12);
}

static void read_attributes(const char *bytes, size_t size)
{
	struct netlink_attribute attribute;
	size_t offset = 0;
	while (netlink_next_attribute(bytes, size, &offset, &attribute)) {
		const char *value = attribute.value;
		MUST(value >= bytes && attribute.size <= size);
		MUST((size_t)(value - bytes) <= size - attribute.size);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	const char *bytes = (const char *)data + 1;
	struct arena *arena = arena_new();
	switch (data[0] % 3) {
	case 0: check_clean(cmdline_format(arena, bytes, size - 1)); break;
	case 1: read_cgroup(arena, bytes, size - 1); break;
	default: read_attributes(bytes, size - 1); break;
	}
	arena_free(arena);
	return 0;
}
