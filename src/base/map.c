/* Open addressing with linear probing, at most half full. */
#include "base/map.h"

#include "base/arena.h"

struct map_entry {
	uint64_t key;
	uint32_t value;
	uint32_t taken;
};

struct map {
	struct arena *arena;
	struct map_entry *entries;
	size_t mask, count;
	int shift; /* leaves as many bits of a hash as the mask has */
};

uint64_t map_mix(uint64_t key, uint64_t word)
{
	/* changes the key before it adds the word, so that (a, b) and (b, a) differ; then
	 * splitmix64's finisher: https://prng.di.unimi.it/splitmix64.c (public domain) */
	uint64_t z = (key ^ (key >> 32)) * 0xd6e8feb86659fd93u + word + 0x9e3779b97f4a7c15u;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* The upper bits of a product depend on all bits of the key (Fibonacci hashing). */
static struct map_entry *find(const struct map *map, uint64_t key)
{
	size_t i = (key * 0x9e3779b97f4a7c15u) >> map->shift;
	while (map->entries[i].taken && map->entries[i].key != key)
		i = (i + 1) & map->mask;
	return &map->entries[i];
}

static void allocate(struct map *map, size_t size)
{
	map->entries = arena_array(map->arena, size, sizeof(*map->entries));
	map->mask = size - 1;
	map->shift = __builtin_clzll(map->mask);
}

struct map *map_new(struct arena *arena, size_t expected)
{
	struct map *map = arena_alloc(arena, sizeof(*map));
	map->arena = arena;
	size_t size = 16;
	while (size < expected * 2)
		size *= 2;
	allocate(map, size);
	return map;
}

static void grow(struct map *map)
{
	const struct map_entry *old = map->entries;
	size_t old_size = map->mask + 1;
	allocate(map, old_size * 2);
	for (size_t i = 0; i < old_size; i++)
		if (old[i].taken)
			*find(map, old[i].key) = old[i];
}

uint32_t map_swap(struct map *map, uint64_t key, uint32_t value)
{
	if ((map->count + 1) * 2 > map->mask + 1)
		grow(map);
	struct map_entry *entry = find(map, key);
	uint32_t before = entry->taken ? entry->value : MAP_NONE;
	map->count += !entry->taken;
	*entry = (struct map_entry){ .key = key, .value = value, .taken = 1 };
	return before;
}

void map_set(struct map *map, uint64_t key, uint32_t value)
{
	(void)map_swap(map, key, value);
}

uint32_t map_get(const struct map *map, uint64_t key)
{
	const struct map_entry *entry = find(map, key);
	return entry->taken ? entry->value : MAP_NONE;
}
