/* A survey: a fresh look at the server, its sockets and its clients, and the plan of an emergency
 * made from it. */
#ifndef MODES_SURVEY_H
#define MODES_SURVEY_H

#include <stdbool.h>

struct app;
struct assessment;
struct emergency;
struct survey;
struct target;

/* The plan is the callee's to free; the assessment is borrowed. */
typedef void survey_done_fn(
	void *data, struct emergency *emergency, const struct assessment *assessment);

/* Never NULL; app and target outlive it. */
struct survey *survey_new(struct app *app, struct target *target, survey_done_fn *done, void *data);

/* Asks for one; of those asked for while one is under way, none. It always comes, within seconds:
 * then with what there is. */
void survey_begin(struct survey *survey);

/* The target has a new assessment. */
void survey_assessed(struct survey *survey);

/* NULL is allowed; done is not called any more. Handles close in the loop's next turns. */
void survey_free(struct survey *survey);

#endif
