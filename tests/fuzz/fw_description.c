/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A description of a manifest from anybody: refused with words, or built into
 * an envelope that the tool reads again, whose digest covers it, and that
 * lint, inspect and the simulated device judge without harm.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "host/inspect.h"
#include "host/suit/suit_description.h"
#include "host/suit/suit_device.h"
#include "host/suit/suit_lint.h"

#define HELD (64u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* No file of this machine is read. */
static mst_err
read_nothing(void *ctx, struct arena *a, const char *path, mst_span *out)
{
	(void)ctx;
	(void)a;
	if (strstr(path, "app.bin") != NULL) {
		*out = MST_LIT("firmware of a lamp");
		return MST_OK;
	}
	suit_author_say("%s: not there", path);
	return MST_E_NOT_FOUND;
}

static void
judge(struct arena *a, mst_span envelope)
{
	struct inspect_options o = { .want = INSPECT_DIAG };
	struct suit_envelope *env = arena_alloc(a, sizeof *env);
	struct suit_device *d = arena_alloc(a, sizeof *d);
	struct suit_lint_want want = { .before = envelope };
	struct suit_lint lint;
	json_t *report;
	mst_span again;

	if (env == NULL || d == NULL)
		return;
	if (suit_envelope_read(envelope, env) != MST_OK || suit_envelope_covers(env) != MST_OK)
		abort();
	if (suit_envelope_write(a, env, &again) == MST_OK && !mst_span_eq(again, envelope))
		abort();
	if (suit_lint(a, envelope, &want, &lint) != MST_OK)
		return;
	if (suit_device_for(a, env, d) == MST_OK)
		suit_device_free(d);
	if (inspect(a, envelope, &o, &report) == MST_OK)
		json_decref(report);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct suit_description d = { .name = "fuzz.fw", .read = read_nothing };
	struct arena *a = arena_new(HELD);
	char *text = malloc(size + 1);
	struct suit_author *m;
	mst_span envelope;
	mst_err e;

	/* ${...} would be of the machine that it runs on */
	if (a == NULL || text == NULL || memchr(data, 0, size) != NULL)
		goto out;
	memcpy(text, data, size);
	text[size] = '\0';
	if (strstr(text, "${") != NULL)
		goto out;
	e = suit_description_parse(a, &d, text, &m);
	if (e == MST_OK)
		e = suit_author_build(m, &envelope);
	if (e == MST_OK)
		judge(a, envelope);
	else if (e != MST_E_NOMEM && mst_err_info(e)->err == MST_E_INTERNAL)
		abort();
out:
	free(text);
	arena_free(a);
	return 0;
}
