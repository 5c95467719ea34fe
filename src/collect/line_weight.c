#include "collect/line_weight.h"

bool line_weight_is_allowed(const char *line, size_t length)
{
	size_t n_groups = 0, n_values = 1;
	bool is_quoted = false;
	for (size_t i = 0; i < length; i++) {
		char c = line[i];
		if (is_quoted && c == '\\')
			i++;
		else if (c == '"')
			is_quoted = !is_quoted;
		else if (!is_quoted && (c == '{' || c == '['))
			n_groups++;
		else if (!is_quoted && c == ',')
			n_values++;
	}
	return n_groups <= LINE_GROUPS_MOST && n_values <= LINE_VALUES_MOST;
}
