/* SPDX-License-Identifier: Apache-2.0 */
/*
 * make bench: figures of this machine beside the floor measured in the same
 * run (issue 2, E25). Nothing here asserts a time: a bar is met or missed in
 * words, and the exit code says only whether the figures could be taken.
 */
#ifndef TESTS_BENCH_H
#define TESTS_BENCH_H

#include <sys/types.h>

#include <openssl/ssl.h>

#include "host/arena.h"

#define US_PER_S 1e6
#define CLIENTS_MAX 16

/* Seconds of the forward clock, and of this thread's CPU. */
double bench_now(void);
double bench_cpu(void);
/* Says what failed and ends the run; what was started ends with it. */
void bench_die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* --- world.c: a factory and a site as `muster init` makes them, on loopback --- */

struct daemon {
	const char *config; /* path */
	pid_t pid, key_pid; /* 0: not running */
	int port;
	double start_ms; /* from fork to READY=1 */
};
struct world {
	struct arena *a;
	const char *programs; /* folder with musterd and muster */
	const char *dir;
	struct daemon site, factory;
	int loops;
};
void world_make(struct world *w);
void world_start(struct world *w, struct daemon *d);
void world_stop(struct daemon *d);
void world_stop_all(void);
/* `muster ...` to its end; the list ends with NULL. */
void world_muster(struct world *w, const char *first, ...) __attribute__((sentinel));
/* IDevIDs BENCH-<first> ... in dir/devices. */
void world_devices(struct world *w, int first, int count);
const char *world_path(struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* CPU seconds (utime + stime) of the daemon and its key process so far; resident bytes. */
double daemon_cpu(const struct daemon *d);
double daemon_key_cpu(const struct daemon *d);
/* CPU seconds that the whole machine has worked, and those that it could have. */
void machine_cpu(double *busy, double *all);
struct memory {
	double network, keys; /* KiB resident of either process */
	double keys_own; /* of the key process, without pages it shares (libraries, fork) */
};
struct memory daemon_memory(const struct daemon *d);

struct identity {
	X509 *cert;
	EVP_PKEY *key;
	STACK_OF(X509) *chain;
};
STACK_OF(X509) *read_certs(struct arena *a, const char *path);
EVP_PKEY *read_key(const char *path);
/* IDevID of device n. */
struct identity world_idevid(struct world *w, int n);

/* --- wire.c: a plain client, no library between it and OpenSSL --- */

struct wire {
	int fd;
	SSL *ssl;
	char *in;
	size_t cap;
};
struct wire_answer {
	int status;
	long retry_after; /* -1 absent */
	bool close;
	char type[64];
	mst_span body; /* in the wire's buffer until the next request */
};
enum wire_trust { WIRE_JUDGED_LATER, WIRE_ANCHORS };
SSL_CTX *wire_context(const char *anchors_path, enum wire_trust trust);
bool wire_open(struct wire *w, SSL_CTX *ctx, int port, const struct identity *who);
void wire_close(struct wire *w);
bool wire_ask(struct wire *w, const char *method, const char *path, const char *type,
    const char *accept, mst_span body, struct wire_answer *out);

/* --- primitives.c --- */

struct primitives { /* microseconds of CPU, one thread */
	double keygen, sign, verify, ecdh;
	double tls_server, tls_client; /* mutual TLS 1.3 in memory, chains verified */
	double tls_client_only; /* server's side where the client shows no certificate */
	double cert_decode, csr_decode, csr_check, cert_sign;
	double cms_sign, cms_verify;
	double sync_wall; /* fdatasync of one 4 KiB page, wall clock */
};
struct primitives_world {
	struct identity server, client;
	const char *server_anchors, *client_anchors; /* PEM paths */
	const char *dir;
};
struct primitives primitives_measure(const struct primitives_world *w, double seconds_each);

/* --- load.c --- */

struct load {
	int clients;
	double seconds;
	double rate, p50_ms, p99_ms;
	double cpu_us; /* of the servers, per operation */
	double key_cpu_us; /* the key processes' part of it */
	double client_cpu_us;
	double others; /* percent of the machine that neighbours took meanwhile */
	double rss_kib; /* of the site's processes, at the end */
	long done, failed;
};

enum est_kind { EST_NEW_CONNECTION, EST_KEPT_ALIVE };
/* A pool of base64 CSRs, each with a key of its own, made with both cores. */
struct csr_pool {
	char **body;
	size_t count;
	const struct identity *who; /* number i carries the subject of who[i % clients] */
	int clients;
};
void csr_pool_make(struct csr_pool *p, const struct identity *who, int clients, size_t count);
void csr_pool_free(struct csr_pool *p);
/* Until the seconds are over (0: no limit), most (0: no limit) are done or the CSRs are used up. */
struct load load_est(struct world *w, enum est_kind kind, int clients, double seconds, long most,
    const struct identity *who, struct csr_pool *pool);
/* Devices first, first + 1, ... each once; got, when not NULL, receives their LDevIDs. */
struct load load_bootstrap(
    struct world *w, int clients, int first, int count, double seconds, struct identity *got);

/* Idle connections: KiB of the network process per further connection. */
double idle_connections(struct world *w, const struct identity *who, int count);

/* --- inventory.c --- */

struct inventory {
	long devices;
	double fill_s, start_ms, lookup_mean_us, lookup_worst_us, show_ms, help_ms;
};
struct inventory inventory_measure(struct world *w, long devices);

#endif
