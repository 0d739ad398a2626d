/* SPDX-License-Identifier: Apache-2.0 */
#include "host/conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/file.h"

static _Thread_local char why[512];
/* libconfuse's callbacks take no argument of ours; a section does not know its file. */
static _Thread_local const char *reading;
static _Thread_local const struct conf_rules *ruling;

const char *
conf_why(void)
{
	return why;
}

void
conf_say(const char *name, cfg_t *at, const char *words)
{
	snprintf(why, sizeof why, "%s:%d: %s", name, at != NULL ? at->line : 1,
	    words != NULL ? words : "out of memory");
}

static void
on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	int n = snprintf(why, sizeof why, "%s:%d: ", reading, cfg != NULL ? cfg->line : 0);

	if (n > 0 && (size_t)n < sizeof why)
		vsnprintf(why + n, sizeof why - (size_t)n, fmt, ap);
}

static int
check_number(cfg_t *cfg, cfg_opt_t *opt)
{
	double v =
	    opt->type == CFGT_INT ? (double)cfg_opt_getnint(opt, 0) : cfg_opt_getnfloat(opt, 0);

	for (size_t i = 0; i < ruling->range_count; i++) {
		const struct conf_range *r = &ruling->ranges[i];

		if (strcmp(r->name, cfg_opt_name(opt)) != 0 || (v >= r->least && v <= r->most))
			continue; /* NaN is in no range */
		cfg_error(cfg, "%s is %.10g; it must be from %.10g to %.10g", r->name, v, r->least,
		    r->most);
		return -1;
	}
	return 0;
}

static int
check_word(cfg_t *cfg, cfg_opt_t *opt)
{
	const char *v = cfg_opt_getnstr(opt, 0);

	for (size_t i = 0; v != NULL && i < ruling->word_count; i++) {
		const struct conf_words *w = &ruling->words[i];
		char padded[128], want[128];

		if (strcmp(w->name, cfg_opt_name(opt)) != 0)
			continue;
		snprintf(padded, sizeof padded, " %s ", w->allowed);
		snprintf(want, sizeof want, " %s ", v);
		if (v[0] == '\0' || strchr(v, ' ') != NULL || strstr(padded, want) == NULL) {
			cfg_error(
			    cfg, "%s is \"%s\"; it must be one of: %s", w->name, v, w->allowed);
			return -1;
		}
	}
	return 0;
}

static void
watch_values(cfg_t *cfg, const char *prefix, cfg_opt_t *list)
{
	for (cfg_opt_t *o = list; o->name != NULL; o++) {
		char name[128];

		snprintf(name, sizeof name, "%s%s%s", prefix, prefix[0] ? "|" : "", o->name);
		if (o->type == CFGT_INT || o->type == CFGT_FLOAT)
			cfg_set_validate_func(cfg, name, check_number);
		else if (o->type == CFGT_STR)
			cfg_set_validate_func(cfg, name, check_word);
		else if (o->type == CFGT_SEC)
			watch_values(cfg, name, o->subopts);
	}
}

static mst_err
parse_whole(cfg_t *cfg, const char *name, const char *text)
{
	char *whole = NULL;
	FILE *f = NULL;
	mst_err e = MST_E_NOMEM;

	if (asprintf(&whole, "%s\n" CONF_SENTINEL " = 1\n", text) < 0 ||
	    (f = fmemopen(whole, strlen(whole), "r")) == NULL)
		goto out;
	why[0] = '\0';
	e = MST_E_CONFIG_SYNTAX;
	if (cfg_parse_fp(cfg, f) == CFG_SUCCESS && cfg_getint(cfg, CONF_SENTINEL) == 1)
		e = MST_OK;
	else if (why[0] == '\0' || strstr(why, CONF_SENTINEL) != NULL)
		snprintf(why, sizeof why, "%s: a section or string is not closed at the end", name);
out:
	if (f != NULL)
		fclose(f);
	free(whole);
	return e;
}

mst_err
conf_parse(cfg_opt_t *options, const struct conf_rules *rules, const char *name, const char *text,
    cfg_t **out)
{
	cfg_t *cfg = cfg_init(options, CFGF_NONE);
	mst_err e;

	if (cfg == NULL)
		return MST_E_NOMEM;
	reading = name;
	ruling = rules;
	cfg_set_error_function(cfg, on_error);
	watch_values(cfg, "", options);
	if ((e = parse_whole(cfg, name, text)) != MST_OK)
		cfg_free(cfg);
	else
		*out = cfg;
	return e;
}

mst_err
conf_load(struct arena *a, const char *path, mst_span *text)
{
	mst_err e = file_read(a, path, CONF_BYTES, text);

	if (e != MST_OK) {
		snprintf(why, sizeof why, "%s", file_why());
		return e;
	}
	if (memchr(text->ptr, 0, text->len) != NULL) {
		snprintf(why, sizeof why, "%s: a NUL byte stands in the file", path);
		return MST_E_CONFIG_SYNTAX;
	}
	return MST_OK;
}

const char *
conf_path(struct arena *a, const char *folder, const char *path)
{
	if (path == NULL || path[0] == '/')
		return path;
	return arena_printf(a, "%s/%s", folder, path);
}

const char *
conf_key_uri(struct arena *a, const char *folder, const char *uri)
{
	if (uri == NULL || strncmp(uri, "pkcs11:", 7) == 0 || strncmp(uri, "tpm2:", 5) == 0)
		return uri;
	return conf_path(a, folder, strncmp(uri, "file:", 5) == 0 ? uri + 5 : uri);
}
