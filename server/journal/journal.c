/* SPDX-License-Identifier: Apache-2.0 */
#include "server/journal/journal.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "host/clock.h"
#include "host/log.h"

#define ROWS_A_MINUTE 60

struct journal {
	struct store *store;
	const char *role;
	pthread_mutex_t lock;
	int64_t minute;
	long rows, most; /* of strangers, in this minute */
};

/* A row under way, with the strings it points to. */
struct pending_row {
	struct trail row;
	char trace[40], request[24], peer[64], detail[512];
};

mst_err
journal_new(struct store *s, const char *role, struct journal **out)
{
	struct journal *j = calloc(1, sizeof *j);

	if (j == NULL)
		return MST_E_NOMEM;
	j->store = s;
	j->role = role;
	j->most = ROWS_A_MINUTE;
	pthread_mutex_init(&j->lock, NULL);
	*out = j;
	return MST_OK;
}

void
journal_free(struct journal *j)
{
	if (j == NULL)
		return;
	pthread_mutex_destroy(&j->lock);
	free(j);
}

void
journal_limit(struct journal *j, long rows_a_minute)
{
	j->most = rows_a_minute;
}

static bool
stranger_may_write(struct journal *j)
{
	int64_t minute = clock_mono() / 60;
	bool may;

	pthread_mutex_lock(&j->lock);
	if (minute != j->minute) {
		j->minute = minute;
		j->rows = 0;
	}
	may = j->rows < j->most;
	j->rows += may;
	pthread_mutex_unlock(&j->lock);
	return may;
}

static const char *
keep(char *out, size_t cap, const char *in)
{
	size_t n = in == NULL ? 0 : strnlen(in, cap - 1);

	if (in == NULL)
		return NULL;
	/* A character that is cut in two would spoil the row for every reader of UTF-8. */
	if (in[n] != '\0')
		while (n != 0 && ((uint8_t)in[n] & 0xc0) == 0x80)
			n--;
	memcpy(out, in, n);
	out[n] = '\0';
	return out;
}

static struct pending_row *
row_new(struct journal *j, int64_t device, enum step step, mst_err e, const char *trace,
    const char *request, const char *peer, const char *detail)
{
	struct pending_row *p = calloc(1, sizeof *p);

	if (p == NULL)
		return NULL;
	p->row = (struct trail){ .at = clock_wall(),
		.device = device,
		.role = j->role,
		.step = step,
		.err = e,
		.trace = keep(p->trace, sizeof p->trace, trace),
		.request = keep(p->request, sizeof p->request, request),
		.peer = keep(p->peer, sizeof p->peer, peer),
		.detail = keep(p->detail, sizeof p->detail, detail) };
	return p;
}

static mst_err
write_row(struct db *db, void *arg)
{
	struct pending_row *p = arg;

	return trail_add(db, &p->row);
}

static void
row_written(void *arg, mst_err e)
{
	if (e != MST_OK)
		log_line(LOG_ERROR_, "a row of the audit trail was not written: %s",
		    mst_err_info(e)->sentence);
	free(arg);
}

static void
run_here(void *post_arg, void (*fn)(void *), void *fn_arg)
{
	(void)post_arg;
	fn(fn_arg);
}

/* Not waited for: row_written only frees, so any thread may run it. */
static void
submit(struct journal *j, struct pending_row *p)
{
	if (p == NULL)
		log_line(LOG_ERROR_, "no memory for a row of the audit trail");
	else
		store_write(j->store, write_row, row_written, p, run_here, NULL);
}

void
journal_record(struct journal *j, const struct journal_who *who, int64_t device, enum step step,
    mst_err e, const char *detail)
{
	if (device == 0 && !stranger_may_write(j))
		return;
	submit(j, row_new(j, device, step, e, who->trace, who->request, who->peer, detail));
}

static void
note_request(struct journal *j, const struct net_request *rq, int64_t device, enum step step,
    mst_err e, const char *detail)
{
	struct journal_who who = { rq->trace, rq->id, rq->peer->address };

	journal_record(j, &who, device, step, e, detail);
}

void
journal_refuse(struct journal *j, struct net_request *rq, int64_t device, enum step step, mst_err e,
    const char *detail)
{
	note_request(j, rq, device, step, e, detail);
	net_refuse(rq, step, e, detail);
}

void
journal_wait(struct journal *j, struct net_request *rq, int64_t device, enum step step, mst_err e,
    long retry_after, const char *detail)
{
	note_request(j, rq, device, step, e, detail);
	net_wait(rq, step, e, retry_after, detail);
}

void
journal_accept(struct journal *j, struct net_request *rq, enum step step, const char *detail)
{
	(void)j;
	net_accept(rq, step, detail);
}

mst_err
journal_row_of(struct journal *j, struct db *db, const struct journal_who *who, int64_t device,
    enum step step, mst_err e, const char *detail)
{
	struct trail t = { .at = clock_wall(),
		.device = device,
		.role = j->role,
		.step = step,
		.err = e,
		.trace = who->trace,
		.request = who->request,
		.peer = who->peer,
		.detail = detail };

	return trail_add(db, &t);
}

mst_err
journal_row(struct journal *j, struct db *db, const struct net_request *rq, int64_t device,
    enum step step, mst_err e, const char *detail)
{
	struct journal_who who = { rq->trace, rq->id, rq->peer->address };

	return journal_row_of(j, db, &who, device, step, e, detail);
}

void
journal_note(struct journal *j, int64_t device, mst_span serial, const char *trace, enum step step,
    mst_err e, const char *detail)
{
	struct decision d = { .role = j->role,
		.step = step,
		.err = e,
		.trace = trace,
		.serial = serial,
		.detail = detail };

	log_decision(&d);
	submit(j, row_new(j, device, step, e, trace, NULL, NULL, detail));
}
