/* SPDX-License-Identifier: Apache-2.0 */
#include "host/discovery/disco_limit.h"

#include <string.h>

#define MICRO INT64_C(1000000)
#define MINUTE (60 * MICRO)
#define SOURCE_BURST 4

void
disco_limit_init(struct disco_limit *l, long per_source, long per_second, int64_t now_us)
{
	memset(l, 0, sizeof *l);
	l->per_source = per_source;
	l->per_second = per_second;
	l->all = (struct disco_bucket){ 2 * per_second * MICRO, now_us };
}

/* so many answers in so many microseconds, at most burst at once */
static bool
fill(struct disco_bucket *b, long rate, int64_t per_us, int64_t burst, int64_t now_us)
{
	int64_t passed = now_us - b->us, more;

	if (passed > per_us * burst) /* full by then whatever the rate; the product stays small */
		passed = per_us * burst;
	more = passed * rate / (per_us / MICRO);
	b->micro = b->micro + more > burst * MICRO ? burst * MICRO : b->micro + more;
	if (more > 0) /* else a flood would keep it empty by rounding */
		b->us = now_us;
	return b->micro >= MICRO;
}

static struct disco_bucket *
bucket_of(struct disco_limit *l, const struct in6_addr *source, uint32_t link, int64_t now_us)
{
	size_t at = 0;

	for (size_t i = 0; i < DISCO_SOURCES; i++) {
		if (l->sources[i].used && l->sources[i].link == link &&
		    memcmp(&l->sources[i].source, source, sizeof *source) == 0)
			return &l->sources[i].bucket;
		if (!l->sources[i].used) {
			at = i; /* entries are used from the front */
			break;
		}
		if (l->sources[i].bucket.us < l->sources[at].bucket.us)
			at = i;
	}
	l->sources[at].used = true;
	l->sources[at].source = *source;
	l->sources[at].link = link;
	l->sources[at].bucket = (struct disco_bucket){ SOURCE_BURST * MICRO, now_us };
	return &l->sources[at].bucket;
}

enum disco_allow
disco_limit_take(
    struct disco_limit *l, const struct in6_addr *source, uint32_t link, int64_t now_us)
{
	struct disco_bucket *b;

	/* first what costs nothing: a flood of made-up sources must not turn the table over */
	if (!fill(&l->all, l->per_second, MICRO, 2 * l->per_second, now_us))
		return DISCO_OVER_ALL;
	b = bucket_of(l, source, link, now_us);
	if (!fill(b, l->per_source, MINUTE, SOURCE_BURST, now_us))
		return DISCO_OVER_SOURCE;
	b->micro -= MICRO;
	l->all.micro -= MICRO;
	return DISCO_ALLOWED;
}
