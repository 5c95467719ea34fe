/* Shows a scene as dbtop would, through its own view and terminal code, and stays until it is
 * killed: stage SCENE [THEME]. Tab goes on to the next scene, Ctrl-L draws afresh, End and Home
 * scroll, the window may be resized; after each frame it says which it was, as an operating system
 * command: "777;help 80x24 17". */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "config/theme.h"
#include "scenes.h"
#include "tui/input.h"
#include "tui/tui.h"
#include "widgets/grid.h"

struct stage {
	const struct scene *scene;
	struct scenery scenery;
	struct theme theme;
	struct tui *tui;
	struct grid grid;
	int frames;
};

static void draw(struct stage *stage)
{
	struct scenery *scenery = &stage->scenery;
	int width, height;
	tui_size(stage->tui, &width, &height);
	scenery_draw(scenery, width, height, &stage->grid);
	tui_draw(stage->tui, &stage->grid);
	while (tui_is_waiting(stage->tui)) {
		struct pollfd writable = { .fd = tui_output_fd(stage->tui), .events = POLLOUT };
		poll(&writable, 1, -1);
		tui_flush(stage->tui);
	}
	dprintf(STDOUT_FILENO, "\033]777;%s %dx%d %d\a", stage->scene->name, width, height,
		++stage->frames);
}

static void open_scene(struct stage *stage, const struct scene *scene)
{
	int width, height;
	stage->scene = scene;
	struct scenery *scenery = &stage->scenery;
	scenery_init(scenery, scene);
	scenery->ui.ascii = tui_is_ascii(stage->tui);
	/* the first frame settles the rows that the scene is about */
	tui_size(stage->tui, &width, &height);
	scenery_draw(scenery, width, height, &stage->grid);
	if (scene->show)
		scene->show(scenery);
	draw(stage);
}

static void go_on(struct stage *stage)
{
	size_t i = 0;
	while (scene_at(i) != stage->scene)
		i++;
	scenery_deinit(&stage->scenery);
	open_scene(stage, scene_at(i + 1) ? scene_at(i + 1) : scene_at(0));
}

static void press(struct stage *stage, const struct key_event *event)
{
	switch (event->key) {
	case INPUT_TAB: go_on(stage); return;
	case INPUT_END: ui_end(&stage->scenery.ui); break;
	case INPUT_HOME: ui_home(&stage->scenery.ui); break;
	default: tui_redraw(stage->tui); break;
	}
	draw(stage);
}

static void fail(const char *what)
{
	fprintf(stderr, "stage: %s\n", what);
	exit(2);
}

static int watch_resizes(void)
{
	sigset_t signals;
	sigemptyset(&signals);
	sigaddset(&signals, SIGWINCH);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	return signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void stay(struct stage *stage, int resizes)
{
	struct epoll_event event = { .events = EPOLLIN };
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	event.data.fd = resizes;
	epoll_ctl(epoll, EPOLL_CTL_ADD, resizes, &event);
	event.data.fd = tui_fd(stage->tui);
	epoll_ctl(epoll, EPOLL_CTL_ADD, event.data.fd, &event);
	while (epoll_wait(epoll, &event, 1, -1) >= 0 || errno == EINTR) {
		struct signalfd_siginfo info;
		struct key_event key;
		if (event.data.fd == resizes) {
			if (read(resizes, &info, sizeof(info)) < 0)
				continue;
			tui_resize(stage->tui);
			draw(stage);
			continue;
		}
		int r;
		while ((r = input_read(stage->tui, &key)) > 0)
			press(stage, &key);
		if (r < 0)
			return;
	}
}

int main(int argc, char **argv)
{
	static struct stage stage;
	setlocale(LC_CTYPE, "");
	const struct scene *scene = argc > 1 ? scene_find(argv[1]) : NULL;
	if (!scene)
		fail("no such scene");
	if (theme_builtin(argc > 2 ? argv[2] : "default", &stage.theme) != 0)
		fail("no such theme");
	int resizes = watch_resizes();
	if (resizes < 0)
		fail("no signals");
	if (tui_new(&stage.theme, &stage.tui) != 0)
		fail("no terminal");
	grid_init(&stage.grid);
	open_scene(&stage, scene);
	stay(&stage, resizes);
	return 0;
}
