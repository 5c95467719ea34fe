/* Runs a target on its seeds, each of which it must accept or refuse as the seed's name says, and
 * on the same changed at random: the same changes at each run. Usage: TARGET ROUNDS
 * SEED-OR-FOLDER...
 */
#include <dirent.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "fuzz.h"

#define INPUT_MAX 32768
#define SEEDS_MAX 64
#define REFUSED   "refused-"

struct input {
	char name[256];
	uint8_t bytes[INPUT_MAX];
	size_t size;
};

/* xorshift64: Marsaglia, "Xorshift RNGs", 2003 */
static uint64_t random_state = 0x9e3779b97f4a7c15;

static uint64_t random_below(uint64_t bound)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state % bound;
}

static void change_byte(struct input *input)
{
	if (input->size)
		input->bytes[random_below(input->size)] = (uint8_t)random_below(256);
}

static void flip_bit(struct input *input)
{
	if (input->size)
		input->bytes[random_below(input->size)] ^= (uint8_t)(1u << random_below(8));
}

static void cut(struct input *input)
{
	if (input->size)
		input->size = random_below(input->size);
}

static void insert(struct input *input)
{
	static const char *const pieces[] = { "\0", "\n", "\"", "{", "[", ": ", "- ", "\t",
		"\x1b[2J", "\xff", "\xf0\x9f\x90\x98", "\xcc\x81", "-1", "99999999999999999999",
		"null", "\\u0000" };
	const char *piece = pieces[random_below(sizeof(pieces) / sizeof(pieces[0]))];
	size_t length = *piece ? strlen(piece) : 1;
	size_t at = random_below(input->size + 1);
	if (input->size + length > INPUT_MAX)
		return;
	memmove(input->bytes + at + length, input->bytes + at, input->size - at);
	memcpy(input->bytes + at, piece, length);
	input->size += length;
}

static void double_piece(struct input *input)
{
	if (!input->size)
		return;
	size_t from = random_below(input->size);
	size_t length = random_below(input->size - from) + 1;
	if (input->size + length > INPUT_MAX)
		return;
	memmove(input->bytes + from + length, input->bytes + from, input->size - from);
	input->size += length;
}

static void (*const changes[])(
	struct input *) = { change_byte, flip_bit, cut, insert, insert, double_piece };

/* In memory of its own size, so that a sanitizer sees a byte read too far. */
static bool run(const struct input *input)
{
	CLEANUP(cleanup_free) uint8_t *copy = malloc(input->size ? input->size : 1);
	MUST(copy);
	memcpy(copy, input->bytes, input->size);
	return fuzz_one(copy, input->size);
}

/* Returns whether it was a plain file. */
static bool read_seed(const char *path, struct input *ret_seed)
{
	struct stat status;
	const char *slash = strrchr(path, '/');
	if (stat(path, &status) < 0 || !S_ISREG(status.st_mode))
		return false;
	CLEANUP(cleanup_file) FILE *file = fopen(path, "rbe");
	MUST(file && status.st_size <= INPUT_MAX);
	snprintf(ret_seed->name, sizeof(ret_seed->name), "%s", slash ? slash + 1 : path);
	ret_seed->size = fread(ret_seed->bytes, 1, INPUT_MAX, file);
	MUST((off_t)ret_seed->size == status.st_size);
	return true;
}

/* A seed, or a folder of them. Returns how many there are now. */
static size_t read_seeds(const char *path, struct input *seeds, size_t count)
{
	char inside[4096];
	if (count < SEEDS_MAX && read_seed(path, &seeds[count]))
		return count + 1;
	CLEANUP(cleanup_dir) DIR *dir = opendir(path);
	if (!dir) {
		fprintf(stderr, "%s: no seed and no folder of seeds\n", path);
		exit(1);
	}
	for (struct dirent *entry; (entry = readdir(dir));) {
		MUST(count < SEEDS_MAX);
		snprintf(inside, sizeof(inside), "%s/%s", path, entry->d_name);
		if (read_seed(inside, &seeds[count]))
			count++;
	}
	return count;
}

/* In the order of their names: that of the folder would change from machine to machine. */
static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct input *)a)->name, ((const struct input *)b)->name);
}

/* Returns how many are not as their names say. */
static int check_seeds(const struct input *seeds, size_t count)
{
	int wrong = 0;
	for (size_t i = 0; i < count; i++) {
		bool refused = strncmp(seeds[i].name, REFUSED, strlen(REFUSED)) == 0;
		if (run(&seeds[i]) == !refused)
			continue;
		fprintf(stderr, "the seed %s is %s\n", seeds[i].name,
			refused ? "accepted" : "refused: what is behind that is not tested");
		wrong++;
	}
	return wrong;
}

static void run_changed(const struct input *seeds, size_t count, long rounds)
{
	static struct input input;
	for (long round = 0; round < rounds; round++) {
		input = seeds[random_below(count)];
		for (uint64_t i = random_below(4) + 1; i > 0; i--)
			changes[random_below(sizeof(changes) / sizeof(changes[0]))](&input);
		(void)run(&input);
	}
}

int main(int argc, char **argv)
{
	static struct input seeds[SEEDS_MAX];
	size_t n_seeds = 0;
	long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : -1;
	for (int i = 2; i < argc; i++)
		n_seeds = read_seeds(argv[i], seeds, n_seeds);
	if (!n_seeds || rounds < 0) {
		fprintf(stderr, "usage: %s ROUNDS SEED-OR-FOLDER...; no seeds, no test\n", argv[0]);
		return 1;
	}
	qsort(seeds, n_seeds, sizeof(seeds[0]), by_name);
	if (check_seeds(seeds, n_seeds) > 0)
		return 1;
	run_changed(seeds, n_seeds, rounds);
	printf("%zu seeds, %ld changed inputs\n", n_seeds, rounds);
	return 0;
}
