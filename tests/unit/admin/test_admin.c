/* SPDX-License-Identifier: Apache-2.0 */
/* The control channel, line by line: every verb, its refusals, and lines that are none. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include "host/clock.h"
#include "host/control.h"
#include "host/log.h"
#include "server/admin/admin.h"
#include "tests/unit/registrar/support_id.h"

static struct arena *area;
static char dir[64];
static struct store *store;
static struct net *net;
static struct admin *admin;
static struct id maker, other;
static int reloads;

static mst_err
hash_password(struct arena *a, mst_span password, const char **out)
{
	*out = arena_printf(a, "hash-of-%zu", password.len);
	return *out != NULL ? MST_OK : MST_E_NOMEM;
}

static void
reload(void *arg)
{
	(*(int *)arg)++;
}

struct serving {
	int fd;
	pthread_t thread;
};

static void *
serve(void *arg)
{
	struct serving *s = arg;

	admin_serve(admin, s->fd, s->fd);
	close(s->fd);
	return NULL;
}

static int
open_channel(struct serving *s)
{
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	s->fd = fd[1];
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
	return fd[0];
}

static void
close_channel(struct serving *s, int fd)
{
	close(fd);
	pthread_join(s->thread, NULL);
}

static void
send_text(int fd, const char *text, size_t n)
{
	while (n != 0) {
		ssize_t w = send(fd, text, n, MSG_NOSIGNAL);

		if (w <= 0)
			return;
		text += w;
		n -= (size_t)w;
	}
}

/* The next end line; progress lines are counted. NULL when the channel ended. */
static json_t *
receive(int fd, int *progress)
{
	static char text[1 << 20];
	size_t n = 0;

	for (;;) {
		json_t *line;

		if (n == sizeof text || read(fd, text + n, 1) != 1)
			return NULL;
		if (text[n++] != '\n')
			continue;
		line = json_loadb(text, n, 0, NULL);
		assert_non_null(line);
		if (json_object_get(line, "ok") != NULL)
			return line;
		(*progress)++;
		json_decref(line);
		n = 0;
	}
}

static int progress_lines;
static char last_detail[1024]; /* of the last refusal */

/* One line on a channel of its own. */
static json_t *
ask(const char *text, size_t n)
{
	struct serving s;
	int fd = open_channel(&s);
	json_t *line;

	progress_lines = 0;
	send_text(fd, text, n);
	send_text(fd, "\n", 1);
	line = receive(fd, &progress_lines);
	close_channel(&s, fd);
	return line;
}

/* A verb with arguments; *err gets the refusal's name. The data, new. */
static json_t *
call(const char *verb, json_t *args, mst_err *err)
{
	json_t *request = json_pack("{s:s,s:o?}", "verb", verb, "args", args), *line, *data;
	char *text = json_dumps(request, JSON_COMPACT);

	line = ask(text, strlen(text));
	free(text);
	json_decref(request);
	assert_non_null(line);
	*err = MST_OK;
	if (json_is_false(json_object_get(line, "ok"))) {
		*err = mst_err_find(json_string_value(json_object_get(line, "code")))->err;
		assert_true(json_is_string(json_object_get(line, "detail")));
		assert_true(json_is_string(json_object_get(line, "sentence")));
		snprintf(last_detail, sizeof last_detail, "%s",
		    json_string_value(json_object_get(line, "detail")));
	}
	data = json_incref(json_object_get(line, "data"));
	json_decref(line);
	return data;
}

static void
is(mst_err got, mst_err want)
{
	assert_string_equal(mst_err_info(got)->name, mst_err_info(want)->name);
}

static void
refused(const char *verb, json_t *args, mst_err want)
{
	mst_err e;

	json_decref(call(verb, args, &e));
	is(e, want);
}

static json_t *
good(const char *verb, json_t *args)
{
	mst_err e;
	json_t *data = call(verb, args, &e);

	is(e, MST_OK);
	return data;
}

static const char *
member(json_t *data, const char *name)
{
	return json_string_value(json_object_get(data, name));
}

/* --- a maker, for those who need one --- */

static json_t *
maker_args(const char *name)
{
	return json_pack("{s:s,s:s,s:s,s:s}", "name", name, "anchors",
	    (const char *)pem_of(area, &maker.cert, 1).ptr, "mode", "ask", "masa_hosts",
	    "masa.example masa.example:9443");
}

static json_t *
with(json_t *args, const char *name, const char *value)
{
	json_object_set_new(args, name, json_string(value));
	return args;
}

static void
test_trust(void **state)
{
	json_t *d = good("manufacturer.trust", maker_args("Müller & Söhne"));

	(void)state;
	assert_string_equal(member(d, "mode"), "ask");
	assert_string_equal(member(d, "audit_policy"), "strict");
	json_decref(d);
	d = good("manufacturer.trust", json_pack("{s:s,s:s,s:s}", "name", "Müller & Söhne", "mode",
	                                   "auto", "masa_password", "x"));
	assert_string_equal(member(d, "mode"), "auto");
	assert_string_equal(member(d, "masa_hosts"), "masa.example masa.example:9443"); /* kept */
	assert_null(json_object_get(d, "masa_password")); /* never told */
	json_decref(d);
	d = good("manufacturer.show", json_pack("{s:s}", "name", "Müller & Söhne"));
	assert_string_equal(member(d, "mode"), "auto");
	json_decref(d);
	d = good("manufacturer.list", NULL);
	assert_true(json_array_size(d) >= 1);
	json_decref(d);
	json_decref(good("manufacturer.forget", json_pack("{s:s}", "name", "Müller & Söhne")));
	refused("manufacturer.show", json_pack("{s:s}", "name", "Müller & Söhne"), MST_E_NOT_FOUND);
	refused(
	    "manufacturer.forget", json_pack("{s:s}", "name", "Müller & Söhne"), MST_E_NOT_FOUND);
}

static const struct trust_row {
	const char *name, *member, *value;
	mst_err want;
} trusts[] = {
	{ "manufacturer.trust: no name", "name", "", MST_E_USAGE },
	{ "manufacturer.trust: a line break in the name", "name", "a\nb", MST_E_USAGE },
	{ "manufacturer.trust: a name too long", "name",
	    "01234567890123456789012345678901234567890123456789012345678901234567890123456789012345"
	    "67"
	    "8901234567890123456789",
	    MST_E_USAGE },
	{ "manufacturer.trust: anchors that are none", "anchors", "hello", MST_E_X509 },
	{ "manufacturer.trust: no anchors at all", "anchors", "", MST_E_USAGE },
	{ "manufacturer.trust: voucher_anchors that are none", "voucher_anchors", "x", MST_E_X509 },
	{ "manufacturer.trust: masa_anchors that are none", "masa_anchors", "x", MST_E_X509 },
	{ "manufacturer.trust: a CRL that is none", "crl", "no CRL", MST_E_X509 },
	{ "manufacturer.trust: an empty CRL means none", "crl", "", MST_OK },
	{ "manufacturer.trust: unknown mode", "mode", "always", MST_E_USAGE },
	{ "manufacturer.trust: unknown serial rule", "serial_rule", "guess", MST_E_USAGE },
	{ "manufacturer.trust: unknown policy", "audit_policy", "none", MST_E_USAGE },
	{ "ID-3 manufacturer.trust: http MASA", "masa", "http://m.example/", MST_E_MASA_URL },
	{ "ID-3 manufacturer.trust: userinfo", "masa", "https://a@m.example/", MST_E_MASA_URL },
	{ "ID-3 manufacturer.trust: a URL among the hosts", "masa_hosts", "https://m.example/x",
	    MST_E_MASA_URL },
	{ "ID-3 manufacturer.trust: a pattern among the hosts", "masa_hosts", "*.example",
	    MST_E_MASA_URL },
	{ "ID-3 manufacturer.trust: neither MASA nor hosts", "masa_hosts", "", MST_E_USAGE },
	{ "manufacturer.trust: certificate without key", "masa_cert", "/x", MST_E_USAGE },
};

static void
test_trust_row(void **state)
{
	const struct trust_row *r = *state;
	mst_err e;

	json_decref(call("manufacturer.trust", with(maker_args("row"), r->member, r->value), &e));
	is(e, r->want);
	json_decref(call("manufacturer.forget", json_pack("{s:s}", "name", "row"), &e));
	is(e, r->want == MST_OK ? MST_OK : MST_E_NOT_FOUND); /* nothing half-written */
}

/* --- devices --- */

static struct manufacturer stored_maker;

struct change {
	const char *serial;
	enum device_state state;
	int verdict;
};

static mst_err
make_device(struct db *db, void *arg)
{
	struct change *c = arg;
	struct device d;
	bool created;
	mst_err e;

	if ((e = manufacturer_get(db, area, "maker", &stored_maker)) != MST_OK ||
	    (e = device_touch(db, area, stored_maker.id, mst_span_str(c->serial), MST_NONE,
	         clock_wall(), &d, &created)) != MST_OK)
		return e;
	d.state = c->state;
	d.audit_verdict = c->verdict;
	return device_save(db, &d);
}

static void
device(const char *serial, enum device_state state, int verdict)
{
	struct change c = { serial, state, verdict };

	assert_int_equal(store_write_wait(store, make_device, &c), MST_OK);
}

static json_t *
serial(const char *s)
{
	return json_pack("{s:s}", "serial", s);
}

struct twin {
	const char *serial, *issuer;
};

static mst_err
make_twin(struct db *db, void *arg)
{
	struct twin *t = arg;
	struct device d;
	bool created;
	mst_err e;

	if ((e = manufacturer_get(db, area, "maker", &stored_maker)) != MST_OK)
		return e;
	return device_touch(db, area, stored_maker.id, mst_span_str(t->serial),
	    mst_span_str(t->issuer), clock_wall(), &d, &created);
}

/* ID-8: where two devices share a serial number, nothing is done before one is named. */
static void
test_twins(void **state)
{
	struct twin one = { "TW-1", "ca1" }, two = { "TW-1", "ca2" };
	json_t *d;

	(void)state;
	assert_int_equal(store_write_wait(store, make_twin, &one), MST_OK);
	assert_int_equal(store_write_wait(store, make_twin, &two), MST_OK);
	refused("device.show", serial("TW-1"), MST_E_CONFLICT);
	assert_non_null(strstr(last_detail, "--manufacturer maker --issuer 636131 (seen)"));
	assert_non_null(strstr(last_detail, "--manufacturer maker --issuer 636132 (seen)"));
	refused("device.accept", serial("TW-1"), MST_E_CONFLICT);
	refused("device.reject", json_pack("{s:s,s:s}", "serial", "TW-1", "manufacturer", "maker"),
	    MST_E_CONFLICT);
	refused("cert.list", json_pack("{s:s}", "device", "TW-1"), MST_E_CONFLICT);
	refused("device.import",
	    json_pack("{s:s,s:[s]}", "manufacturer", "maker", "serials", "TW-1"), MST_E_CONFLICT);
	d = good("device.accept", json_pack("{s:s,s:s}", "serial", "TW-1", "issuer", "636131"));
	assert_string_equal(member(d, "issuer"), "636131");
	assert_string_equal(member(d, "decision"), "accepted");
	json_decref(d);
	d = good("device.show", json_pack("{s:s,s:s}", "serial", "TW-1", "issuer", "63:61:32"));
	assert_null(member(d, "decision"));
	json_decref(d);
	refused("device.show", json_pack("{s:s,s:s}", "serial", "TW-1", "issuer", "63613"),
	    MST_E_USAGE);
	refused("device.show", json_pack("{s:s,s:s}", "serial", "TW-1", "issuer", "636133"),
	    MST_E_NOT_FOUND);
	d = good("device.import", json_pack("{s:s,s:s,s:[s]}", "manufacturer", "maker", "issuer",
	                              "636132", "serials", "TW-1"));
	assert_int_equal(json_integer_value(json_object_get(d, "added")), 1);
	json_decref(d);
}

static void
test_accept(void **state)
{
	json_t *d;

	(void)state;
	device("A-1", DEVICE_PENDING, -1);
	d = good("device.accept", json_pack("{s:s,s:s}", "serial", "A-1", "reason", "bought"));
	assert_string_equal(member(d, "state"), "seen");
	assert_string_equal(member(d, "decision"), "accepted");
	assert_string_equal(member(d, "decision_reason"), "bought");
	assert_non_null(member(d, "decided_by"));
	json_decref(d);
	d = good("device.reject", serial("A-1"));
	assert_string_equal(member(d, "state"), "retired");
	assert_string_equal(member(d, "decision"), "rejected");
	json_decref(d);
	d = good("device.show", serial("A-1"));
	assert_int_equal(json_array_size(json_object_get(d, "timeline")), 2);
	json_decref(d);
	d = good("audit.list", serial("A-1"));
	assert_int_equal(json_array_size(d), 2);
	json_decref(d);
	refused("device.accept", NULL, MST_E_USAGE);
	refused("device.accept", serial("nobody"), MST_E_NOT_FOUND);
	refused("device.reject", serial("nobody"), MST_E_NOT_FOUND);
	refused("device.show", serial("nobody"), MST_E_NOT_FOUND);
	refused("audit.list", serial("nobody"), MST_E_NOT_FOUND);
	refused("device.accept", json_pack("{s:s,s:s}", "serial", "A-1", "manufacturer", "nobody"),
	    MST_E_NOT_FOUND);
}

/* AUD-6: a bad history is overridden by name and with a reason, or not at all. */
static void
test_after_audit(void **state)
{
	json_t *d;

	(void)state;
	device("A-2", DEVICE_QUARANTINED, 0);
	refused("device.accept", serial("A-2"), MST_E_CONFLICT);
	refused("device.accept", json_pack("{s:s,s:b}", "serial", "A-2", "after_audit", 1),
	    MST_E_USAGE);
	d = good("device.show", serial("A-2"));
	assert_string_equal(member(d, "state"), "quarantined");
	assert_true(json_is_false(json_object_get(d, "audit_override")));
	json_decref(d);
	d = good("device.accept",
	    json_pack("{s:s,s:b,s:s}", "serial", "A-2", "after_audit", 1, "reason", "second-hand"));
	assert_string_equal(member(d, "state"), "seen");
	assert_true(json_is_true(json_object_get(d, "audit_override")));
	json_decref(d);
	d = good("device.reject", serial("A-2")); /* forgives nothing any more */
	assert_true(json_is_false(json_object_get(d, "audit_override")));
	json_decref(d);
	device("A-3", DEVICE_REVOKED, 1);
	d = good("device.accept", serial("A-3"));
	assert_string_equal(member(d, "state"), "seen");
	json_decref(d);
}

static void
test_list(void **state)
{
	json_t *d;

	(void)state;
	for (int i = 0; i < 5; i++)
		device(arena_printf(area, "L-%d", i), DEVICE_STALE, -1);
	d = good("device.list", json_pack("{s:s}", "state", "stale"));
	assert_int_equal(json_array_size(d), 5);
	assert_string_equal(member(json_array_get(d, 0), "manufacturer"), "maker");
	json_decref(d);
	d = good("device.list",
	    json_pack("{s:s,s:i,s:s}", "state", "stale", "limit", 2, "after", "L-1"));
	assert_int_equal(json_array_size(d), 2);
	assert_string_equal(member(json_array_get(d, 0), "serial"), "L-2");
	json_decref(d);
	d = good("device.list", json_pack("{s:s,s:i}", "state", "stale", "limit", -1));
	assert_int_equal(json_array_size(d), 5);
	json_decref(d);
	refused("device.list", json_pack("{s:s}", "state", "happy"), MST_E_USAGE);
	d = good("audit.list", json_pack("{s:i}", "limit", -5));
	json_decref(d);
}

static void
test_import(void **state)
{
	json_t *list = json_array(), *d;

	(void)state;
	for (int i = 0; i < 1200; i++)
		json_array_append_new(list, json_sprintf("I-%04d", i));
	d = good("device.import", json_pack("{s:s,s:O}", "manufacturer", "maker", "serials", list));
	assert_int_equal(json_integer_value(json_object_get(d, "added")), 1200);
	assert_int_equal(progress_lines, 3);
	json_decref(d);
	d = good("device.import", json_pack("{s:s,s:o}", "manufacturer", "maker", "serials", list));
	assert_int_equal(json_integer_value(json_object_get(d, "known")), 1200);
	json_decref(d);
	d = good("device.show", serial("I-0007"));
	assert_string_equal(member(d, "state"), "planned");
	json_decref(d);
	refused("device.import", json_pack("{s:s}", "manufacturer", "maker"), MST_E_USAGE);
	refused("device.import", json_pack("{s:s,s:[]}", "manufacturer", "nobody", "serials"),
	    MST_E_NOT_FOUND);
	refused("device.import",
	    json_pack("{s:s,s:[s,s]}", "manufacturer", "maker", "serials", "J-1", "J\n2"),
	    MST_E_VOUCHER_SERIAL_FORMAT);
	refused("device.show", serial("J-1"), MST_E_NOT_FOUND); /* nothing of the batch */
	refused("device.import", json_pack("{s:s,s:[i]}", "manufacturer", "maker", "serials", 7),
	    MST_E_VOUCHER_SERIAL_FORMAT);
	refused("manufacturer.forget", json_pack("{s:s}", "name", "maker"), MST_E_CONFLICT);
}

/* --- the manufacturer's side, the site's certificates, the daemon --- */

static void
test_customers(void **state)
{
	json_t *d;
	int before = reloads;

	(void)state;
	d = good("customer.trust", json_pack("{s:s,s:s,s:s,s:b}", "name", "site", "user", "u",
	                               "password", "p", "nonceless", 1));
	assert_true(json_is_true(json_object_get(d, "nonceless")));
	json_decref(d);
	assert_int_equal(reloads, before + 1);
	d = good("customer.list", NULL);
	assert_int_equal(json_array_size(d), 1);
	assert_null(json_object_get(json_array_get(d, 0), "password"));
	json_decref(d);
	refused("customer.trust", NULL, MST_E_USAGE);
	refused("customer.trust", json_pack("{s:s,s:s}", "name", "x", "anchors", "no"), MST_E_X509);
	refused("customer.trust",
	    json_pack("{s:s,s:s,s:s}", "name", "x", "anchors",
	        (const char *)pem_of(area, &other.cert, 1).ptr, "crl", "no"),
	    MST_E_X509);
	assert_int_equal(reloads, before + 1);
}

static mst_err
make_masa_device(struct db *db, void *arg)
{
	struct masa_device d = { .serial = MST_LIT("M-1"),
		.idevid_issuer = MST_LIT("issuer"),
		.state = MASA_MADE,
		.made_at = 1 };

	(void)arg;
	return masa_device_add(db, &d);
}

static void
test_inventory(void **state)
{
	json_t *d;

	(void)state;
	assert_int_equal(store_write_wait(store, make_masa_device, NULL), MST_OK);
	d = good("inventory.list", NULL);
	assert_int_equal(json_array_size(d), 1);
	json_decref(d);
	d = good("inventory.set", json_pack("{s:s,s:s}", "serial", "M-1", "customer", "site"));
	assert_string_equal(member(d, "state"), "owned");
	json_decref(d);
	d = good("inventory.set",
	    json_pack("{s:s,s:s,s:s}", "serial", "M-1", "state", "blocked", "reason", "stolen"));
	assert_string_equal(member(d, "state"), "blocked");
	assert_string_equal(member(d, "reason"), "stolen");
	json_decref(d);
	d = good("inventory.set", json_pack("{s:s,s:s}", "serial", "M-1", "state", "made"));
	assert_string_equal(member(d, "state"), "made");
	assert_int_equal(json_integer_value(json_object_get(d, "customer")), 0);
	json_decref(d);
	refused("inventory.set", NULL, MST_E_USAGE);
	refused("inventory.set", serial("nobody"), MST_E_NOT_FOUND);
	refused(
	    "inventory.set", json_pack("{s:s,s:s}", "serial", "M-1", "state", "gone"), MST_E_USAGE);
	refused("inventory.set", json_pack("{s:s,s:s}", "serial", "M-1", "customer", "nobody"),
	    MST_E_NOT_FOUND);
	d = good("voucherlog.list", serial("M-1"));
	assert_int_equal(json_array_size(d), 0);
	json_decref(d);
	refused("voucherlog.list", serial("nobody"), MST_E_NOT_FOUND);
	refused("voucherlog.list", NULL, MST_E_USAGE);
}

static void
test_unconfigured(void **state)
{
	(void)state;
	refused("idevid.issue", NULL, MST_E_USAGE);
	refused("idevid.issue", serial("X"), MST_E_UNSUPPORTED);
	refused("crl.show", NULL, MST_E_UNSUPPORTED);
	refused("cert.revoke", serial("0102"), MST_E_UNSUPPORTED);
	refused("cert.revoke", NULL, MST_E_USAGE);
	refused("cert.revoke", serial("xyz"), MST_E_USAGE);
	refused("cert.show", serial("0102"), MST_E_NOT_FOUND);
	refused("cert.show", serial("012"), MST_E_USAGE);
	refused("cert.list", json_pack("{s:s}", "device", "nobody"), MST_E_NOT_FOUND);
	json_decref(good("cert.list", NULL));
}

static void
test_site(void **state)
{
	const char *path = arena_printf(area, "%s/backup.db", dir);
	json_t *d = good("status", NULL);

	(void)state;
	assert_string_equal(member(d, "roles"), "registrar masa");
	assert_string_equal(member(d, "version"), MUSTER_VERSION);
	assert_true(json_is_object(json_object_get(d, "devices")));
	json_decref(d);
	json_decref(good("backup.create", json_pack("{s:s}", "path", path)));
	json_decref(good("backup.verify", json_pack("{s:s}", "path", path)));
	refused("backup.create", json_pack("{s:s}", "path", path), MST_E_CONFLICT);
	refused("backup.create", json_pack("{s:s}", "path", "relative"), MST_E_USAGE);
	refused("backup.create", NULL, MST_E_USAGE);
	refused("backup.verify", json_pack("{s:s}", "path", "/nonexistent/file"), MST_E_STORE_OPEN);
}

/* --- lines that are none --- */

static const char *const garbage[] = {
	"",
	"{",
	"[]",
	"null",
	"7",
	"\"verb\"",
	"{}",
	"{\"verb\":7}",
	"{\"verb\":\"no.such\"}",
	"{\"verb\":\"status\",\"verb\":\"status\"}",
	"{\"verb\":\"device.show\",\"args\":[]}",
	"{\"verb\":\"device.show\",\"args\":\"x\"}",
	"{\"verb\":\"device.show\",\"args\":{\"serial\":7}}",
	"{\"verb\":\"device.show\",\"args\":{\"serial\":\"\\u0000\"}}",
	"\xff\xfe",
	"GET / HTTP/1.1\r",
	"{\"verb\":\"\xc3\"}",
};

static void
test_garbage(void **state)
{
	const char *const *text = *state;
	json_t *line = ask(*text, strlen(*text));

	assert_non_null(line);
	assert_true(json_is_false(json_object_get(line, "ok")));
	json_decref(line);
}

static void
test_long_verb(void **state)
{
	char text[3000] = "{\"verb\":\"";
	size_t n = strlen(text);
	json_t *line;

	(void)state;
	for (int i = 0; i < 700; i++, n += 3)
		memcpy(text + n, "\xe2\x82\xac", 4); /* cut inside a character, it were no JSON */
	strcpy(text + n, "\"}");
	line = ask(text, strlen(text));
	assert_non_null(line);
	assert_string_equal(member(line, "name"), "MST_E_USAGE");
	json_decref(line);
}

static void
test_two_lines_and_halves(void **state)
{
	static const char text[] = "{\"verb\":\"status\"}\n{\"verb\":\"sta";
	struct serving s;
	int fd = open_channel(&s), none = 0;
	json_t *line;

	(void)state;
	send_text(fd, text, sizeof text - 1);
	line = receive(fd, &none);
	assert_true(json_is_true(json_object_get(line, "ok")));
	json_decref(line);
	send_text(fd, "tus\"}\n", 6);
	line = receive(fd, &none);
	assert_true(json_is_true(json_object_get(line, "ok")));
	json_decref(line);
	send_text(fd, "{\"verb\":\"status\"}", 17); /* and no end of line */
	close_channel(&s, fd);
}

static void
test_too_long(void **state)
{
	size_t n = CONTROL_LINE_BYTES + 65536;
	char *text = malloc(n);
	struct serving s;
	int fd = open_channel(&s), none = 0;

	(void)state;
	memset(text, 'x', n);
	send_text(fd, text, n); /* the channel ends inside */
	assert_null(receive(fd, &none));
	close_channel(&s, fd);
	free(text);
}

/* --- the socket --- */

static int
dial(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(to.sun_path, sizeof to.sun_path, "%s", path);
	if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
		return fd;
	close(fd);
	return -1;
}

/* As nobody: 1 when an answer came, 0 when none, 2 when not even connected. */
static int
ask_as_nobody(const char *path)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		char c;
		int fd;

		if (setgid(65534) != 0 || setuid(65534) != 0)
			_exit(9);
		if ((fd = dial(path)) < 0)
			_exit(2);
		send_text(fd, "{\"verb\":\"status\"}\n", 18);
		_exit(read(fd, &c, 1) == 1 ? 1 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

static void
test_socket(void **state)
{
	const char *path = arena_printf(area, "%s/control", dir);
	struct admin_config c = { .store = store, .net = net, .roles = "x" };
	struct admin *mine;
	struct stat st;
	json_t *line;
	int fd, none = 0, quiet[3];

	(void)state;
	assert_int_equal(admin_relay(path, 0, 1), MST_E_NOT_FOUND);
	assert_int_equal(admin_new(&c, &mine), MST_OK);
	assert_int_equal(admin_listen(mine, path), MST_OK);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	fd = dial(path);
	assert_true(fd >= 0);
	send_text(fd, "{\"verb\":\"status\"}\n", 18);
	line = receive(fd, &none);
	assert_true(json_is_true(json_object_get(line, "ok")));
	json_decref(line);
	if (geteuid() == 0) {
		assert_int_equal(chmod(dir, 0755), 0);
		assert_int_equal(ask_as_nobody(path), 2); /* the mode alone keeps it out */
		assert_int_equal(chmod(path, 0666), 0);
		assert_int_equal(ask_as_nobody(path), 0); /* and so does who it is */
	} else {
		print_message("not root: other users are not tried\n");
	}
	/* clients that say nothing, or read nothing, do not keep the daemon from ending */
	for (int i = 0; i < 3; i++)
		quiet[i] = dial(path);
	for (int i = 0; i < 20000; i++)
		if (send(quiet[0], "{\"verb\":\"status\"}\n", 18, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			break;
	admin_free(mine);
	assert_int_equal(access(path, F_OK), -1);
	for (int i = 0; i < 3; i++)
		close(quiet[i]);
	close(fd);
}

/* --- SEC-7: what an operator did stands in the trail, with whom and what --- */

/* Rows of the trail now. */
static size_t
trail_rows(struct trail **rows)
{
	size_t n;

	assert_int_equal(trail_list(store_reader(store), area, 0, 0, 100000, rows, &n), MST_OK);
	return n;
}

static const struct act_row {
	const char *name, *verb, *args, *words; /* words: in the row; NULL: none may be written */
	mst_err want;
} acts[] = {
	{ "SEC-7 trail: device accepted", "device.accept",
	    "{\"serial\":\"T-1\",\"reason\":\"bought\"}", "bought", MST_OK },
	{ "SEC-7 trail: device rejected", "device.reject",
	    "{\"serial\":\"T-2\",\"reason\":\"stolen\"}", "stolen", MST_OK },
	{ "SEC-7 trail: devices imported", "device.import",
	    "{\"manufacturer\":\"maker\",\"serials\":[\"T-3\"]}", "1 ", MST_OK },
	{ "SEC-7 trail: manufacturer changed", "manufacturer.trust",
	    "{\"name\":\"maker\",\"mode\":\"ask\"}", "maker", MST_OK },
	{ "SEC-7 trail: a refused act changes and writes nothing", "device.accept",
	    "{\"serial\":\"nobody\"}", NULL, MST_E_NOT_FOUND },
	{ "SEC-7 trail: reading writes nothing", "device.list", "{}", NULL, MST_OK },
};

static void
test_act_is_recorded(void **state)
{
	const struct act_row *r = *state;
	struct trail *rows;
	size_t before;
	mst_err e;

	device("T-1", DEVICE_PENDING, -1);
	device("T-2", DEVICE_PENDING, -1);
	before = trail_rows(&rows);
	json_decref(call(r->verb, json_loads(r->args, 0, NULL), &e));
	is(e, r->want);
	assert_int_equal(trail_rows(&rows), before + (r->words != NULL));
	if (r->words == NULL)
		return;
	assert_string_equal(rows[before].role, "admin");
	assert_int_equal(rows[before].step, STEP_ADMIN);
	assert_non_null(rows[before].peer); /* who */
	assert_true(rows[before].peer[0] != '\0');
	assert_non_null(strstr(rows[before].detail, r->words));
}

static int
setup(void **state)
{
	struct admin_config c = { .roles = "registrar masa",
		.reload = reload,
		.reload_arg = &reloads,
		.password_hash = hash_password };

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	log_open("test", LOG_JSON, LOG_ERROR_, 2);
	area = arena_new(0);
	strcpy(dir, "/tmp/muster-admin-XXXXXX");
	assert_non_null(mkdtemp(dir));
	maker = ID(.kind = ID_CA, .cn = "maker");
	other = ID(.kind = ID_CA, .cn = "site");
	assert_int_equal(store_open(arena_printf(area, "%s/db", dir), &store), MST_OK);
	assert_int_equal(net_new(1, &net), MST_OK);
	c.store = store;
	c.net = net;
	assert_int_equal(admin_new(&c, &admin), MST_OK);
	json_decref(good("manufacturer.trust", maker_args("maker")));
	return 0;
}

static int
teardown(void **state)
{
	DIR *d = opendir(dir);
	struct dirent *f;

	(void)state;
	admin_free(admin);
	store_close(store);
	net_free(net);
	while (d != NULL && (f = readdir(d)) != NULL)
		(void)unlink(arena_printf(area, "%s/%s", dir, f->d_name));
	closedir(d);
	(void)rmdir(dir);
	id_free(&maker);
	id_free(&other);
	arena_free(area);
	return 0;
}

static struct CMUnitTest tests[100];

int
main(void)
{
	static const struct CMUnitTest single[] = {
		{ "SEC-7 manufacturer: trust, show, list, forget", test_trust, NULL, NULL, NULL },
		{ "ID-8 device: two of one serial number", test_twins, NULL, NULL, NULL },
		{ "SEC-7 device: accept, reject, and who is not there", test_accept, NULL, NULL,
		    NULL },
		{ "AUD-6 device.accept after a bad audit log", test_after_audit, NULL, NULL, NULL },
		{ "SEC-7 device.list: states, pages, limits", test_list, NULL, NULL, NULL },
		{ "SEC-7 device.import", test_import, NULL, NULL, NULL },
		{ "SEC-7 customer.*", test_customers, NULL, NULL, NULL },
		{ "SEC-7 inventory.*, voucherlog.list", test_inventory, NULL, NULL, NULL },
		{ "SEC-7 verbs of what is not configured", test_unconfigured, NULL, NULL, NULL },
		{ "SEC-7 status, backup.*", test_site, NULL, NULL, NULL },
		{ "SEC-12 a long verb is answered in JSON", test_long_verb, NULL, NULL, NULL },
		{ "SEC-12 two lines at once, one in halves", test_two_lines_and_halves, NULL, NULL,
		    NULL },
		{ "SEC-12 a line over the limit ends the channel", test_too_long, NULL, NULL,
		    NULL },
		{ "SEC-7 the socket: mode, users, and clients that hang", test_socket, NULL, NULL,
		    NULL },
	};
	static char names[32][40];
	size_t n = sizeof single / sizeof single[0];

	memcpy(tests, single, sizeof single);
	for (size_t i = 0; i < sizeof trusts / sizeof trusts[0]; i++)
		tests[n++] = (struct CMUnitTest){ trusts[i].name, test_trust_row, NULL, NULL,
			(void *)(uintptr_t)&trusts[i] };
	for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++)
		tests[n++] = (struct CMUnitTest){ acts[i].name, test_act_is_recorded, NULL, NULL,
			(void *)(uintptr_t)&acts[i] };
	for (size_t i = 0; i < sizeof garbage / sizeof garbage[0]; i++) {
		snprintf(names[i], sizeof names[i], "SEC-12 garbage line %zu", i);
		tests[n++] = (struct CMUnitTest){ names[i], test_garbage, NULL, NULL,
			(void *)(uintptr_t)&garbage[i] };
	}
	return _cmocka_run_group_tests("admin", tests, n, setup, teardown);
}
