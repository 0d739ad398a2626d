/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One call per security decision of a site's role: the log line, the counter
 * and the row of the audit trail, with the same words (host/vocab.def).
 */
#ifndef SERVER_JOURNAL_H
#define SERVER_JOURNAL_H

#include "server/net/net.h"
#include "server/store/store_device.h"

struct journal;
/* role: "registrar", "est", ...: literal, lives as long as the journal. */
MST_MUST_USE mst_err journal_new(struct store *s, const char *role, struct journal **out);
void journal_free(struct journal *j);
/* Another limit than 60 rows a minute for strangers; before the first of them. */
void journal_limit(struct journal *j, long rows_a_minute);

/*
 * Refuse (net_refuse) and leave a row. Rows of clients that no trusted
 * certificate stands behind (device 0) are limited to 60 a minute, so that
 * nobody fills the disk from outside; log and counters have all.
 */
void journal_refuse(struct journal *j, struct net_request *rq, int64_t device, enum step step,
    mst_err e, const char *detail);
/* As net_wait, with a row. */
void journal_wait(struct journal *j, struct net_request *rq, int64_t device, enum step step,
    mst_err e, long retry_after, const char *detail);
/* Log line and counter only (net_accept): the row is written by the caller's own job with
 * journal_row. */
void journal_accept(struct journal *j, struct net_request *rq, enum step step, const char *detail);
/* Inside a store job: a row about this request. Strings are copied by the store. */
MST_MUST_USE mst_err journal_row(struct journal *j, struct db *db, const struct net_request *rq,
    int64_t device, enum step step, mst_err e, const char *detail);
/* Who asked, kept by whoever outlives the request. Members may be NULL. */
struct journal_who {
	const char *trace, *request, *peer;
};
/* As journal_row, when the request is gone. */
MST_MUST_USE mst_err journal_row_of(struct journal *j, struct db *db, const struct journal_who *who,
    int64_t device, enum step step, mst_err e, const char *detail);
/* The row alone, not waited for and without a log line; the stranger's limit holds. */
void journal_record(struct journal *j, const struct journal_who *who, int64_t device,
    enum step step, mst_err e, const char *detail);
/* A row on its own, not waited for; also logged. For what happens outside a request (audit log,
 * CRL, admin). */
void journal_note(struct journal *j, int64_t device, mst_span serial, const char *trace,
    enum step step, mst_err e, const char *detail);

#endif
