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

/* In a style that is laid over others (selected, changed, match) THEME_DEFAULT keeps the colour
 * below; in the others it is the terminal's own colour. */
struct theme_style {
	int fg, bg;
	bool bold, dim, underline, reverse, italic;
};

struct theme {
	char name[THEME_NAME_MAX];
	struct theme_style styles[STYLE_COUNT];
};

/* Whether it may be the name of a theme file: not empty, not hidden, not too long,
 * and without '/'. */
bool theme_name_is_valid(const char *name);

/* Reads a theme file; the theme's name is the file's without .yaml. A style that is not in the file
 * equals `text`. Of those laid over others `selected` is reversed, `changed` bold, `match`
 * underlined. Returns 0, or a negative errno with *ret_error set. */
int theme_load(const char *path, struct theme *ret_theme, struct config_error *ret_error)
	__attribute__((warn_unused_result));

/* The same from memory; `file` is its name in errors. */
int theme_parse(const char *file, const char *text, size_t len, struct theme *ret_theme,
	struct config_error *ret_error) __attribute__((warn_unused_result));

/* themes/NAME.yaml as it was when dbtop was built; reads no file. Returns 0, or -ENOENT. */
int theme_builtin(const char *name, struct theme *ret_theme) __attribute__((warn_unused_result));

/* The names of all themes: the built-in ones in their own order, the default first, then others
 * from the folders. In the arena, ends with NULL; each name is in it once. */
const char *const *theme_names(struct arena *arena, const char *const *folders);

/* Reads NAME.yaml from the first of the folders that has it (the list ends with NULL). A theme that
 * no folder has may be built in. Returns 0, -EINVAL for an invalid name or file, -ENOENT if no
 * folder has it; *ret_error is set. */
int theme_find(const char *name, const char *const *folders, struct theme *ret_theme,
	struct config_error *ret_error) __attribute__((warn_unused_result));

/* The folders of themes: themes/ in the user's folder (config_places; may be NULL), the installed
 * ones, and the source tree's for a dbtop that is not installed. In the arena, ends with NULL. */
const char *const *theme_folders(struct arena *arena, const char *user);

/* Converts the theme for a terminal with that many colours (8, 16, 88 as 16, 256; 1 << 24 keeps it;
 * fewer than 8: attributes only). A style is reversed if its background would be lost or would
 * equal the background of all others. If there is no grey, grey text is dim. */
struct theme theme_reduce(const struct theme *theme, int colors);

/* The nearest colour of a smaller palette, which is assumed to be xterm's; THEME_DEFAULT is kept. A
 * colour stays a colour and a grey a grey: a pale green does not become white. */
int theme_to_rgb(int color); /* 0xrrggbb of a colour that is not THEME_DEFAULT */
int theme_to_256(int color);
int theme_to_16(int color);
int theme_to_8(int color);

#endif
