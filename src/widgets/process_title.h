/* A short title for a process: "python3 main.py". */
#ifndef WIDGETS_PROCESS_TITLE_H
#define WIDGETS_PROCESS_TITLE_H

#include <stdbool.h>

#include "model/style.h"

struct line;
struct process;

/* The command line without folders; if it is not known, the process's name. */
void process_title_add(const struct process *process, enum style style, struct line *line);

#define PROCESS_TITLE_SHORT 20 /* bytes */

/* The same, shortened to the first words that fit into PROCESS_TITLE_SHORT, and … for the others.
 * The first word is always there. */
void process_title_add_short(const struct process *process, enum style style, struct line *line);

/* Whether the title begins with this name: "storefront" under "storefront --workers 3". */
bool process_title_says(const struct process *process, const char *name);

#endif
