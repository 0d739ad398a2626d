/* SPDX-License-Identifier: Apache-2.0 */
#include "host/log.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "host/clock.h"
#include "host/metrics.h"
#include "muster/time.h"

/* What one line can hold at most; longer values are cut, the line stays well-formed. */
#define LINE_MAX_ 4096
#define VALUE_MAX 512
#define FIELD_MAX 20
#define JOURNAL "/run/systemd/journal/socket"

static struct {
	char program[32];
	char journal[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	enum log_format format;
	enum log_level least;
	int fd;
	int journal_fd;
} log_ = { "muster", JOURNAL, LOG_TEXT, LOG_INFO_, 2, -1 };

static const char *const level_words[] = { "debug", "info", "warning", "error" };
static const char *const format_words[] = { "json", "journald", "text" };
/* syslog(3): debug 7, info 6, warning 4, err 3 */
static const char *const level_priorities[] = { "7", "6", "4", "3" };

struct field {
	const char *key;
	mst_span value;
};

struct line {
	enum log_level level;
	char time[MST_TIME_LEN + 1];
	struct field field[FIELD_MAX];
	size_t count;
	char message[VALUE_MAX + 1];
};

struct out {
	char text[LINE_MAX_];
	size_t len;
};

static int
find(const char *const *words, int count, const char *word)
{
	for (int i = 0; i < count && word != NULL; i++)
		if (strcmp(words[i], word) == 0)
			return i;
	return -1;
}

int
log_format_find(const char *word)
{
	return find(format_words, 3, word);
}

int
log_level_find(const char *word)
{
	return find(level_words, 4, word);
}

void
log_journal(const char *socket_path)
{
	snprintf(log_.journal, sizeof(log_.journal), "%s", socket_path);
}

static int
journal_connect(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	memcpy(sun.sun_path, log_.journal, sizeof(sun.sun_path));
	sun.sun_path[sizeof(sun.sun_path) - 1] = '\0';
	if (fd >= 0 && connect(fd, (struct sockaddr *)&sun, sizeof(sun)) != 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

void
log_open(const char *program, enum log_format format, enum log_level least, int fd)
{
	snprintf(log_.program, sizeof(log_.program), "%s", program);
	log_.format = format;
	log_.least = least;
	log_.fd = fd;
	if (log_.journal_fd >= 0)
		close(log_.journal_fd);
	log_.journal_fd = format == LOG_JOURNALD ? journal_connect() : -1;
}

static size_t
utf8_len(uint8_t first)
{
	if (first < 0x80)
		return 1;
	if (first < 0xc2)
		return 0;
	return first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
}

/* Length of the UTF-8 character at p, 0 if there is none, and its code point. */
static size_t
utf8(const uint8_t *p, size_t left, uint32_t *cp)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = utf8_len(p[0]);

	if (n == 0 || n > left)
		return 0;
	*cp = n == 1 ? p[0] : p[0] & (0x7fU >> n);
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		*cp = *cp << 6 | (p[i] & 0x3f);
	}
	if (*cp < least[n] || *cp > 0x10ffff || (*cp >= 0xd800 && *cp < 0xe000))
		return 0;
	return n;
}

/* Controls of C0 and C1, line separators, and what reorders text on a terminal. */
static int
is_control(uint32_t cp)
{
	return cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || cp == 0x2028 || cp == 0x2029 ||
	       (cp >= 0x200e && cp <= 0x200f) || (cp >= 0x202a && cp <= 0x202e) ||
	       (cp >= 0x2066 && cp <= 0x2069);
}

static void
put(struct out *o, const char *s, size_t len)
{
	if (len <= sizeof(o->text) - o->len) {
		memcpy(o->text + o->len, s, len);
		o->len += len;
	}
}

static void
put_str(struct out *o, const char *s)
{
	put(o, s, strlen(s));
}

/* JSON string content, also fit for a terminal and for one journal field: what came from a peer
 * stays on its line. */
static void
put_escaped(struct out *o, mst_span v, size_t reserve)
{
	size_t n, limit = sizeof(o->text) - reserve;
	uint32_t cp = 0;
	char esc[16];

	for (size_t i = 0; i < v.len; i += n) {
		if (o->len + 8 > limit)
			return;
		if ((n = utf8(v.ptr + i, v.len - i, &cp)) == 0) {
			n = 1;
			put_str(o, "\\ufffd");
		} else if (cp == '"' || cp == '\\') {
			put(o, "\\", 1);
			put(o, (const char *)v.ptr + i, 1);
		} else if (is_control(cp)) {
			snprintf(esc, sizeof(esc), "\\u%04x", cp);
			put_str(o, esc);
		} else {
			put(o, (const char *)v.ptr + i, n);
		}
	}
}

/* Words of our own and values of peers alike end after so many bytes. */
static mst_span
cut(mst_span v)
{
	return mst_span_of(v.ptr, v.len > VALUE_MAX ? VALUE_MAX : v.len);
}

static void
add(struct line *l, const char *key, mst_span value)
{
	if (value.ptr != NULL && l->count < FIELD_MAX)
		l->field[l->count++] = (struct field){ key, cut(value) };
}

static void
render_json(const struct line *l, struct out *o)
{
	static const size_t tail = 3; /* "}\n */

	put_str(o, "{\"time\":\"");
	put_str(o, l->time);
	put_str(o, "\",\"level\":\"");
	put_str(o, level_words[l->level]);
	put_str(o, "\",\"program\":\"");
	put_escaped(o, mst_span_str(log_.program), tail);
	put_str(o, "\"");
	for (size_t i = 0; i < l->count; i++) {
		const struct field *f = &l->field[i];
		int number = strcmp(f->key, "us") == 0;

		if (o->len + strlen(f->key) + 16 + tail > sizeof(o->text))
			break;
		put_str(o, ",\"");
		put_str(o, f->key);
		put_str(o, number ? "\":" : "\":\"");
		put_escaped(o, f->value, tail + 1);
		if (!number)
			put_str(o, "\"");
	}
	put_str(o, "}\n");
}

static void
render_text(const struct line *l, struct out *o)
{
	put_str(o, l->time);
	put_str(o, " ");
	put_str(o, level_words[l->level]);
	put_str(o, ": ");
	put_escaped(o, mst_span_str(l->message), 1);
	for (size_t i = 0; i < l->count; i++) {
		const struct field *f = &l->field[i];

		/* The message says these already. */
		if (strcmp(f->key, "message") == 0 || strcmp(f->key, "role") == 0 ||
		    strcmp(f->key, "step") == 0 || strcmp(f->key, "outcome") == 0 ||
		    o->len + strlen(f->key) + 16 > sizeof(o->text))
			continue;
		put_str(o, " ");
		put_str(o, f->key);
		put_str(o, "=");
		put_escaped(o, f->value, 1);
	}
	put_str(o, "\n");
}

/* systemd's "native journal protocol": KEY=value lines; our values hold no line break. */
static void
render_journal(const struct line *l, struct out *o)
{
	put_str(o, "MESSAGE=");
	put_escaped(o, mst_span_str(l->message), 1);
	put_str(o, "\nPRIORITY=");
	put_str(o, level_priorities[l->level]);
	put_str(o, "\nSYSLOG_IDENTIFIER=");
	put_escaped(o, mst_span_str(log_.program), 1);
	put_str(o, "\n");
	for (size_t i = 0; i < l->count; i++) {
		const struct field *f = &l->field[i];
		char key[32] = "MUSTER_";
		size_t n = 7;

		if (strcmp(f->key, "message") == 0)
			continue;
		for (const char *k = f->key; *k != '\0' && n < sizeof(key) - 1; k++)
			key[n++] = (char)(*k >= 'a' && *k <= 'z' ? *k - 32 : *k);
		if (o->len + n + 16 > sizeof(o->text))
			break;
		put(o, key, n);
		put_str(o, "=");
		put_escaped(o, f->value, 1);
		put_str(o, "\n");
	}
}

/* A reader that is slow for a while is waited for; one that is gone is not. */
static void
write_all(const char *p, size_t len)
{
	while (len > 0) {
		ssize_t n = write(log_.fd, p, len);
		struct pollfd pfd = { .fd = log_.fd, .events = POLLOUT };

		if (n > 0) {
			p += n;
			len -= (size_t)n;
		} else if (!(n < 0 &&
		               (errno == EINTR || (errno == EAGAIN && poll(&pfd, 1, 100) > 0)))) {
			metric_add("muster_log_lost_total", NULL, 1);
			return;
		}
	}
}

static void
emit(const struct line *l)
{
	struct out o = { .len = 0 };

	if (log_.journal_fd >= 0) {
		render_journal(l, &o);
		if (send(log_.journal_fd, o.text, o.len, MSG_NOSIGNAL) == (ssize_t)o.len)
			return;
		o.len = 0; /* journald is gone or restarts: not a reason to lose the line */
	}
	if (log_.format == LOG_TEXT)
		render_text(l, &o);
	else
		render_json(l, &o);
	write_all(o.text, o.len);
}

static void
line_init(struct line *l, enum log_level level)
{
	struct mst_buf b = { (uint8_t *)l->time, MST_TIME_LEN, 0 };

	*l = (struct line){ .level = level };
	if (mst_time_format(clock_wall(), &b) != MST_OK)
		b.len = 0;
	l->time[b.len] = '\0';
}

static void
count(const struct decision *d, const char *outcome, const char *reason)
{
	char labels[192] = "";

	metric_label(labels, sizeof(labels), "role", mst_span_str(d->role));
	metric_label(labels, sizeof(labels), "step", mst_span_str(step_word(d->step)));
	if (d->us > 0)
		metric_observe("muster_decision_seconds", labels, (double)d->us / 1e6);
	metric_label(labels, sizeof(labels), "outcome", mst_span_str(outcome));
	metric_label(labels, sizeof(labels), "reason", mst_span_str(reason));
	metric_add("muster_decisions_total", labels, 1);
}

void
log_decision(const struct decision *d)
{
	const struct mst_err_info *info = d->err == MST_OK ? NULL : mst_err_info(d->err);
	const char *outcome = info == NULL ? "accepted" : info->http == 202 ? "pending" : "refused";
	enum log_level level = LOG_INFO_;
	struct line l;
	char us[24];

	if (info != NULL && info->http >= 300)
		level = info->http >= 500 ? LOG_ERROR_ : LOG_WARNING_;
	count(d, outcome, info == NULL ? "ok" : info->reason);
	if (level < log_.least)
		return;
	line_init(&l, level);
	snprintf(l.message, sizeof(l.message), "%s %s %s%s%s", d->role == NULL ? "" : d->role,
	    step_word(d->step), outcome, info == NULL ? "" : ": ",
	    info == NULL ? "" : info->sentence);
	add(&l, "role", mst_span_str(d->role));
	add(&l, "step", mst_span_str(step_word(d->step)));
	add(&l, "outcome", mst_span_str(outcome));
	if (info != NULL) {
		add(&l, "code", mst_span_str(info->code));
		add(&l, "name", mst_span_str(info->name));
		add(&l, "reason", mst_span_str(info->reason));
	}
	add(&l, "trace", mst_span_str(d->trace));
	add(&l, "request", mst_span_str(d->request));
	add(&l, "serial", d->serial);
	add(&l, "manufacturer", mst_span_str(d->manufacturer));
	add(&l, "peer", mst_span_str(d->peer));
	add(&l, "detail", mst_span_str(d->detail));
	if (d->us > 0) {
		snprintf(us, sizeof(us), "%lld", (long long)d->us);
		add(&l, "us", mst_span_str(us));
	}
	emit(&l);
}

void
log_line(enum log_level level, const char *fmt, ...)
{
	struct line l;
	va_list ap;

	if (level < log_.least)
		return;
	line_init(&l, level);
	va_start(ap, fmt);
	vsnprintf(l.message, sizeof(l.message), fmt, ap);
	va_end(ap);
	add(&l, "message", mst_span_str(l.message));
	emit(&l);
}
