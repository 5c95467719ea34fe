/* The locks screen: which session blocks which. */
#ifndef VIEW_LOCKS_H
#define VIEW_LOCKS_H

#include "widgets/ui.h"
#include <stddef.h>

struct assessment;
struct connection;
extern const struct view locks_view;

/* The session in this line of the screen, or in the last line if there are fewer; NULL if no
 * session waits, or if it is not shown to our role. */
const struct connection *locks_at(const struct assessment *assessment, size_t line);

#endif
