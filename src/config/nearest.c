/* Edit distance with transpositions: optimal string alignment. */
#include "config/nearest.h"

#include <stdint.h>
#include <string.h>

#define LONGEST 64

/* Fewer characters begin too many names. */
#define PREFIX_LEAST 3

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;
	return least < c ? least : c;
}

size_t nearest_distance(const char *a, const char *b)
{
	size_t a_len = strlen(a), b_len = strlen(b);
	if (a_len > LONGEST || b_len > LONGEST)
		return SIZE_MAX;
	size_t cost[LONGEST + 1][LONGEST + 1];
	for (size_t i = 0; i <= a_len; i++)
		cost[i][0] = i;
	for (size_t j = 0; j <= b_len; j++)
		cost[0][j] = j;
	for (size_t i = 1; i <= a_len; i++)
		for (size_t j = 1; j <= b_len; j++) {
			size_t wrong = cost[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
			cost[i][j] = min3(cost[i - 1][j] + 1, cost[i][j - 1] + 1, wrong);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
				cost[i - 2][j - 2] + 1 < cost[i][j])
				cost[i][j] = cost[i - 2][j - 2] + 1;
		}
	return cost[a_len][b_len];
}

/* The first name that the typed one is the beginning of. */
static const char *find_longer(const char *typed, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strncmp(typed, names[i], strlen(typed)) == 0)
			return names[i];
	return NULL;
}

const char *nearest_name(const char *typed, const char *const *names, size_t count)
{
	const char *dot = strrchr(typed, '.');
	size_t length = strlen(dot ? dot + 1 : typed), allowed = length / 3;
	size_t least = (allowed ? allowed : 1) + 1;
	const char *nearest = NULL;
	for (size_t i = 0; i < count; i++) {
		size_t distance = nearest_distance(typed, names[i]);
		if (distance >= least)
			continue;
		least = distance;
		nearest = names[i];
	}
	return nearest || length < PREFIX_LEAST ? nearest : find_longer(typed, names, count);
}
