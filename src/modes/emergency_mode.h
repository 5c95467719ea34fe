/* --emergency: the plan, the question, the act and the report, without a screen. */
#ifndef MODES_EMERGENCY_MODE_H
#define MODES_EMERGENCY_MODE_H

struct app;
struct audit;
struct emergency_mode;
struct target;

/* The word that is asked for, on the terminal and on the screen. */
#define EMERGENCY_WORD "stop"

struct emergency_mode_options {
	struct app *app;
	struct target *target;
	struct audit *audit;
	void *data;
	void (*finished)(void *data, int status); /* the exit status; all is printed */
};

/* Never NULL. What it points to outlives it. */
struct emergency_mode *emergency_mode_new(const struct emergency_mode_options *options);

/* The target tells how the server stands: looks, plans, asks, acts. */
void emergency_mode_begin(struct emergency_mode *mode);

/* The target has a new assessment. */
void emergency_mode_assessed(struct emergency_mode *mode);

/* Stops and prints what was done. Returns the exit status; `otherwise` when nothing was begun. */
int emergency_mode_interrupt(struct emergency_mode *mode, int otherwise);

/* NULL is allowed. */
void emergency_mode_free(struct emergency_mode *mode);

#endif
