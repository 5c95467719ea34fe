/* A hash map from 64-bit keys to 32-bit values, in an arena. The joins use it as their index. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

#define MAP_NONE UINT32_MAX

struct arena;
struct map;

/* Creates a map with room for at least `expected` keys; it grows when there are more. */
struct map *map_new(struct arena *arena, size_t expected) __attribute__((returns_nonnull));

/* Sets the key's value; replaces an earlier one. */
void map_set(struct map *map, uint64_t key, uint32_t value);

/* The same; returns the earlier value, or MAP_NONE. */
uint32_t map_swap(struct map *map, uint64_t key, uint32_t value);

/* Returns the key's value, or MAP_NONE. */
uint32_t map_get(const struct map *map, uint64_t key);

/* Adds one more word to a key made of several words; their order matters. */
uint64_t map_mix(uint64_t key, uint64_t word);

#endif
