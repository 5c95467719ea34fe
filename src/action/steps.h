/* What the executors of steps have in common: execute.c ends sessions, stop.c stops processes,
 * start.c starts a command, remove.c removes pages. They write signal, result and detail into the
 * steps, which are the caller's. */
#ifndef ACTION_STEPS_H
#define ACTION_STEPS_H

struct action_step;

struct step_callbacks {
	void *data;
	/* The step was signalled or started, or it has its result. Also called while one is begun
	 * or interrupted. */
	void (*changed)(void *data, struct action_step *step);
	/* Each step that was begun has its result. Not called after an interruption. */
	void (*done)(void *data);
};

#endif
