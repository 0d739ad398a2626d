/* SPDX-License-Identifier: Apache-2.0 */
/* inspect: what is this file, and what would a check say? */
#include "cli/cmd_inspect.h"

#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "host/clock.h"
#include "host/file.h"
#include "host/inspect.h"

#define ANCHORS_MAX 16
#define ANCHOR_BYTES (4u << 20)
#define VALUE_WIDTH 40

bool
inspect_clock(const struct cli *c, struct mst_clock *out)
{
	const char *now = cli_option(c, "now");

	*out = clock_now();
	if (now == NULL)
		return true;
	out->trust = MST_CLOCK_TRUSTED;
	if (mst_time_parse(mst_span_str(now), &out->now) == MST_OK)
		return true;
	cli_fail(c, CLI_USAGE, "--now takes a time such as 2026-11-23T09:00:00Z");
	return false;
}

int
inspect_take_anchors(const struct cli *c, struct anchors **out)
{
	mst_span files[ANCHORS_MAX];
	const char *path;
	size_t n = 0;
	mst_err e;

	*out = NULL;
	while ((path = cli_option_at(c, "anchor", n)) != NULL) {
		if (n == ANCHORS_MAX)
			return cli_fail(c, CLI_USAGE, "at most %d --anchor", ANCHORS_MAX);
		if ((e = file_read(c->a, path, ANCHOR_BYTES, &files[n])) != MST_OK)
			return cli_refuse(c, e, file_why());
		n++;
	}
	if (n == 0)
		return CLI_OK;
	if ((e = inspect_anchors(files, n, out)) != MST_OK)
		return cli_refuse(c, e, "--anchor takes certificates in PEM, or one in DER");
	return CLI_OK;
}

void
inspect_print(const char *text)
{
	for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
		/* C0, DEL, and C1 as UTF-8 has it (ID-9): a terminal would obey them */
		if (*p < 0x20 || *p == 0x7f)
			putchar('?');
		else if (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0) {
			putchar('?');
			p++;
		} else
			putchar(*p);
	}
}

static const char *
text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "";
}

static void
print_words(const json_t *row, const char *gap)
{
	const char *words = text(row, "words"), *clause = text(row, "clause");

	if (words[0] != '\0' || clause[0] != '\0')
		fputs(gap, stdout);
	inspect_print(words);
	if (clause[0] != '\0')
		printf("%s[%s]", words[0] != '\0' ? " " : "", clause);
	putchar('\n');
}

/* field, value, explanation; a value that is too wide gets the explanation on the next line. */
static void
print_fields(const json_t *fields, int indent)
{
	size_t i, width = 0;
	json_t *f;

	json_array_foreach(fields, i, f)
	{
		size_t n = strlen(text(f, "name"));

		width = n > width ? n : width;
	}
	json_array_foreach(fields, i, f)
	{
		const char *value = text(f, "value");
		char gap[160];

		printf("%*s%-*s  ", indent, "", (int)width, text(f, "name"));
		value = value[0] != '\0' ? value : "(empty)";
		inspect_print(value);
		if (strlen(value) <= VALUE_WIDTH)
			snprintf(gap, sizeof gap, "%*s", VALUE_WIDTH - (int)strlen(value) + 2, "");
		else
			snprintf(
			    gap, sizeof gap, "\n%*s", indent + (int)width + VALUE_WIDTH + 4, "");
		print_words(f, gap);
	}
}

static void
print_checks(const json_t *checks, int indent)
{
	size_t i;
	json_t *k;

	if (json_array_size(checks) > 0)
		printf("%*sWhat a check says:\n", indent, "");
	json_array_foreach(checks, i, k)
	{
		const json_t *ok = json_object_get(k, "ok");
		const char *code = text(k, "code");

		printf("%*s%-5s %-16s %s%s", indent + 2, "",
		    json_is_true(ok)    ? "ok"
		    : json_is_false(ok) ? code[0] != '\0' ? "FAIL" : "note"
		                        : "--",
		    text(k, "check"), code, code[0] != '\0' ? " " : "");
		print_words(k, "");
	}
}

static void print_report(const json_t *r, int indent);

static void
print_inner(const json_t *r, const char *key, const char *heading, int indent)
{
	const json_t *inner = json_object_get(r, key);
	size_t i;
	json_t *one;

	if (json_is_object(inner)) {
		printf("\n%*s%s\n", indent, "", heading);
		print_report(inner, indent + 2);
	}
	json_array_foreach(inner, i, one)
	{
		printf("\n%*s%s %zu\n", indent, "", heading, i + 1);
		print_report(one, indent + 2);
	}
}

static void
print_report(const json_t *r, int indent)
{
	printf("%*s%s  (%s, %s)\n", indent, "", text(r, "kind"), text(r, "format"),
	    text(r, "encoding"));
	print_fields(json_object_get(r, "fields"), indent + 2);
	print_checks(json_object_get(r, "checks"), indent);
	print_inner(r, "prior", "The pledge's own request inside:", indent);
	print_inner(r, "chain", "Beside it, certificate", indent);
	print_inner(r, "certificates", "Certificate", indent);
	print_inner(r, "more", "Beside it, item", indent);
}

/* Its lines are its own; what a terminal would obey is escaped in it already. */
static void
print_diag(const json_t *report)
{
	const char *diag = text(report, "diag");

	if (diag[0] != '\0')
		puts("Diagnostic notation:");
	while (*diag != '\0') {
		size_t n = strcspn(diag, "\n");

		printf("  %.*s\n", (int)n, diag);
		diag += n + (diag[n] == '\n');
	}
}

static int
inspect_file(struct cli *c)
{
	struct inspect_options o = { .want = cli_flag(c, "diag") ? INSPECT_DIAG : 0 };
	struct anchors *anchors = NULL;
	json_t *report = NULL;
	mst_span bytes;
	bool failed;
	int code;
	mst_err e;

	if (!inspect_clock(c, &o.clock))
		return CLI_USAGE;
	if ((code = inspect_take_anchors(c, &anchors)) != CLI_OK)
		return code;
	o.anchors = anchors;
	if ((e = file_read(c->a, c->argv[0], INSPECT_BYTES_MAX, &bytes)) != MST_OK) {
		anchors_free(anchors);
		return cli_refuse(c, e, file_why());
	}
	e = inspect(c->a, bytes, &o, &report);
	mst_wipe((void *)(uintptr_t)bytes.ptr, bytes.len); /* it may have been a key */
	anchors_free(anchors);
	if (e != MST_OK)
		return cli_refuse(c, e, inspect_why());
	failed = json_is_false(json_object_get(report, "verified"));
	if (o.want != 0 && json_object_get(report, "diag") == NULL)
		cli_say(c, "muster: --diag: this is no CBOR");
	if (c->json) {
		code = cli_print_json(c, report);
	} else {
		print_report(report, 0);
		print_diag(report);
		json_decref(report);
	}
	if (code == CLI_OK && failed) {
		cli_say(c, "muster: it does not verify with what --anchor gave");
		code = CLI_REFUSED;
	}
	return code;
}

static const struct cli_option options[] = {
	{ "anchor", "FILE", "judge by this trust anchor, PEM; may be given several times" },
	{ "now", "TIME", "judge as of this time (2026-11-23T09:00:00Z)" },
	{ "diag", NULL, "CBOR in diagnostic notation, too (RFC 8949 section 8)" },
	{ NULL, NULL, NULL },
};

const struct cli_command cmd_inspect[] = {
	{ "inspect", NULL, "FILE", "what a file is, what its fields mean, what a check would say",
	    "Takes certificates, IDevIDs, CSRs, csrattrs, CRLs, vouchers, voucher-requests (CMS, "
	    "JWS, COSE), telemetry, audit logs, SUIT envelopes and reports, and any CBOR as PEM, "
	    "DER, base64, hex, JSON or "
	    "CBOR; - is standard input. With --anchor the exit code is 4 when it does not verify; "
	    "what carries no certificate, such as a pledge's request in COSE, is judged by the "
	    "keys of --anchor. A private key is named and never shown.",
	    options, inspect_file },
	{ NULL, NULL, NULL, NULL, NULL, NULL, NULL },
};
