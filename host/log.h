/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One structured line per security decision, accepted or refused, and one
 * counter with the same words (muster_decisions_total{role,step,outcome,
 * reason}). Never a key, nonce, token or whole message.
 */
#ifndef HOST_LOG_H
#define HOST_LOG_H

#include "host/vocab.h"
#include "muster/span.h"

enum log_format { LOG_JSON, LOG_JOURNALD, LOG_TEXT }; /* TEXT: for a terminal */
enum log_level { LOG_DEBUG_, LOG_INFO_, LOG_WARNING_, LOG_ERROR_ };

/* JOURNALD without a journal writes JSON to fd. Program and role names appear on every line. fd is
 * usually 2. Thread-safe from here on. */
void log_open(const char *program, enum log_format format, enum log_level least, int fd);
/* Tests and containers: where journald listens, else /run/systemd/journal/socket. Before log_open.
 */
void log_journal(const char *socket_path);
int log_format_find(const char *word); /* "json", "journald", "text"; -1 unknown */
int log_level_find(const char *word); /* "debug", "info", "warning", "error"; -1 unknown */

/* A decision. Absent fields are NULL or MST_NONE. */
struct decision {
	const char *role; /* "registrar", "masa", "est", "ca", "proxy", "pledge", "admin" */
	enum step step;
	mst_err err; /* MST_OK: accepted; one whose HTTP status is 202: pending; else refused */
	const char
	    *trace; /* the id that follows a device across pledge, proxy, registrar and MASA */
	const char *request; /* this request's id, also in the HTTP answer */
	mst_span serial; /* device */
	const char *manufacturer;
	const char *peer; /* "192.0.2.1:40000" */
	const char *detail; /* one line of words; control characters are escaped */
	int64_t us; /* how long it took; 0 absent */
};
void log_decision(const struct decision *d);

/* Anything else, with printf words: start, stop, configuration, I/O trouble. */
void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
