/* Runs a target on its seeds, and on the same changed at random: the same changes at each run.
 * Usage: TARGET SEED-FOLDER [ROUNDS] */
#include <dirent.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "fuzz.h"

#define INPUT_MAX      32768
#define ROUNDS_DEFAULT 20000
#define SEEDS_MAX      64

struct input {
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
static void run(const struct input *input)
{
	CLEANUP(cleanup_free) uint8_t *copy = malloc(input->size ? input->size : 1);
	MUST(copy);
	memcpy(copy, input->bytes, input->size);
	(void)LLVMFuzzerTestOneInput(copy, input->size);
}

static bool read_seed(const char *folder, const char *name, struct input *ret_seed)
{
	char path[4096];
	struct stat status;
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	if (stat(path, &status) < 0 || !S_ISREG(status.st_mode))
		return false;
	CLEANUP(cleanup_file) FILE *file = fopen(path, "rbe");
	if (!file)
		return false;
	ret_seed->size = fread(ret_seed->bytes, 1, INPUT_MAX, file);
	return true;
}

static size_t read_seeds(const char *folder, struct input *seeds)
{
	CLEANUP(cleanup_dir) DIR *dir = opendir(folder);
	size_t count = 0;
	if (!dir)
		return 0;
	for (struct dirent *entry; (entry = readdir(dir)) && count < SEEDS_MAX;)
		if (read_seed(folder, entry->d_name, &seeds[count]))
			count++;
	return count;
}

int main(int argc, char **argv)
{
	static struct input seeds[SEEDS_MAX], input;
	size_t n_seeds = argc > 1 ? read_seeds(argv[1], seeds) : 0;
	long rounds = argc > 2 ? strtol(argv[2], NULL, 10) : ROUNDS_DEFAULT;
	if (!n_seeds || rounds < 1) {
		fprintf(stderr, "usage: %s SEED-FOLDER [ROUNDS]; no seeds, no test\n", argv[0]);
		return 1;
	}
	for (size_t i = 0; i < n_seeds; i++)
		run(&seeds[i]);
	for (long round = 0; round < rounds; round++) {
		input = seeds[random_below(n_seeds)];
		for (uint64_t i = random_below(4) + 1; i > 0; i--)
			changes[random_below(sizeof(changes) / sizeof(changes[0]))](&input);
		run(&input);
	}
	printf("%zu seeds, %ld changed inputs\n", n_seeds, rounds);
	return 0;
}
