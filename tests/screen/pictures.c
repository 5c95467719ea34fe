/* The pictures of the README, made by the program itself.
 *
 * pictures STAGE FOLDER writes them; pictures --check STAGE FOLDER fails unless the folder's are
 * the ones it would write. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "svg.h"
#include "term.h"

static const struct picture {
	const char *file, *scene, *theme, *title;
	int width, height;
	int rows;          /* of the picture, from the top; 0: all */
	const char *shows; /* when this is on the screen it is drawn */
} pictures[] = {
	{ "dashboard", "dashboard", "default", "dbtop", 120, 37, 0, "quit" },
	{ "plan", "plan", "default", "dbtop: k, the plan", 120, 18, 0, "Enter end 3" },
	{ "details", "details", "default", "dbtop: Enter, the details", 120, 34, 0, "Esc" },
	{ "full", "full", "default", "dbtop: the server is full", 120, 18, 0, "FULL" },
	{ "small", "dashboard", "default", "dbtop in 40×12", 40, 12, 0, "q" },
	{ "pools", "pools", "default", "dbtop: pools", 120, 30, 14, "flushing" },
	{ "watch", "watch", "default", "dbtop: w, the shutdown watch", 120, 24, 0, "PASS" },
	{ "emergency", "emergency", "default", "dbtop: E, the emergency", 120, 24, 0,
		"left alone" },
	{ "overview", "overview", "default", "dbtop --all", 120, 15, 0, "quit" },
};

static bool shows(struct term *term, void *data)
{
	return term_shows(term, data);
}

/* NULL when it does not come to be. */
static char *make(const char *stage, const struct picture *picture)
{
	struct term *term = term_start(
		&(struct term_options){ .width = picture->width, .height = picture->height },
		(const char *const[]){ stage, picture->scene, picture->theme, NULL });
	char *svg = NULL;
	if (term_wait(term, shows, (void *)picture->shows, picture->shows) && term_settle(term)) {
		CLEANUP(cleanup_free) struct term_screen *screen = term_copy(term);
		/* the rows below are left out */
		if (picture->rows)
			screen->height = picture->rows;
		svg = svg_of_screen(screen,
			&(struct svg_options){ .title = picture->title,
				.background = 0x14171c,
				.foreground = 0xd4dae1 });
	}
	term_end(term);
	return svg;
}

static char *read_file(const char *path)
{
	CLEANUP(cleanup_file) FILE *file = fopen(path, "re");
	char *text = NULL;
	size_t size = 0;
	if (file && getdelim(&text, &size, '\0', file) < 0) {
		free(text);
		text = NULL;
	}
	return text;
}

static int check(const char *path, const char *svg)
{
	CLEANUP(cleanup_free) char *kept = read_file(path);
	if (kept && strcmp(kept, svg) == 0)
		return 0;
	fprintf(stderr, "%s is not what dbtop looks like now: meson compile -C build pictures\n",
		path);
	return 1;
}

static int save(const char *path, const char *svg)
{
	CLEANUP(cleanup_file) FILE *file = fopen(path, "we");
	if (file && fputs(svg, file) >= 0)
		return 0;
	perror(path);
	return 1;
}

int main(int argc, char **argv)
{
	bool checks = argc > 1 && strcmp(argv[1], "--check") == 0;
	int failures = 0;
	argc -= checks;
	argv += checks;
	if (argc != 3) {
		fputs("Usage: pictures [--check] STAGE FOLDER\n", stderr);
		return 2;
	}
	for (size_t i = 0; i < sizeof(pictures) / sizeof(pictures[0]); i++) {
		CLEANUP(cleanup_free)
		char *path = mem_printf("%s/%s.svg", argv[2], pictures[i].file);
		CLEANUP(cleanup_free) char *svg = make(argv[1], &pictures[i]);
		failures += !svg || (checks ? check(path, svg) : save(path, svg));
	}
	return failures != 0;
}
