/* A theme: a colour and attributes for each style the view names. */
#ifndef CONFIG_THEME_H
#define CONFIG_THEME_H

#include <stdbool.h>
#include <stddef.h>

#include "config/error.h"
#include "model/style.h"

struct arena;

#define THEME_NAME_MAX 64

/* A colour: THEME_DEFAULT, a palette index 0 to 255, or THEME_RGB(0xrrggbb). */
#define THEME_DEFAULT       (-1)
#define THEME_RGB(rrggbb)   (0x1000000 | (rrggbb))
#define THEME_IS_RGB(color) ((color) >= 0x1000000)

/* Of a style that is laid over others (selected, changed, match), THEME_DEFAULT leaves the colour
 * below as it is; of any other it is the terminal's own. */
struct theme_style {
	int fg, bg;
	bool bold, dim, underline, reverse, italic;
};

struct theme {
	char name[THEME_NAME_MAX];
	struct theme_style styles[STYLE_COUNT];
};

/* Whether it can be a theme file's name: not empty, not hidden, not too long, and without '/'. */
bool theme_name_is_valid(const char *name);

/* Reads a theme file; its name is the file's without .yaml. A style that is not in it is as `text`;
 * of those laid over others `selected` is reversed, `changed` bold, `match` underlined. Returns 0,
 * or a negative errno with *ret_error set. */
int theme_load(const char *path, struct theme *ret_theme, struct config_error *ret_error)
	__attribute__((warn_unused_result));

/* The same from memory; file is what errors call it. */
int theme_parse(const char *file, const char *text, size_t len, struct theme *ret_theme,
	struct config_error *ret_error) __attribute__((warn_unused_result));

/* themes/NAME.yaml as it was when dbtop was built: needs no file. Returns 0, or -ENOENT. */
int theme_builtin(const char *name, struct theme *ret_theme) __attribute__((warn_unused_result));

/* The names of all themes: those that are built in in their own order, the default one first, then
 * what the folders have besides. In the arena, ends with NULL; no name comes twice. */
const char *const *theme_names(struct arena *arena, const char *const *folders);

/* NAME.yaml in the first of the folders that has it (the list ends with NULL); one that is in none
 * of them may be built in. Returns 0, -EINVAL for a name or a file that is no good,
 * -ENOENT when no folder has it; *ret_error is set. */
int theme_find(const char *name, const char *const *folders, struct theme *ret_theme,
	struct config_error *ret_error) __attribute__((warn_unused_result));

/* Where themes are: themes/ in the user's folder (config_places; may be NULL), the installed ones,
 * the source tree's for a dbtop that is not installed. In the arena, ends with NULL. */
const char *const *theme_folders(struct arena *arena, const char *user);

/* The theme for a terminal of that many colours (8, 16, 88 as 16, 256; 1 << 24 keeps it as it is;
 * fewer than 8: attributes alone). Where a background would be lost, or become the ground that all
 * stands on, the style is reversed; where there is no grey, what was grey is dim. */
struct theme theme_reduce(const struct theme *theme, int colors);

/* The nearest colour of a smaller palette, taking the terminal's to be xterm's; THEME_DEFAULT
 * stays. What is a colour stays one, and a grey a grey: a pale green is not mistaken for white. */
int theme_to_rgb(int color); /* 0xrrggbb, of what is not THEME_DEFAULT */
int theme_to_256(int color);
int theme_to_16(int color);
int theme_to_8(int color);

#endif
