/* config: a settings file is taken whole or refused with a line that says why. */
#include <string.h>

#include "config/config.h"
#include "fuzz.h"

bool fuzz_one(const uint8_t *data, size_t size)
{
	struct config *config = NULL;
	struct config_error error = { 0 };
	int r = config_parse("fuzz.yaml", (const char *)data, size, &config, &error);
	if (r < 0) {
		MUST(!config);
		MUST(error.text[0] && !strchr(error.text, '\n') && !strchr(error.text, '\x1b'));
		return false;
	}
	MUST(r == 0 && config);
	MUST(config->interval >= 100000 && config->interval <= INT64_C(3600000000));
	MUST(config->rules.idle > 0 && config->rules.transaction > 0 && config->rules.held != 0);
	MUST(config->kill_limit >= 1);
	MUST(!config->proxy.start.count || !config->proxy.start.items[config->proxy.start.count]);
	config_free(config);
	return true;
}
