/* SPDX-License-Identifier: Apache-2.0 */
/* The control channel: lines in, verbs, lines out. */
#include "server/admin/room.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <poll.h>
#include <unistd.h>

#include "host/clock.h"
#include "host/control.h"
#include "host/log.h"
#include "muster/base64.h"

#define CHANNELS_MAX 8
#define NAME_MOST 100
#define ACCEPT_PAUSE_MS 200
#define CALL_ARENA (64u << 20)

struct channel {
	struct channel *next;
	struct admin *admin;
	int in, out;
};

struct admin {
	struct admin_config c;
	char path[108];
	int listener;
	int wake[2]; /* closed to end every thread */
	pthread_t thread;
	bool listening;
	pthread_mutex_t lock;
	pthread_cond_t idle;
	unsigned channels;
	struct channel *open; /* so that admin_free can wake one that writes to nobody */
};

/* --- arguments and answers --- */

const char *
admin_text(const struct admin_call *call, const char *name)
{
	return json_string_value(json_object_get(call->args, name));
}

int64_t
admin_int(const struct admin_call *call, const char *name, int64_t otherwise)
{
	const json_t *v = json_object_get(call->args, name);

	return json_is_integer(v) ? json_integer_value(v) : otherwise;
}

size_t
admin_limit(const struct admin_call *call, int64_t most)
{
	int64_t n = admin_int(call, "limit", most);

	return (size_t)(n < 1 || n > most ? most : n);
}

int
admin_bool(const struct admin_call *call, const char *name, int otherwise)
{
	const json_t *v = json_object_get(call->args, name);

	return json_is_boolean(v) ? json_is_true(v) : otherwise;
}

mst_err
admin_refuse(struct admin_call *call, mst_err e, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(call->detail, sizeof call->detail, fmt, ap);
	va_end(ap);
	/* Cut at a whole character, else it is no JSON text. */
	if (n >= (int)sizeof call->detail) {
		size_t at = sizeof call->detail - 1;

		while (at != 0 && ((uint8_t)call->detail[at - 1] & 0xc0) == 0x80)
			at--;
		call->detail[at != 0 ? at - 1 : 0] = '\0';
	}
	return e;
}

mst_err
admin_need(struct admin_call *call, const char *name, const char **out)
{
	*out = admin_text(call, name);
	if (*out == NULL || **out == '\0')
		return admin_refuse(call, MST_E_USAGE, "\"%s\" is missing", name);
	return MST_OK;
}

mst_err
admin_need_name(struct admin_call *call, const char **out)
{
	mst_err e = admin_need(call, "name", out);

	if (e == MST_OK &&
	    (strlen(*out) > NAME_MOST || mst_serial_check(mst_span_str(*out)) != MST_OK))
		e = admin_refuse(call, MST_E_USAGE,
		    "\"name\" has control characters or more than %d bytes", NAME_MOST);
	return e;
}

void
admin_take_span(const struct admin_call *call, const char *name, mst_span *field)
{
	const char *text = admin_text(call, name);

	if (text != NULL)
		*field = text[0] != '\0' ? mst_span_str(text) : MST_NONE;
}

mst_err
admin_base64(struct admin_call *call, const char *name, mst_span *out)
{
	mst_span text = mst_span_str(admin_text(call, name));
	struct mst_buf b;

	*out = MST_NONE;
	if (text.ptr == NULL)
		return MST_OK;
	b = arena_buf(call->a, text.len + 1);
	if (mst_base64_decode(text, MST_BASE64_SPACE, &b) != MST_OK)
		return admin_refuse(call, MST_E_USAGE, "\"%s\" is not base64", name);
	*out = mst_buf_span(&b);
	return MST_OK;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

mst_err
admin_hex(struct admin_call *call, const char *name, mst_span *out)
{
	const char *text = admin_text(call, name);
	struct mst_buf b;

	*out = MST_NONE;
	if (text == NULL)
		return MST_OK;
	b = arena_buf(call->a, strlen(text) + 1);
	for (const char *p = text; *p != '\0';) {
		int hi, lo;

		if (*p == ':' || *p == ' ') {
			p++;
			continue;
		}
		hi = hex_digit(p[0]);
		lo = hi < 0 ? -1 : hex_digit(p[1]);
		if (lo < 0 || mst_buf_put_byte(&b, (uint8_t)(hi << 4 | lo)) != MST_OK)
			return admin_refuse(call, MST_E_USAGE, "\"%s\" is not hexadecimal", name);
		p += 2;
	}
	*out = mst_buf_span(&b);
	return MST_OK;
}

json_t *
admin_json_words(const char *s)
{
	json_t *j = s != NULL ? json_string(s) : NULL;

	return j != NULL ? j : json_null();
}

json_t *
admin_json_hex(struct arena *a, mst_span s)
{
	char *text = s.ptr != NULL ? arena_alloc(a, 2 * s.len + 1) : NULL;

	if (text == NULL)
		return json_null();
	for (size_t i = 0; i < s.len; i++)
		snprintf(text + 2 * i, 3, "%02x", s.ptr[i]);
	return json_string(text);
}

json_t *
admin_json_text(mst_span s)
{
	json_t *j = s.ptr != NULL ? json_stringn((const char *)s.ptr, s.len) : NULL;

	return j != NULL ? j : json_null();
}

json_t *
admin_json_base64(struct arena *a, mst_span s)
{
	struct mst_buf b;

	if (s.ptr == NULL)
		return json_null();
	b = arena_buf(a, MST_BASE64_LEN(s.len) + 1);
	if (mst_base64_encode(s, &b) != MST_OK)
		return json_null();
	return admin_json_text(mst_buf_span(&b));
}

json_t *
admin_json_time(struct arena *a, int64_t t)
{
	struct mst_buf b = arena_buf(a, MST_TIME_LEN + 1);

	if (t == 0 || t == MST_NO_TIME || mst_time_format(t, &b) != MST_OK)
		return json_null();
	return admin_json_text(mst_buf_span(&b));
}

void
admin_json_outcome(json_t *o, mst_err e)
{
	const struct mst_err_info *i = mst_err_info(e);

	json_object_set_new(o, "outcome",
	    json_string(e == MST_OK      ? "accepted"
	                : i->http == 202 ? "pending"
	                                 : "refused"));
	if (e == MST_OK)
		return;
	json_object_set_new(o, "code", json_string(i->code));
	json_object_set_new(o, "reason", json_string(i->reason));
	json_object_set_new(o, "sentence", json_string(i->sentence));
}

mst_err
admin_trail(struct admin_call *call, struct db *db, int64_t device, const char *detail)
{
	struct trail t = { .at = clock_wall(),
		.device = device,
		.role = "admin",
		.step = STEP_ADMIN,
		.err = MST_OK,
		.peer = call->by,
		.detail = detail };

	return trail_add(db, &t);
}

/* --- one call --- */

static admin_verb
find(const char *verb)
{
	const struct admin_word *tables[] = { admin_device_verbs, admin_manufacturer_verbs,
		admin_cert_verbs, admin_masa_verbs, admin_site_verbs };

	for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++)
		for (const struct admin_word *w = tables[t]; w->verb != NULL; w++)
			if (strcmp(w->verb, verb) == 0)
				return w->run;
	return NULL;
}

static bool
write_line(int fd, json_t *line)
{
	char *text = json_dumps(line, JSON_COMPACT);
	size_t n = text != NULL ? strlen(text) : 0, at = 0;

	if (text == NULL)
		return false;
	text[n++] = '\n'; /* over the NUL: written with its length */
	while (at < n) {
		ssize_t w = write(fd, text + at, n - at);

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			break;
		at += (size_t)w;
	}
	free(text);
	return at == n;
}

static void
send_progress(struct admin_call *call, int64_t done, int64_t of)
{
	json_t *line = json_pack("{s:I,s:I}", "progress", (json_int_t)done, "of", (json_int_t)of);

	if (line != NULL)
		(void)write_line(call->out, line); /* a caller that has left is seen at the end */
	json_decref(line);
}

static json_t *
end_line(struct admin_call *call, mst_err e)
{
	const struct mst_err_info *i = mst_err_info(e);

	if (e == MST_OK)
		return json_pack("{s:b,s:O}", "ok", 1, "data", call->data);
	return json_pack("{s:b,s:s,s:s,s:s,s:o}", "ok", 0, "code", i->code, "name", i->name,
	    "sentence", i->sentence, "detail", admin_json_words(call->detail));
}

static void
log_call(const struct admin_call *call, const char *verb, mst_err e)
{
	struct decision d = { .role = "admin",
		.step = STEP_ADMIN,
		.err = e,
		.peer = call->by,
		.serial = mst_span_str(admin_text(call, "serial")),
		.detail = verb };

	log_decision(&d);
}

static bool
serve_line(struct admin *admin, const char *text, size_t len, int out, const char *by)
{
	struct admin_call call = { .c = &admin->c, .out = out, .progress = send_progress };
	json_t *line = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	const char *verb = json_string_value(json_object_get(line, "verb"));
	admin_verb run = verb != NULL ? find(verb) : NULL;
	json_t *answer;
	mst_err e;
	bool sent;

	snprintf(call.by, sizeof call.by, "%s", by);
	call.args = json_object_get(line, "args");
	call.data = json_null();
	call.a = arena_new(CALL_ARENA);
	if (call.a == NULL)
		e = MST_E_NOMEM;
	else if (run == NULL)
		e = admin_refuse(&call, MST_E_USAGE, "no verb \"%s\"", verb != NULL ? verb : "");
	else
		e = run(&call);
	if (verb != NULL)
		log_call(&call, verb, e);
	answer = end_line(&call, e);
	sent = answer != NULL && write_line(out, answer);
	json_decref(answer);
	json_decref(call.data);
	json_decref(line);
	arena_free(call.a);
	return sent;
}

/* --- channels --- */

static bool
wait_readable(struct admin *admin, int fd)
{
	struct pollfd p[2] = { { .fd = fd, .events = POLLIN },
		{ .fd = admin->wake[0], .events = POLLIN } };

	while (poll(p, 2, -1) < 0)
		if (errno != EINTR)
			return false;
	return p[1].revents == 0 && p[0].revents != 0;
}

static void
serve(struct admin *admin, int in, int out, const char *by)
{
	size_t cap = 65536, len = 0;
	char *text = malloc(cap);

	while (text != NULL && wait_readable(admin, in)) {
		char *end;
		ssize_t n;

		if (len == cap) {
			char *more = cap < CONTROL_LINE_BYTES ? realloc(text, 2 * cap) : NULL;

			if (more == NULL)
				break; /* a line longer than allowed ends the channel */
			text = more;
			cap *= 2;
		}
		n = read(in, text + len, cap - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
		while ((end = memchr(text, '\n', len)) != NULL) {
			size_t line = (size_t)(end - text);

			if (!serve_line(admin, text, line, out, by))
				goto out;
			len -= line + 1;
			memmove(text, end + 1, len);
		}
	}
out:
	free(text);
}

/* Only root and the daemon's own user may command it. */
static bool
admitted(int fd, char *by, size_t cap)
{
	struct ucred peer;
	socklen_t n = sizeof peer;
	struct passwd pw, *found = NULL;
	char buf[4096];

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) != 0)
		return false;
	if (getpwuid_r(peer.uid, &pw, buf, sizeof buf, &found) == 0 && found != NULL)
		snprintf(by, cap, "%s", found->pw_name);
	else
		snprintf(by, cap, "uid %u", (unsigned)peer.uid);
	if (peer.uid == 0 || peer.uid == geteuid())
		return true;
	log_line(LOG_WARNING_, "the control socket refused %s", by);
	return false;
}

static void *
run_channel(void *arg)
{
	struct channel *ch = arg, **at;
	struct admin *admin = ch->admin;
	char by[64];

	if (admitted(ch->in, by, sizeof by))
		serve(admin, ch->in, ch->out, by);
	pthread_mutex_lock(&admin->lock);
	for (at = &admin->open; *at != ch; at = &(*at)->next)
		;
	*at = ch->next;
	close(ch->in);
	free(ch);
	admin->channels--;
	pthread_cond_signal(&admin->idle);
	pthread_mutex_unlock(&admin->lock);
	return NULL;
}

static void
open_channel(struct admin *admin, int fd)
{
	struct channel *ch = calloc(1, sizeof *ch);
	pthread_attr_t attr;
	pthread_t t;
	bool room;

	pthread_mutex_lock(&admin->lock);
	room = ch != NULL && admin->channels < CHANNELS_MAX;
	if (room)
		admin->channels++;
	pthread_mutex_unlock(&admin->lock);
	if (!room) {
		close(fd);
		free(ch);
		return;
	}
	pthread_mutex_lock(&admin->lock);
	*ch = (struct channel){ .next = admin->open, .admin = admin, .in = fd, .out = fd };
	admin->open = ch;
	pthread_mutex_unlock(&admin->lock);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&t, &attr, run_channel, ch) != 0) {
		pthread_mutex_lock(&admin->lock);
		admin->open = ch->next; /* only this thread adds to it */
		admin->channels--;
		pthread_mutex_unlock(&admin->lock);
		close(fd);
		free(ch);
	}
	pthread_attr_destroy(&attr);
}

static void *
accept_channels(void *arg)
{
	struct admin *admin = arg;

	while (wait_readable(admin, admin->listener)) {
		int fd = accept4(admin->listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd >= 0)
			open_channel(admin, fd);
		else /* no descriptors left: the socket stays readable, so do not spin */
			(void)poll(&(struct pollfd){ .fd = admin->wake[0], .events = POLLIN }, 1,
			    ACCEPT_PAUSE_MS);
	}
	return NULL;
}

mst_err
admin_new(const struct admin_config *c, struct admin **out)
{
	struct admin *a = calloc(1, sizeof *a);

	if (a == NULL)
		return MST_E_NOMEM;
	a->c = *c;
	a->listener = -1;
	if (pipe2(a->wake, O_CLOEXEC) != 0) {
		free(a);
		return MST_E_IO;
	}
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->idle, NULL);
	*out = a;
	return MST_OK;
}

mst_err
admin_listen(struct admin *a, const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	mode_t old;
	int fd, bound;

	if (strlen(path) >= sizeof at.sun_path)
		return MST_E_CONFIG_VALUE;
	snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
	if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0)
		return MST_E_IO;
	unlink(path); /* left by a killed daemon; the database's lock says that it is gone */
	old = umask(0177);
	bound = bind(fd, (struct sockaddr *)&at, sizeof at);
	umask(old);
	if (bound != 0 || listen(fd, 16) != 0) {
		close(fd);
		return MST_E_IO;
	}
	a->listener = fd;
	memcpy(a->path, at.sun_path, sizeof a->path);
	if (pthread_create(&a->thread, NULL, accept_channels, a) != 0)
		return MST_E_NOMEM; /* admin_free closes the socket */
	a->listening = true;
	return MST_OK;
}

void
admin_serve(struct admin *a, int in, int out)
{
	struct passwd pw, *found = NULL;
	char buf[4096], by[64];

	if (getpwuid_r(getuid(), &pw, buf, sizeof buf, &found) == 0 && found != NULL)
		snprintf(by, sizeof by, "%s", found->pw_name);
	else
		snprintf(by, sizeof by, "uid %u", (unsigned)getuid());
	serve(a, in, out, by);
}

void
admin_free(struct admin *a)
{
	if (a == NULL)
		return;
	close(a->wake[1]); /* readable for everyone who polls it */
	if (a->listening)
		pthread_join(a->thread, NULL);
	pthread_mutex_lock(&a->lock);
	for (struct channel *ch = a->open; ch != NULL; ch = ch->next)
		shutdown(ch->in, SHUT_RDWR); /* one that writes to a client that does not read */
	while (a->channels != 0)
		pthread_cond_wait(&a->idle, &a->lock);
	pthread_mutex_unlock(&a->lock);
	if (a->listener >= 0) {
		close(a->listener);
		unlink(a->path);
	}
	close(a->wake[0]);
	pthread_cond_destroy(&a->idle);
	pthread_mutex_destroy(&a->lock);
	free(a);
}
