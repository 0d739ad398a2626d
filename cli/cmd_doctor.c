/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doctor: is this machine fit for its role, and are those it depends on there?
 * Each line is one thing that was tried, what came of it, and what to do.
 */
#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/commands.h"
#include "host/clock.h"
#include "host/control.h"
#include "host/file.h"
#include "host/http.h"
#include "host/inspect.h"
#include "host/key.h"

#define DAY 86400
#define SOON_DAYS 30 /* a certificate that ends within this wants attention */
#define SPACE_LEAST (64ull << 20)
#define SPACE_GOOD (512ull << 20)
#define TEXT_BYTES (1u << 20)
#define CONNECT_MS 5000
#define SYSTEM_ANCHORS "/etc/ssl/certs/ca-certificates.crt"

enum health { HEALTH_OK, HEALTH_WARN, HEALTH_FAIL };

struct doctor {
	struct cli *c;
	json_t *list;
	const char *config, *folder; /* of the configuration; NULL: none */
	const char *checked; /* what musterd --check printed */
	bool failed;
};

static void
say(struct doctor *d, enum health h, const char *check, const char *subject, const char *words,
    const char *next)
{
	static const char *const names[] = { "ok", "warn", "FAIL" };

	d->failed = d->failed || h == HEALTH_FAIL;
	json_array_append_new(
	    d->list, json_pack("{s:s,s:s,s:s?,s:s?,s:s?}", "check", check, "health", names[h],
	                 "subject", subject, "words", words, "next", h == HEALTH_OK ? NULL : next));
	if (d->c->json)
		return;
	printf("%-5s %-13s %s%s%s\n", names[h], check, subject != NULL ? subject : "",
	    subject != NULL ? ": " : "", words);
	if (h != HEALTH_OK && next != NULL)
		printf("%20s%s\n", "", next);
	fflush(stdout);
}

/* The refusal's own words. */
static void
say_error(struct doctor *d, const char *check, const char *subject, mst_err e, const char *detail)
{
	const struct mst_err_info *i = mst_err_info(e);
	bool more = detail != NULL && detail[0] != '\0';

	say(d, HEALTH_FAIL, check, subject,
	    arena_printf(d->c->a, "%s %s%s%s%s", i->code, i->sentence, more ? " (" : "",
	        more ? detail : "", more ? ")" : ""),
	    i->next);
}

/* --- clock --- */

static void
check_clock(struct doctor *d)
{
	struct mst_clock now = clock_now();
	uint8_t room[MST_TIME_LEN + 1] = { 0 };
	struct mst_buf b = { room, MST_TIME_LEN, 0 };

	if (now.trust != MST_CLOCK_TRUSTED)
		say_error(d, "clock", NULL, MST_E_CLOCK, "");
	else if (mst_time_format(now.now, &b) == MST_OK)
		say(d, HEALTH_OK, "clock", NULL,
		    arena_printf(d->c->a, "%s, not before this program was built", (char *)room),
		    NULL);
}

/* --- configuration, by the daemon's own reader --- */

static const char *
drain(struct doctor *d, int fd)
{
	char *text = arena_alloc(d->c->a, TEXT_BYTES + 1);
	size_t len = 0;
	ssize_t n;

	while (text != NULL && len < TEXT_BYTES && (n = read(fd, text + len, TEXT_BYTES - len)) > 0)
		len += (size_t)n;
	while (text != NULL && len > 0 && text[len - 1] == '\n')
		text[--len] = '\0';
	return text != NULL ? text : "";
}

static int
run_check(struct doctor *d, const char **text)
{
	char daemon[1200];
	int out[2], status;
	pid_t pid;

	control_program("musterd", daemon, sizeof daemon);
	*text = "";
	if (pipe(out) != 0)
		return -1;
	if ((pid = fork()) < 0) {
		close(out[0]);
		close(out[1]);
		return -1;
	}
	if (pid == 0) {
		dup2(out[1], STDOUT_FILENO);
		dup2(out[1], STDERR_FILENO);
		close(out[0]);
		close(out[1]);
		execlp(daemon, "musterd", "--config", d->config, "--check", (char *)NULL);
		dprintf(STDERR_FILENO, "%s cannot be started", daemon);
		_exit(127);
	}
	close(out[1]);
	*text = drain(d, out[0]);
	close(out[0]);
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static bool
check_config(struct doctor *d)
{
	const char *text;
	int code = run_check(d, &text);

	if (code == 0) {
		d->checked = text;
		say(d, HEALTH_OK, "configuration", d->config, "good", NULL);
		return true;
	}
	say(d, HEALTH_FAIL, "configuration", d->config,
	    arena_str(d->c->a, mst_span_of(text, strcspn(text, "\n"))),
	    code == 127 ? "Install musterd beside muster, or in PATH."
	                : "The message names the line; see musterd.conf(5).");
	return false;
}

/* What follows a line's beginning in the check's output, up to a blank or comma; NULL when
 * there is no such line. */
static const char *
checked_word(struct doctor *d, const char *beginning)
{
	size_t n = strlen(beginning), len;

	for (const char *line = d->checked; line != NULL && *line != '\0';
	     line = strchr(line, '\n') != NULL ? strchr(line, '\n') + 1 : NULL) {
		if (strncmp(line, beginning, n) != 0)
			continue;
		len = strcspn(line + n, "\n");
		if (strcmp(beginning, "state in ") != 0)
			len = strcspn(line + n, " ,\n");
		return arena_str(d->c->a, mst_span_of(line + n, len));
	}
	return NULL;
}

/* --- disk --- */

static void
check_disk(struct doctor *d)
{
	const char *state = checked_word(d, "state in "), *words;
	unsigned long long space;
	struct statvfs v;

	if (state == NULL)
		return;
	if (statvfs(state, &v) != 0 && errno == ENOENT) {
		say(d, HEALTH_WARN, "disk", state, "the state folder is not there yet",
		    "The daemon makes it when it first starts.");
		return;
	}
	if (statvfs(state, &v) != 0) {
		say(d, HEALTH_FAIL, "disk", state, "the state folder cannot be looked at",
		    "Run this as the user that the daemon runs as.");
		return;
	}
	space = (unsigned long long)v.f_bavail * v.f_frsize;
	words = arena_printf(d->c->a, "%llu MiB free", space >> 20);
	if ((v.f_flag & ST_RDONLY) != 0)
		say(d, HEALTH_FAIL, "disk", state, "the file system is read-only",
		    "Mount it for writing: nothing is issued that cannot be recorded.");
	else if (space < SPACE_LEAST)
		say(d, HEALTH_FAIL, "disk", state, words, mst_err_info(MST_E_STORE_FULL)->next);
	else
		say(d, space < SPACE_GOOD ? HEALTH_WARN : HEALTH_OK, "disk", state, words,
		    "Free disk space before it runs out.");
}

/* --- keys and certificates that the configuration names --- */

/*
 * The configuration has passed the daemon's reader; here only its words of the
 * form name = "value" are looked at, so that nobody else's parser is copied.
 */
struct setting {
	const char *name, *value;
};

static const char *
skip_comment(const char *p)
{
	const char *e;

	if (*p == '#' || (p[0] == '/' && p[1] == '/'))
		return p + strcspn(p, "\n");
	if (p[0] == '/' && p[1] == '*')
		return (e = strstr(p + 2, "*/")) != NULL ? e + 2 : p + strlen(p);
	return p;
}

static const char *
quoted(struct doctor *d, const char **at)
{
	char quote = **at;
	const char *from = *at + 1, *to = from;
	char *out;
	size_t n = 0;

	while (*to != '\0' && *to != quote)
		to += to[0] == '\\' && to[1] != '\0' ? 2 : 1;
	out = arena_alloc(d->c->a, (size_t)(to - from) + 1);
	for (const char *p = from; out != NULL && p < to; p++) {
		if (*p == '\\' && p + 1 < to)
			p++;
		out[n++] = *p;
	}
	*at = *to != '\0' ? to + 1 : to;
	return out != NULL ? out : "";
}

/* The next one; false at the end. */
static bool
next_setting(struct doctor *d, const char **at, struct setting *s)
{
	const char *p = *at, *word = NULL;
	size_t n = 0;

	while (*p != '\0') {
		const char *after = skip_comment(p);

		if (after != p) {
			p = after;
		} else if (*p == '"' || *p == '\'') {
			const char *value = quoted(d, &p);

			if (word != NULL) {
				*s = (struct setting){ arena_str(d->c->a, mst_span_of(word, n)),
					value };
				*at = p;
				return true;
			}
		} else if (isalpha((unsigned char)*p)) {
			word = p;
			n = strspn(p, "abcdefghijklmnopqrstuvwxyz_0123456789-");
			p += n > 0 ? n : 1;
		} else {
			if (*p == '{' || *p == '}')
				word = NULL;
			p++;
		}
	}
	*at = p;
	return false;
}

static bool
ends_with(const char *s, const char *tail)
{
	size_t n = strlen(s), m = strlen(tail);

	return n >= m && strcmp(s + n - m, tail) == 0;
}

static const char *
resolve(struct doctor *d, const char *path)
{
	return path[0] == '/' ? path : arena_printf(d->c->a, "%s/%s", d->folder, path);
}

struct key_steps {
	const char *step;
	const char *detail;
};

static void
on_key_step(void *arg, const char *step, mst_err e, const char *detail)
{
	struct key_steps *k = arg;

	if (e != MST_OK && k->step == NULL) {
		k->step = step;
		k->detail = detail;
	}
}

static void
check_key(struct doctor *d, const char *value)
{
	struct key_steps k = { NULL, NULL };
	const char *uri = value;
	mst_err e;

	if (strncmp(value, "pkcs11:", 7) != 0 && strncmp(value, "tpm2:", 5) != 0)
		uri = resolve(d, strncmp(value, "file:", 5) == 0 ? value + 5 : value);
	e = key_test(uri, on_key_step, &k);
	if (e == MST_OK)
		say(d, HEALTH_OK, "key", value, "opens and signs", NULL);
	else
		say_error(d, "key", value, e,
		    arena_printf(
		        d->c->a, "step \"%s\": %s", k.step != NULL ? k.step : "?", key_why()));
}

static void
say_expiry(struct doctor *d, const char *check, const char *subject,
    const struct inspect_cert_facts *f, const char *good)
{
	struct mst_clock now = clock_now();
	long long days = (long long)((f->not_after - now.now) / DAY);

	if (now.trust != MST_CLOCK_TRUSTED)
		say(d, HEALTH_WARN, check, subject, "its dates cannot be judged without a clock",
		    "Set the clock.");
	else if (f->not_before > now.now || f->not_after <= now.now)
		say(d, HEALTH_FAIL, check, subject,
		    arena_printf(d->c->a, "%s is not valid now", f->subject),
		    mst_err_info(MST_E_X509_EXPIRED)->next);
	else if (days < SOON_DAYS)
		say(d, HEALTH_WARN, check, subject,
		    arena_printf(d->c->a, "%s ends in %lld days", f->subject, days),
		    "Renew the certificate.");
	else
		say(d, HEALTH_OK, check, subject, good, NULL);
}

static void
check_certificate(struct doctor *d, const char *value)
{
	struct inspect_cert_facts facts;
	mst_span pem;
	mst_err e;

	if ((e = file_read(d->c->a, resolve(d, value), TEXT_BYTES, &pem)) != MST_OK) {
		say_error(d, "certificate", value, e, file_why());
		return;
	}
	if ((e = inspect_cert_facts(d->c->a, pem, &facts)) != MST_OK) {
		say_error(d, "certificate", value, e, "");
		return;
	}
	say_expiry(d, "certificate", value, &facts, facts.subject);
}

static void
check_files(struct doctor *d)
{
	struct setting s;
	const char *at;
	mst_span text;
	mst_err e = file_read(d->c->a, d->config, TEXT_BYTES, &text);

	if (e != MST_OK) {
		say_error(d, "keys", d->config, e, file_why());
		return;
	}
	at = (const char *)text.ptr;
	while (next_setting(d, &at, &s)) {
		if (strcmp(s.name, "key") == 0 || ends_with(s.name, "_key"))
			check_key(d, s.value);
		else if (strcmp(s.name, "cert") == 0 || ends_with(s.name, "_cert"))
			check_certificate(d, s.value);
	}
}

/* --- the daemon, its database, its ports --- */

static json_t *
ask(struct doctor *d, struct control *control, const char *verb, const char *check)
{
	json_t *data = NULL;
	mst_err e = control_call(control, verb, NULL, NULL, NULL, &data);

	if (e == MST_OK)
		return data;
	say_error(d, check, verb, e, control_why());
	return NULL;
}

struct leaf {
	struct arena *a;
	mst_span der;
};

static mst_err
ask_nothing(void *arg, const struct mst_chain *server, struct http_request *fill)
{
	struct leaf *leaf = arg;

	*fill = (struct http_request){ .method = "GET", .path = "/" };
	if (server->count > 0)
		leaf->der = arena_dup(leaf->a, server->cert[0]);
	return MST_OK;
}

/* Everywhere is not an address to connect to. */
static const char *
reachable(struct doctor *d, const char *listen)
{
	if (strncmp(listen, "0.0.0.0:", 8) == 0)
		return arena_printf(d->c->a, "127.0.0.1:%s", listen + 8);
	if (strncmp(listen, "[::]:", 5) == 0)
		return arena_printf(d->c->a, "[::1]:%s", listen + 5);
	return listen;
}

static void
check_tls_port(struct doctor *d, const char *role)
{
	const char *listen = checked_word(d, arena_printf(d->c->a, "%s on ", role));
	struct leaf leaf = { d->c->a, MST_NONE };
	struct http_options o = { .trust = HTTP_PROVISIONAL,
		.connect_timeout_ms = CONNECT_MS,
		.total_timeout_ms = 2 * CONNECT_MS };
	struct inspect_cert_facts facts;
	struct http_client *client;
	struct http_answer answer;
	const char *subject;
	mst_err e;

	if (listen == NULL)
		return;
	subject = arena_printf(d->c->a, "%s at %s", role, listen);
	o.base = arena_printf(d->c->a, "https://%s", reachable(d, listen));
	if ((e = http_open(&o, &client)) == MST_OK) {
		e = http_begin(client, d->c->a, ask_nothing, &leaf, 65536, &answer);
		http_close(client);
	}
	if (leaf.der.ptr != NULL && inspect_cert_facts(d->c->a, leaf.der, &facts) == MST_OK)
		say_expiry(d, "port", subject, &facts, "answers TLS");
	else
		say(d, HEALTH_FAIL, "port", subject,
		    arena_printf(d->c->a, "nothing answers TLS there (%s)",
		        e != MST_OK ? http_why() : "no certificate"),
		    "Start musterd with this configuration; its log says why it does not listen.");
}

static bool
connects(const char *host, const char *port)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list = NULL;
	bool ok = false;

	if (getaddrinfo(host, port, &hints, &list) != 0)
		return false;
	for (struct addrinfo *i = list; !ok && i != NULL; i = i->ai_next) {
		int fd = socket(i->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		struct pollfd p = { .fd = fd, .events = POLLOUT };
		int error = 1;
		socklen_t n = sizeof error;

		if (fd < 0)
			continue;
		(void)connect(fd, i->ai_addr, i->ai_addrlen); /* SO_ERROR has the outcome */
		ok = poll(&p, 1, CONNECT_MS) == 1 &&
		     getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) == 0 && error == 0;
		close(fd);
	}
	freeaddrinfo(list);
	return ok;
}

static void
check_proxy_port(struct doctor *d)
{
	const char *listen = checked_word(d, "proxy on ");
	char *host, *colon;

	if (listen == NULL)
		return;
	host = arena_printf(d->c->a, "%s", reachable(d, listen));
	colon = host != NULL ? strrchr(host, ':') : NULL;
	if (colon == NULL)
		return;
	*colon = '\0';
	if (host[0] == '[' && colon[-1] == ']') {
		colon[-1] = '\0';
		host++;
	}
	if (connects(host, colon + 1))
		say(d, HEALTH_OK, "port", listen, "the proxy takes connections", NULL);
	else
		say(d, HEALTH_FAIL, "port", listen, "nothing listens there",
		    "Start musterd with this configuration; its log says why it does not listen.");
}

/* --- peers: the MASAs of trusted manufacturers --- */

static const char *
member(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL && s[0] != '\0' ? s : NULL;
}

static void
check_masa(struct doctor *d, const char *name, const char *base, const struct anchors *anchors)
{
	struct http_options o = { .base = base,
		.trust = HTTP_ANCHORS,
		.anchors = anchors,
		.connect_timeout_ms = CONNECT_MS,
		.total_timeout_ms = 2 * CONNECT_MS };
	struct http_request get = { .method = "GET", .path = "/" };
	const char *subject = arena_printf(d->c->a, "MASA of %s, %s", name, base);
	struct inspect_cert_facts facts;
	struct http_client *client;
	struct http_answer answer;
	struct mst_chain chain;
	mst_err e = http_open(&o, &client);

	if (e != MST_OK) {
		say_error(d, "peer", subject, e, http_why());
		return;
	}
	e = http_send(client, d->c->a, &get, 65536, &answer);
	/* Any status will do: whoever answers proved to be that MASA. */
	if (e == MST_E_HTTP_BODY_LIMIT)
		e = MST_OK;
	if (e != MST_OK)
		say_error(d, "peer", subject, e, http_why());
	else if (http_server_chain(client, &chain) == MST_OK && chain.count > 0 &&
	         inspect_cert_facts(d->c->a, chain.cert[0], &facts) == MST_OK)
		say_expiry(d, "peer", subject, &facts, "reached, and its certificate verifies");
	http_close(client);
}

static mst_err
masa_anchors(struct doctor *d, const json_t *m, struct anchors **out)
{
	mst_span pem = mst_span_str(member(m, "masa_anchors"));
	mst_err e = MST_OK;

	if (pem.ptr == NULL)
		e = file_read(d->c->a, SYSTEM_ANCHORS, 4u << 20, &pem);
	return e != MST_OK ? e : inspect_anchors(&pem, 1, out);
}

static void
check_manufacturer(struct doctor *d, const json_t *m)
{
	const char *name = member(m, "name"), *masa = member(m, "masa");
	const char *hosts = member(m, "masa_hosts"), *base = NULL;
	struct anchors *anchors;
	char *save = NULL;
	mst_err e;

	if (name == NULL || json_is_false(json_object_get(m, "enabled")))
		return;
	if (masa == NULL && hosts == NULL) {
		say(d, HEALTH_WARN, "peer", name,
		    "no MASA is given or allowed: each IDevID must name one, and none may",
		    "`muster manufacturer trust` with --masa or --masa-hosts.");
		return;
	}
	if ((e = masa_anchors(d, m, &anchors)) != MST_OK) {
		say_error(d, "peer", name, e, "the anchors of its MASA's TLS");
		return;
	}
	if (masa != NULL && cert_masa_url_check(d->c->a, mst_span_str(masa), &base) == MST_OK)
		check_masa(d, name,
		    arena_str(d->c->a, mst_span_of(base, 8 + strcspn(base + 8, "/"))), anchors);
	else if (masa != NULL)
		say_error(d, "peer", name, MST_E_MASA_URL, masa);
	for (char *host = masa == NULL ? strtok_r(arena_printf(d->c->a, "%s", hosts), " ", &save)
	                               : NULL;
	     host != NULL; host = strtok_r(NULL, " ", &save))
		check_masa(d, name, arena_printf(d->c->a, "https://%s", host), anchors);
	anchors_free(anchors);
}

static void
check_daemon(struct doctor *d)
{
	struct control *control;
	json_t *status, *makers, *m;
	mst_err e = control_open(d->config, &control);
	size_t i;

	if (e != MST_OK) {
		say_error(d, "daemon", d->config, e, control_why());
		return;
	}
	if ((status = ask(d, control, "status", "daemon")) != NULL) {
		say(d, HEALTH_OK, "daemon", member(status, "roles"), "answers", NULL);
		say(d, HEALTH_OK, "database", NULL, "opens and can be read", NULL);
		json_decref(status);
	}
	if (checked_word(d, "registrar on ") != NULL &&
	    (makers = ask(d, control, "manufacturer.list", "peer")) != NULL) {
		if (json_array_size(makers) == 0)
			say(d, HEALTH_WARN, "peer", NULL,
			    "no manufacturer is trusted: no device can join",
			    "`muster manufacturer trust NAME --anchors FILE` adds one.");
		json_array_foreach(makers, i, m)
		{
			check_manufacturer(d, m);
		}
		json_decref(makers);
	}
	control_close(control);
}

static int
doctor(struct cli *c)
{
	struct doctor d = { .c = c, .list = json_array(), .config = cli_config(c) };
	const char *slash;
	int code;

	if (d.list == NULL)
		return cli_fail(c, CLI_FAILED, "out of memory");
	check_clock(&d);
	if (d.config == NULL) {
		say(&d, HEALTH_WARN, "configuration", NULL, "none was found, so no more was tried",
		    "Give --config FILE; `muster init` writes one.");
	} else {
		slash = strrchr(d.config, '/');
		d.folder =
		    slash == NULL
		        ? "."
		        : arena_str(c->a, mst_span_of(d.config, (size_t)(slash - d.config + 1)));
		if (check_config(&d)) {
			check_disk(&d);
			check_files(&d);
			check_daemon(&d);
			check_tls_port(&d, "registrar");
			check_tls_port(&d, "masa");
			check_proxy_port(&d);
		}
	}
	if (c->json) {
		code = cli_print_json(c, d.list);
	} else {
		json_decref(d.list);
		code = CLI_OK;
	}
	return code != CLI_OK ? code : d.failed ? CLI_FAILED : CLI_OK;
}

const struct cli_command cmd_doctor[] = {
	{ "doctor", NULL, "",
	    "try clock, configuration, disk, keys, daemon, ports and peers; say what to do",
	    "Each line is ok, warn or FAIL; the exit code is 1 when any line is FAIL. Run it as "
	    "the "
	    "user that the daemon runs as, or its keys cannot be opened.",
	    NULL, doctor },
	{ NULL, NULL, NULL, NULL, NULL, NULL, NULL },
};
