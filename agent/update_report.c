/* SPDX-License-Identifier: Apache-2.0 */
/* What a device says of an update (suit-report; sheet suit.md 16). */
#include <stdio.h>
#include <string.h>

#include "agent/update_room.h"
#include "host/cose_author.h"
#include "host/file.h"
#include "host/log.h"
#include "host/url.h"

#define REPORT_TYPE "application/suit-report+cose"
#define REPORT_BYTES (UPDATE_RECORDS + 4096)
#define ANSWER_BYTES 65536

static mst_span
component_id(void *ctx, mst_suit_handle handle)
{
	const struct update_report *r = ctx;

	(void)handle;
	return r->u->model.component;
}

void
update_report_begin(struct update_report *r, struct update *u)
{
	*r = (struct update_report){ .u = u };
	r->collector = (struct mst_suit_collector){
		.store = MST_BUF(r->store), .component_id = component_id, .ctx = r
	};
	u->report = r;
}

void
update_report_event(void *report, const struct mst_suit_event *event)
{
	struct update_report *r = report;

	mst_suit_collect(&r->collector, event);
}

static mst_err
make(struct update_report *r, struct arena *a, const struct mst_suit_refusal *refusal,
    mst_err result, mst_span *signed_report)
{
	const struct mst_suit_report_content content = { .envelope = &r->u->envelope,
		.reference_uri = mst_span_str(r->u->uri),
		.collector = &r->collector,
		.result = result,
		.refusal = result == MST_OK ? NULL : refusal };
	struct cose_signer signer = { .key = r->u->record.key };
	struct mst_buf report = arena_buf(a, REPORT_BYTES);
	mst_err e;

	signer.alg = cose_signer_alg(signer.key);
	if ((e = update_key_id(a, signer.key, &signer.kid)) != MST_OK ||
	    (e = mst_suit_report_build(&content, &report)) != MST_OK)
		return e;
	return cose_author_sign1(
	    a, &signer, mst_buf_span(&report), MST_SUIT_ATTACHED, signed_report);
}

static mst_err
send(struct update_report *r, struct arena *a, const struct update_client *client, mst_span report)
{
	const char *to = r->u->cfg->update.report;
	struct http_request q = { .method = "POST", .content_type = REPORT_TYPE, .body = report };
	struct http_options o = { .trust = HTTP_ANCHORS,
		.anchors = client->anchors,
		.cert = client->cert,
		.key = client->key,
		.chain = client->chain };
	struct http_client *c = NULL;
	struct http_answer an;
	struct url url;
	mst_err e = url_resolve(a, NULL, mst_span_str(to), &url);

	if (e != MST_OK)
		return e;
	o.base = url.base;
	q.path = url.path;
	if ((e = http_open(&o, &c)) == MST_OK)
		e = http_send(c, a, &q, ANSWER_BYTES, &an);
	if (e == MST_OK && (an.status < 200 || an.status > 299))
		e = MST_E_UPDATE_STATUS;
	http_close(c);
	return e;
}

void
update_report_end(struct update_report *r, const struct update_client *client,
    const struct mst_suit_refusal *refusal, mst_err result)
{
	struct arena *a = arena_new(0);
	const char *path = a == NULL ? NULL : arena_printf(a, "%s/report.cose", r->u->slots.folder);
	mst_span report;
	mst_err e = path == NULL ? MST_E_NOMEM : make(r, a, refusal, result, &report);

	r->u->report = NULL;
	if (e == MST_OK)
		e = file_write_atomic(path, report, 0600);
	if (e == MST_OK && r->u->cfg->update.report != NULL)
		e = send(r, a, client, report);
	if (e != MST_OK)
		log_line(LOG_WARNING_, "the report of the update: %s %s", mst_err_info(e)->code,
		    mst_err_info(e)->sentence);
	arena_free(a);
}
