/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys in tokens. OpenSSL 3 deprecates ENGINE, but the PKCS#11 provider that
 * replaces it is not in Debian 12 (dependencies.md 7). This file is the only
 * one that knows; when the provider is there, this file alone changes.
 */
#include "host/key_internal.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations" /* see the head of this file */
#include <openssl/engine.h>
#include <openssl/err.h>
#include <openssl/ui.h>

#define MODULES_MAX 8
#define PATH_CAP 256
#define URI_CAP 1024
#define PIN_CAP 256

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* Kept until the process ends: keys handed out refer to them. */
static struct module {
	char path[PATH_CAP];
	ENGINE *engine;
} modules[MODULES_MAX];

struct uri {
	char module[PATH_CAP];
	char plain[URI_CAP]; /* path attributes only: fit for a log */
	char pin_source[PATH_CAP];
	char pin[PIN_CAP]; /* percent-encoded, as it stands in a URI */
	char token[64], object[64];
};

static int
hex(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
	                              : -1;
}

/* RFC 3986 2.1; NUL inside would cut the value short and is refused. */
static int
percent_decode(mst_span in, char *out, size_t cap)
{
	size_t n = 0;

	for (size_t i = 0; i < in.len; i++) {
		int c = in.ptr[i];

		if (c == '%') {
			int hi = i + 2 < in.len ? hex((char)in.ptr[i + 1]) : -1;
			int lo = hi >= 0 ? hex((char)in.ptr[i + 2]) : -1;

			if (lo < 0)
				return -1;
			c = hi * 16 + lo;
			i += 2;
		}
		if (c == 0 || n + 1 >= cap)
			return -1;
		out[n++] = (char)c;
	}
	out[n] = '\0';
	return 0;
}

static int
is(mst_span word, const char *s)
{
	return mst_span_eq(word, mst_span_str(s));
}

/* One name=value; 0, or -1 when it is not understood. What the engine shall see goes to plain. */
static int
path_attribute(mst_span name, mst_span value, struct uri *u)
{
	static const char *const known[] = { "id", "serial", "manufacturer", "model", "token",
		"object", NULL };
	char scratch[256];
	size_t i = 0, at = strlen(u->plain);
	int r = 0;

	/* The engine does not know type=; it looks for private keys anyway. */
	if (is(name, "type"))
		return is(value, "private") ? 0 : -1;
	while (known[i] != NULL && !is(name, known[i]))
		i++;
	if (known[i] == NULL)
		return -1;
	if (is(name, "token"))
		r = percent_decode(value, u->token, sizeof(u->token));
	else if (is(name, "object"))
		r = percent_decode(value, u->object, sizeof(u->object));
	else if (i > 0) /* id is binary: the engine decodes it */
		r = percent_decode(value, scratch, sizeof(scratch));
	snprintf(u->plain + at, sizeof(u->plain) - at, "%s%s=%.*s",
	    u->plain[at - 1] == ':' ? "" : ";", known[i], (int)value.len, value.ptr);
	return r;
}

static int
query_attribute(mst_span name, mst_span value, struct uri *u)
{
	char scratch[PIN_CAP];
	int r;

	if (is(name, "module-path"))
		return percent_decode(value, u->module, sizeof(u->module));
	if (is(name, "pin-source"))
		return percent_decode(value, u->pin_source, sizeof(u->pin_source));
	if (!is(name, "pin-value") || value.len >= sizeof(u->pin))
		return -1;
	r = percent_decode(value, scratch, sizeof(scratch));
	mst_wipe(scratch, sizeof(scratch));
	memcpy(u->pin, value.ptr, value.len);
	u->pin[value.len] = '\0';
	return r;
}

typedef int (*attribute_fn)(mst_span name, mst_span value, struct uri *u);

/* Attributes up to the end, each name once (RFC 7512 2.3); the name that is wrong goes to bad. */
static int
attributes(const char *p, size_t len, char sep, attribute_fn fn, struct uri *u, mst_span *bad)
{
	mst_span seen[16];
	size_t count = 0;

	while (len > 0) {
		const char *end = memchr(p, sep, len);
		size_t n = end == NULL ? len : (size_t)(end - p);
		const char *eq = memchr(p, '=', n);
		mst_span name = mst_span_of(p, eq == NULL ? n : (size_t)(eq - p));

		*bad = name;
		if (eq == NULL || count == 16)
			return -1;
		for (size_t i = 0; i < count; i++)
			if (mst_span_eq(seen[i], name))
				return -1;
		seen[count++] = name;
		if (fn(name, mst_span_of(eq + 1, n - name.len - 1), u) != 0)
			return -1;
		p += n + (end != NULL);
		len -= n + (end != NULL);
	}
	return 0;
}

static mst_err
uri_parse(const struct key_opening *o, struct uri *u)
{
	const char *path = o->uri + strlen("pkcs11:");
	size_t path_len = strcspn(path, "?");
	const char *query = path[path_len] == '?' ? path + path_len + 1 : "";
	mst_span bad = MST_NONE;

	memset(u, 0, sizeof(*u));
	if (path_len + 16 > sizeof(u->plain))
		return key_step(o, "parse URI", MST_E_KEY_URI, "it is too long");
	strcpy(u->plain, "pkcs11:");
	if (attributes(path, path_len, ';', path_attribute, u, &bad) != 0 ||
	    attributes(query, strlen(query), '&', query_attribute, u, &bad) != 0)
		return key_step(o, "parse URI", MST_E_KEY_URI,
		    "attribute \"%.*s\" is unknown, given twice or has a bad value (RFC 7512 2.3)",
		    (int)(bad.len < 40 ? bad.len : 40), bad.ptr);
	if (path_len == 0)
		return key_step(o, "parse URI", MST_E_KEY_URI, "it names neither token nor object");
	if (u->pin[0] != '\0' && u->pin_source[0] != '\0')
		return key_step(o, "parse URI", MST_E_KEY_URI,
		    "pin-value and pin-source exclude each other (RFC 7512 2.4)");
	return key_step(o, "parse URI", MST_OK, "%s", u->plain);
}

/* RFC 7512 2.4: pin-source is a file here; running a command ("|cmd") is not done. */
static mst_err
pin_fetch(const struct key_opening *o, struct uri *u)
{
	const char *path = u->pin_source;
	uint8_t text[PIN_CAP / 3];
	struct mst_buf b = MST_BUF(text);
	size_t at = 0;
	mst_err e;

	if (*path == '\0')
		return MST_OK;
	if (strncmp(path, "file:", 5) == 0)
		path += strncmp(path, "file:///", 8) == 0 ? 7 : 5;
	else if (*path != '/')
		return key_step(o, "read PIN", MST_E_KEY_URI, "pin-source must be a file");
	if ((e = key_read_secret(o, path, &b)) != MST_OK)
		goto out;
	while (b.len > 0 && (text[b.len - 1] == '\n' || text[b.len - 1] == '\r'))
		b.len--;
	if (b.len == 0) {
		e = key_step(o, "read PIN", MST_E_KEY_OPEN, "%s is empty", path);
		goto out;
	}
	for (size_t i = 0; i < b.len; i++, at += 3)
		snprintf(u->pin + at, sizeof(u->pin) - at, "%%%02x", text[i]);
out:
	mst_wipe(text, sizeof(text));
	return e;
}

static const char *
module_default(void)
{
	static const char *const usual[] = { "/usr/lib/softhsm/libsofthsm2.so",
		"/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
		"/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so" };
	const char *env = getenv("PKCS11_MODULE_PATH");

	if (env != NULL && *env != '\0')
		return env;
	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		if (access(usual[i], R_OK) == 0)
			return usual[i];
	return "";
}

/* A private copy of the engine, since one copy serves one module for good. */
static ENGINE *
engine_new(const char *module)
{
	const char *dir = OPENSSL_info(OPENSSL_INFO_ENGINES_DIR);
	ENGINE *e;

	ENGINE_load_dynamic();
	if ((e = ENGINE_by_id("dynamic")) == NULL)
		return NULL;
	if (ENGINE_ctrl_cmd_string(e, "ID", "pkcs11", 0) &&
	    ENGINE_ctrl_cmd_string(e, "DIR_LOAD", "2", 0) &&
	    ENGINE_ctrl_cmd_string(e, "DIR_ADD", dir, 0) &&
	    ENGINE_ctrl_cmd_string(e, "LIST_ADD", "0", 0) &&
	    ENGINE_ctrl_cmd_string(e, "LOAD", NULL, 0) &&
	    ENGINE_ctrl_cmd_string(e, "MODULE_PATH", module, 0) &&
	    /* Its words would go to stderr beside our log; the codes are enough. */
	    ENGINE_ctrl_cmd_string(e, "QUIET", NULL, 0) && ENGINE_init(e))
		return e;
	ENGINE_free(e);
	return NULL;
}

/* With the lock held. */
static mst_err
module_get(const struct key_opening *o, struct uri *u, ENGINE **out)
{
	const char *path = u->module[0] != '\0' ? u->module : module_default();
	char words[128];
	struct module *m = modules;
	void *so;

	if (*path == '\0' || strlen(path) >= PATH_CAP)
		return key_step(o, "load module", MST_E_KEY_OPEN,
		    "no PKCS#11 module: name it with module-path= or PKCS11_MODULE_PATH");
	if (path != u->module)
		memcpy(u->module, path, strlen(path) + 1);
	while (m < modules + MODULES_MAX && m->engine != NULL && strcmp(m->path, u->module) != 0)
		m++;
	if (m == modules + MODULES_MAX)
		return key_step(
		    o, "load module", MST_E_KEY_OPEN, "more than %d modules in use", MODULES_MAX);
	if (m->engine == NULL) {
		/* First by ourselves, for the words. It stays loaded. */
		if ((so = dlopen(u->module, RTLD_NOW | RTLD_LOCAL)) == NULL)
			return key_step(o, "load module", MST_E_KEY_OPEN, "%s", dlerror());
		if (dlsym(so, "C_GetFunctionList") == NULL) {
			dlclose(so);
			return key_step(o, "load module", MST_E_KEY_OPEN,
			    "%s is not a PKCS#11 module", u->module);
		}
		if ((m->engine = engine_new(u->module)) == NULL)
			return key_step(o, "load module", MST_E_KEY_OPEN,
			    "OpenSSL's engine pkcs11 (libengine-pkcs11-openssl): %s",
			    key_openssl_words(words, sizeof(words)));
		memcpy(m->path, u->module, sizeof(m->path));
	}
	*out = m->engine;
	return key_step(o, "load module", MST_OK, "%s", u->module);
}

/*
 * The few declarations of PKCS#11 2.40 that it takes to look at the tokens'
 * labels: the engine says only "not found", and a person must know whether
 * that is the token or the key.
 */
struct ck_token_info {
	unsigned char label[32], manufacturer[32], model[16], serial[16];
	unsigned long flags, counts[10];
	unsigned char versions[4], time[16];
};
struct ck_functions {
	unsigned char version[2];
	unsigned long (*initialize)(void *);
	unsigned long (*finalize)(void *);
	unsigned long (*get_info)(void *);
	unsigned long (*get_function_list)(struct ck_functions **);
	unsigned long (*get_slot_list)(unsigned char, unsigned long *, unsigned long *);
	unsigned long (*get_slot_info)(unsigned long, void *);
	unsigned long (*get_token_info)(unsigned long, struct ck_token_info *);
};
typedef unsigned long (*get_function_list_fn)(struct ck_functions **);

static int
label_is(const struct ck_token_info *t, const char *label)
{
	size_t n = sizeof(t->label);

	while (n > 0 && (t->label[n - 1] == ' ' || t->label[n - 1] == '\0'))
		n--;
	return strlen(label) == n && memcmp(t->label, label, n) == 0;
}

/* Is there a token of this label? 1 also when the module gives no answer. The engine has
 * initialised the module. */
static int
token_exists(const char *module, const char *label)
{
	void *so = dlopen(module, RTLD_NOW | RTLD_NOLOAD);
	unsigned long slots[64], count = 64;
	struct ck_functions *f = NULL;
	struct ck_token_info info;
	get_function_list_fn get;
	int found = 0;

	if (so == NULL || *label == '\0')
		return 1;
	*(void **)&get = dlsym(so, "C_GetFunctionList");
	if (get == NULL || get(&f) != 0 || f->get_slot_list(1, slots, &count) != 0)
		found = 1;
	for (unsigned long i = 0; i < count && !found; i++)
		found = f->get_token_info(slots[i], &info) == 0 && label_is(&info, label);
	dlclose(so);
	return found;
}

#define CKR_PIN_INCORRECT 0xa0
#define CKR_PIN_LAST 0xa4 /* invalid, length, expired, locked */

/* Tell which step it was that failed, and the steps before it that did not. */
static mst_err
blame(const struct key_opening *o, const struct uri *u)
{
	unsigned long code = ERR_peek_error();
	const char *lib = ERR_lib_error_string(code);
	int reason = ERR_GET_REASON(code);
	char words[128];

	key_openssl_words(words, sizeof(words));
	if (!token_exists(u->module, u->token))
		return key_step(
		    o, "find token", MST_E_KEY_OPEN, "no token has the label \"%s\"", u->token);
	key_step(o, "find token", MST_OK, "%s", u->token);
	if (lib != NULL && strncmp(lib, "PKCS#11", 7) == 0 && reason >= CKR_PIN_INCORRECT &&
	    reason <= CKR_PIN_LAST)
		return key_step(o, "log in", MST_E_KEY_OPEN, "%s", words);
	if (u->pin[0] == '\0')
		return key_step(o, "find key", MST_E_KEY_OPEN,
		    "%s: %s; without pin-value or pin-source only public objects are seen",
		    u->plain, words);
	key_step(o, "log in", MST_OK, "PIN accepted");
	return key_step(o, "find key", MST_E_KEY_OPEN, "%s: %s", u->plain, words);
}

static mst_err
load(const struct key_opening *o, ENGINE *engine, const struct uri *u, EVP_PKEY **out)
{
	char uri[URI_CAP + PIN_CAP + 16];
	/* RFC 7512 attributes that the engine does not know are gone; no user interface: never ask
	 * a terminal. */
	UI_METHOD *silent = UI_create_method("muster: no questions");

	snprintf(
	    uri, sizeof(uri), "%s%s%s", u->plain, u->pin[0] != '\0' ? "?pin-value=" : "", u->pin);
	ERR_clear_error();
	*out = silent == NULL ? NULL : ENGINE_load_private_key(engine, uri, silent, NULL);
	UI_destroy_method(silent);
	mst_wipe(uri, sizeof(uri));
	if (*out == NULL)
		return blame(o, u);
	key_step(o, "find token", MST_OK, "%s", u->token);
	if (u->pin[0] != '\0')
		key_step(o, "log in", MST_OK, "PIN accepted");
	return key_step(o, "find key", MST_OK, "%s, %d bits",
	    EVP_PKEY_get_base_id(*out) == EVP_PKEY_RSA ? "RSA" : "EC", EVP_PKEY_get_bits(*out));
}

mst_err
key_open_pkcs11(const struct key_opening *o, EVP_PKEY **out)
{
	ENGINE *engine = NULL;
	EVP_PKEY *key = NULL;
	struct uri u;
	mst_err e;

	if ((e = uri_parse(o, &u)) != MST_OK || (e = pin_fetch(o, &u)) != MST_OK)
		goto out;
	pthread_mutex_lock(&lock);
	if ((e = module_get(o, &u, &engine)) == MST_OK)
		e = load(o, engine, &u, &key);
	pthread_mutex_unlock(&lock);
	if (e == MST_OK)
		*out = key;
out:
	mst_wipe(&u, sizeof(u));
	return e;
}
#pragma GCC diagnostic pop
