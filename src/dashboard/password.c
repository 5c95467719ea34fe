/* Only this file has the text: the view knows its length. */
#include "dashboard/password.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "dashboard/commands.h"
#include "dashboard/dashboard.h"
#include "dashboard/screen.h"
#include "modes/app.h"
#include "session/session.h"
#include "target/target.h"
#include "view/password.h"

#define PASSWORD_MAX 1024 /* bytes; further input is ignored */

struct password {
	char text[PASSWORD_MAX]; /* wiped as soon as it was passed on */
	size_t length;
	bool declined; /* Esc: not asked again until W */
};

struct password *password_new(void)
{
	return mem_alloc(sizeof(struct password));
}

void password_free(struct password *password)
{
	if (password)
		explicit_bzero(password, sizeof(*password));
	free(password);
}

static void wipe(struct dashboard *dashboard)
{
	explicit_bzero(dashboard->password->text, sizeof(dashboard->password->text));
	dashboard->password->length = 0;
	dashboard->ui.password_length = 0;
}

static void open_screen(struct dashboard *dashboard)
{
	wipe(dashboard);
	ui_pop_all(&dashboard->ui);
	ui_push(&dashboard->ui, &password_view);
}

/* Opens the screen if the server waits for a password, unless the user declined. */
static void ask(struct dashboard *dashboard)
{
	struct password *password = dashboard->password;
	bool wanted = session_needs_password(target_session(dashboard->target)) &&
		!dashboard->app->options.never_password;
	dashboard->ui.password_wanted = wanted;
	if (!wanted || password->declined || ui_is_open(&dashboard->ui, &password_view))
		return;
	open_screen(dashboard);
}

void command_password(struct dashboard *dashboard)
{
	dashboard->password->declined = false;
	if (dashboard->ui.password_wanted)
		open_screen(dashboard);
	else
		ui_notice(&dashboard->ui, STYLE_DIM, "the server asks for no password");
}

static void give(struct dashboard *dashboard)
{
	struct password *password = dashboard->password;
	if (!password->length)
		return;
	ui_pop(&dashboard->ui);
	session_set_password(target_session(dashboard->target), password->text);
	wipe(dashboard);
}

static void decline(struct dashboard *dashboard)
{
	dashboard->password->declined = true;
	wipe(dashboard);
	ui_pop(&dashboard->ui);
}

static void type(struct password *password, char32_t c)
{
	char bytes[4];
	size_t length = text_encode(c, bytes);
	if (password->length + length >= PASSWORD_MAX)
		return;
	memcpy(password->text + password->length, bytes, length);
	password->length += length;
	password->text[password->length] = '\0';
}

static void erase(struct password *password)
{
	while (password->length) {
		unsigned char byte = (unsigned char)password->text[--password->length];
		password->text[password->length] = '\0';
		if ((byte & 0xc0) != 0x80)
			break;
	}
}

static size_t count_characters(const struct password *password)
{
	size_t count = 0;
	for (size_t i = 0; i < password->length; i++)
		count += ((unsigned char)password->text[i] & 0xc0) != 0x80;
	return count;
}

static bool press(struct dashboard *dashboard, const struct key_event *event)
{
	struct password *password = dashboard->password;
	if (event->key == INPUT_CHAR)
		type(password, event->c);
	else if (event->key == INPUT_BACKSPACE || event->key == INPUT_DELETE)
		erase(password);
	else if (event->key == INPUT_CTRL && event->c == 'u')
		wipe(dashboard);
	else
		return false;
	dashboard->ui.password_length = count_characters(password);
	return true;
}

static bool takes_text(const struct dashboard *dashboard)
{
	(void)dashboard;
	return true;
}

static const struct binding keys[] = {
	{ give, { KEY(ENTER) }, "Enter", "connect", NULL, true },
	{ decline, { KEY(ESCAPE) }, "Esc", "not now", NULL, true },
	{ 0 },
};

const struct screen password_screen = {
	.view = &password_view,
	.keys = keys,
	.assessed = ask,
	.takes_text = takes_text,
	.press = press,
};
