/* The commands of the keys: operations on the view's state, and requests for actions. */
#ifndef DASHBOARD_COMMANDS_H
#define DASHBOARD_COMMANDS_H

#include <stdbool.h>

struct action;
struct dashboard;
struct key_event;

typedef void command_fn(struct dashboard *dashboard);

command_fn command_up, command_down, command_page_up, command_page_down, command_home, command_end;
command_fn command_tag, command_untag, command_enter, command_fold, command_unfold;
command_fn command_proxy;
command_fn command_locks;
command_fn command_filter, command_sort, command_reverse, command_group;
/* While a filter is typed. Returns whether the key was part of the text. */
bool command_type_filter(struct dashboard *dashboard, const struct key_event *event);
/* Shows the overview of servers. */
command_fn command_overview;
command_fn command_pause, command_refresh_less, command_refresh_more;
command_fn command_copy, command_theme;
command_fn command_pan_right, command_pan_left, command_find_next, command_find_previous;
command_fn command_follow;
command_fn command_actions_log, command_messages;
command_fn command_password;
/* In a recording. */
command_fn command_play, command_play_faster, command_play_slower;
command_fn command_step_on, command_step_back, command_seek_on, command_seek_back;
command_fn command_to_start, command_to_end;
command_fn command_help, command_back, command_quit, command_suspend, command_redraw;

/* Actions: each opens its plan. */
command_fn command_kill_leaked, command_terminate, command_cancel, command_emergency;

/* On the plan's screen. */
command_fn command_tick, command_tick_all, command_tick_proven, command_confirm;

/* The shutdown watch; Ctrl-C asks first while it is armed. */
command_fn command_watch, command_interrupt;

/* Why no action of any kind is possible now; NULL if one is. */
const char *command_refusal(const struct dashboard *dashboard);
/* Whether sessions can be acted on now; else a notice says why not. */
bool command_is_free_to_act(struct dashboard *dashboard);
/* Whether the plan has a step and can be begun now. Takes ownership of the plan. */
bool command_would_act(const struct dashboard *dashboard, struct action *plan);
/* Opens the plan's screen, or shows `otherwise` if the plan has no steps. Takes ownership of the
 * plan. */
void command_open_plan(struct dashboard *dashboard, struct action *plan, const char *otherwise);

/* Whether K and c on a screen of one session would open a plan now. */
bool command_would_terminate(const struct dashboard *dashboard);
bool command_would_cancel(const struct dashboard *dashboard);
/* Whether the steps of the plan can be ticked one by one; and whether they are leaks. */
bool command_would_tick(const struct dashboard *dashboard);
bool command_would_tick_proven(const struct dashboard *dashboard);

/* Removing the stats pages of dead processes. */
command_fn command_clear_pages;

#endif
