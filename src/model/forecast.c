/* A line through the samples of the last minutes (least squares). It counts only if it fits them,
 * rises by several slots, and rises in its later half as well. */
#include "model/forecast.h"

#include <stddef.h>

#include "base/instant.h"
#include "model/history.h"

#define SPAN         (300 * USEC_PER_SEC)
#define LEAST_SPAN   (60 * USEC_PER_SEC)
#define FRESH        (30 * USEC_PER_SEC)
#define LATEST       (3600 * USEC_PER_SEC)
#define LEAST        6   /* samples */
#define LEAST_RISE   2.5 /* slots */
#define LEAST_FIT    0.8 /* of the samples' variance that the line explains */
#define LEAST_STEADY 0.5 /* how much slower than all the later half may rise */

struct trend {
	double slope; /* slots a second */
	double fit;   /* 0 to 1 */
};

/* The line through the `count` newest samples. */
static struct trend fit(const struct history *history, size_t count)
{
	double n = (double)count, t = 0, u = 0, tt = 0, uu = 0, tu = 0;
	int64_t newest = history_get(history, 0)->at;
	for (size_t i = 0; i < count; i++) {
		const struct history_sample *sample = history_get(history, i);
		double at = (double)(sample->at - newest) / USEC_PER_SEC, used = sample->used;
		t += at;
		u += used;
		tt += at * at;
		uu += used * used;
		tu += at * used;
	}
	double var_t = tt - t * t / n, var_u = uu - u * u / n, covar = tu - t * u / n;
	if (var_t <= 0 || var_u <= 0)
		return (struct trend){ 0 };
	return (struct trend){ covar / var_t, covar * covar / (var_t * var_u) };
}

/* How many of the newest samples are of the last minutes, with no gap between them. */
static size_t count_samples(const struct history *history, int64_t now)
{
	size_t count = 0;
	const struct history_sample *sample;
	while ((sample = history_get(history, count)) && sample->used >= 0 && sample->at <= now &&
		sample->at > now - SPAN)
		count++;
	return count;
}

int64_t forecast_full(const struct history *history, int room, int64_t now)
{
	size_t count = count_samples(history, now);
	if (count < LEAST)
		return -1;
	const struct history_sample *newest = history_get(history, 0);
	int64_t span = newest->at - history_get(history, count - 1)->at;
	if (span < LEAST_SPAN || now - newest->at > FRESH || newest->used >= room)
		return -1;
	struct trend all = fit(history, count), late = fit(history, count / 2);
	if (all.slope * (double)span / USEC_PER_SEC < LEAST_RISE || all.fit < LEAST_FIT ||
		late.slope < all.slope * LEAST_STEADY)
		return -1;
	double seconds = (room - newest->used) / all.slope;
	return seconds * USEC_PER_SEC > LATEST ? -1 : (int64_t)(seconds * USEC_PER_SEC);
}
