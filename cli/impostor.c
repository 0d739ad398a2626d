/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/impostor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "host/clock.h"
#include "host/cert.h"
#include "host/envelope.h"
#include "host/file.h"
#include "host/key.h"
#include "host/pki.h"

#define REQUEST_MOST (256u << 10)
#define PATIENCE_MS 20000

struct impostor {
	struct lab *l;
	pid_t pid;
	int in, out; /* what s_server sends, what it received */
	int port;
	mst_span pvr;
};

static bool
fail(struct lab *l, const char *words)
{
	snprintf(l->why, sizeof l->why, "the impostor: %s", words);
	return false;
}

/* A registrar certificate like the real one's, but of the attacker's own CA: it signs itself. */
static bool
make_identity(struct lab *l)
{
	struct pki_identity me = { NULL, NULL };
	struct pki_spec s = { "Registrar", "Example Site", .key_uri = lab_path(l, "impostor.key"),
		.cert_path = lab_path(l, "impostor.pem"), .path_length = -1, .seconds = 86400,
		.ekus = "1.3.6.1.5.5.7.3.1 1.3.6.1.5.5.7.3.2 1.3.6.1.5.5.7.3.28",
		.hosts = "127.0.0.1" };
	mst_err e;

	if (access(s.cert_path, F_OK) == 0)
		return true;
	e = pki_make(l->c->a, &s, &me);
	pki_wipe(&me);
	return e == MST_OK || fail(l, pki_why());
}

static void
become_server(struct impostor *m, int in, int out)
{
	const char *port = arena_printf(m->l->c->a, "127.0.0.1:%d", m->port);
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	if (null >= 0)
		dup2(null, STDERR_FILENO);
	execlp("openssl", "openssl", "s_server", "-accept", port, "-cert",
	    lab_path(m->l, "impostor.pem"), "-key", lab_path(m->l, "impostor.key"), "-quiet",
	    "-verify", "3", "-naccept", "1", (char *)NULL);
	_exit(127);
}

static bool
start(struct impostor *m)
{
	int to[2] = { -1, -1 }, from[2] = { -1, -1 };

	m->port = lab_port();
	if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0 || (m->pid = fork()) < 0)
		return fail(m->l, strerror(errno));
	if (m->pid == 0)
		become_server(m, to[0], from[1]);
	close(to[0]);
	close(from[1]);
	m->in = to[1];
	m->out = from[0];
	usleep(300000); /* s_server says nothing when it listens, and takes one connection only */
	return true;
}

static void
stop(struct impostor *m)
{
	if (m->pid <= 0)
		return;
	close(m->in);
	close(m->out);
	kill(m->pid, SIGTERM);
	lab_wait(m->pid);
}

/* The body of the next HTTP request; a pledge always sends Content-Length. */
static bool
read_request(struct impostor *m, mst_span *body)
{
	char *text = arena_alloc(m->l->c->a, REQUEST_MOST + 1);
	struct pollfd p = { .fd = m->out, .events = POLLIN };
	size_t len = 0;

	while (text != NULL && len < REQUEST_MOST && poll(&p, 1, PATIENCE_MS) == 1) {
		ssize_t n = read(m->out, text + len, REQUEST_MOST - len);
		const char *end, *length;
		size_t want;

		if (n <= 0)
			break;
		len += (size_t)n;
		text[len] = '\0';
		if ((end = memmem(text, len, "\r\n\r\n", 4)) == NULL ||
		    (length = strcasestr(text, "\r\nContent-Length:")) == NULL)
			continue;
		want = strtoul(length + 17, NULL, 10);
		end += 4;
		if (len - (size_t)(end - text) < want)
			continue;
		*body = mst_span_of(end, want);
		return true;
	}
	return fail(m->l, "the device did not ask it");
}

static bool
answer(struct impostor *m, const char *type, mst_span body)
{
	char head[256];
	int n = snprintf(head, sizeof head,
	    "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n", type, body.len);

	return (write(m->in, head, (size_t)n) == n &&
	           write(m->in, body.ptr, body.len) == (ssize_t)body.len) ||
	       fail(m->l, "it could not answer");
}

/*
 * As if the attacker could make the MASA answer the real registrar with the
 * nonce of the pledge that stands before the attacker's door.
 */
static mst_err
forge(struct impostor *m, mst_span *message)
{
	struct arena *a = m->l->c->a;
	struct envelope pvr;
	struct mst_voucher_claims v;
	struct envelope_signer signer = { NULL, NULL, NULL, false };
	STACK_OF(X509) *mine = NULL, *site = NULL;
	mst_span pem, pin;
	mst_err e;

	mst_voucher_claims_init(&v, MST_VOUCHER);
	if ((e = envelope_open(a, MST_MEDIA_CMS_JSON, MST_VOUCHER_REQUEST, m->pvr, NULL, &pvr)) !=
	        MST_OK ||
	    (e = file_read(a, lab_path(m->l, "factory/voucher-short.pem"), 65536, &pem)) !=
	        MST_OK ||
	    (e = cert_list(pem, &mine)) != MST_OK ||
	    (e = file_read(a, lab_path(m->l, "site/ca.pem"), 65536, &pem)) != MST_OK ||
	    (e = cert_list(pem, &site)) != MST_OK ||
	    (e = cert_der(a, sk_X509_value(site, 0), &pin)) != MST_OK ||
	    (e = key_open(lab_path(m->l, "factory/voucher-short.key"), &signer.key)) != MST_OK)
		goto out;
	signer.cert = sk_X509_value(mine, 0);
	signer.chain = mine;
	v.assertion = MST_ASSERT_PROXIMITY;
	v.created_on = clock_wall();
	v.serial = pvr.claims.serial;
	v.nonce = pvr.claims.nonce;
	v.nonce_text = pvr.claims.nonce_text;
	v.pinned_cert = pin;
	v.revocation_checks = 0;
	e = envelope_seal(a, MST_MEDIA_CMS_JSON, &v, &signer, message);
out:
	EVP_PKEY_free(signer.key);
	sk_X509_pop_free(mine, X509_free);
	sk_X509_pop_free(site, X509_free);
	return e;
}

static bool
play(struct impostor *m, enum impostor_trick trick, mst_span old_voucher)
{
	mst_span voucher = old_voucher, status;
	mst_err e = MST_OK;

	if (!read_request(m, &m->pvr))
		return false;
	switch (trick) {
	case IMPOSTOR_REPLAY: break;
	case IMPOSTOR_OTHER_PIN: e = forge(m, &voucher); break;
	}
	if (e != MST_OK)
		return fail(m->l, mst_err_info(e)->sentence);
	if (!answer(m, mst_media_type(MST_MEDIA_CMS_JSON), voucher))
		return false;
	if (read_request(m, &status)) /* the pledge's verdict, as telemetry */
		(void)answer(m, "text/plain", MST_LIT("thank you"));
	return true;
}

/* The refusal in the device's log: the last line of a refused decision names its code. */
static const char *
code_in(struct lab *l, const char *log)
{
	const char *text = lab_read(l, log), *found = NULL, *p = text;

	while ((p = strstr(p, "\"MU-")) != NULL) {
		const char *line = p;

		while (line > text && line[-1] != '\n')
			line--;
		if (strncmp(p, "\"MU-12", 6) == 0) /* what the device says of the voucher */
			found = p + 1;
		p++;
	}
	return found != NULL ? arena_str(l->c->a, mst_span_of(found, strcspn(found, "\""))) : "";
}

bool
impostor_meet(struct lab *l, enum impostor_trick trick, const char *device, mst_span old_voucher,
    const char **code)
{
	struct impostor m = { .l = l };
	const char *config = arena_printf(l->c->a, "devices/%s/agent.conf", device);
	const char *log = arena_printf(l->c->a, "devices/%s/impostor-%d.log", device, (int)trick);
	const char *const agent[] = { "muster-agent", "--config", lab_path(l, config), "--once",
		"--timeout", "8", NULL };
	pid_t pid = -1;
	bool ok = false;

	*code = "";
	unlink(lab_path(l, config));
	if (make_identity(l) && start(&m) && lab_agent_config(l, LAB_HTTPS, device, m.port)) {
		pid = lab_spawn(l, log, agent);
		ok = play(&m, trick, old_voucher);
	}
	stop(&m);
	lab_wait(pid);
	unlink(lab_path(l, config));
	if (!lab_agent_config(l, LAB_HTTPS, device, l->proxy_port))
		return false;
	*code = code_in(l, log);
	return ok;
}
