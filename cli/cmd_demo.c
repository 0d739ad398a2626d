/* SPDX-License-Identifier: Apache-2.0 */
/* demo: the whole story once, on real protocols, in a folder that is gone afterwards. */
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/demo_update.h"
#include "cli/impostor.h"
#include "cli/lab.h"
#include "host/clock.h"
#include "host/file.h"
#include "muster/base64.h"

#define CROWD 200
#define AT_ONCE 16
#define FIRST "DEVICE-001"
#define SMALL "DEVICE-900"

static volatile sig_atomic_t interrupted;

static void
on_signal(int sig)
{
	(void)sig;
	interrupted = 1;
}

/* --- how it is told --- */

static int chapter_number;

static void
chapter(const char *title)
{
	printf("\n%d. %s\n", ++chapter_number, title);
	fflush(stdout);
}

static void
told(int64_t since_us, const char *fmt, ...)
{
	va_list ap;

	if (since_us != 0)
		printf("   %7.1f ms  ", (double)(clock_mono_us() - since_us) / 1000);
	else
		printf("               ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
}

static bool
stop_with(struct lab *l, const char *what)
{
	snprintf(l->why, sizeof l->why, "%s", what);
	return false;
}

/* One of our own commands with --json, as an object. */
static json_t *
ask(struct lab *l, const char *const *argv)
{
	const char *name = "answer.json";
	json_t *j = NULL;

	unlink(lab_path(l, name));
	if (lab_run(l, name, argv) == 0)
		j = json_loads(lab_read(l, name), JSON_DECODE_ANY, NULL);
	return j;
}

static json_t *
ask_site(struct lab *l, const char *noun, const char *verb, const char *arg)
{
	const char *const argv[] = { "muster", noun, verb, "--json", "--config",
		lab_path(l, "site/muster.conf"), arg, NULL };

	return ask(l, argv);
}

static int
agent(struct lab *l, const char *device, const char *log, const char *word)
{
	const char *config = lab_path(l, arena_printf(l->c->a, "devices/%s/agent.conf", device));
	const char *const once[] = { "muster-agent", "--config", config, "--once", "--timeout",
		"60", NULL };
	const char *const verb[] = { "muster-agent", "--config", config, word, NULL };

	return lab_run(
	    l, arena_printf(l->c->a, "devices/%s/%s", device, log), word != NULL ? verb : once);
}

/* --- the chapters --- */

static bool
make_world(struct lab *l, struct cli *c, const char *folder)
{
	int64_t t = clock_mono_us();

	chapter("A factory and a site, from nothing");
	if (!lab_make(l, c, folder))
		return false;
	told(t, "IDevID CA, voucher keys (nonced and nonceless), MASA; domain CA, registrar");
	t = clock_mono_us();
	if (!lab_devices(l, LAB_HTTPS, 1, 1))
		return false;
	told(t, "%s gets its IDevID and the manufacturer's voucher anchor, nothing else", FIRST);
	t = clock_mono_us();
	if (!lab_start(l))
		return false;
	told(t,
	    "MASA on port %d, registrar on %d, join proxy on %d; on UDP registrar on %d, "
	    "join proxy on %d",
	    l->masa_port, l->registrar_port, l->proxy_port, l->coaps_port, l->join_port);
	return true;
}

/* What an accepted step has passed, each by name: the judges refuse at the first that fails. */
static const struct {
	const char *step, *checks;
} checked[] = {
	{ "pvr", "IDevID chain and validity, signature by the TLS key, assertion, proximity "
	         "certificate, serial number, nonce, admission (RFC 8995 5.2 to 5.5)" },
	{ "voucher",
	    "RVR signature, chain, cmcRA, device, prior signed request, nonce (MASA, 5.5); "
	    "signature, serial number, nonce, pin (registrar, 5.6)" },
	{ "voucher-status",
	    "signature against the factory's anchors, serial number, nonce, pin, and "
	    "this connection's chain against the pin (pledge, 5.6.1, 5.6.2)" },
	{ "audit", "our own entry, foreign domains, nonceless vouchers, truncation (5.8.3)" },
	{ "enroll", "voucher, telemetry and audit gates; proof of possession, key, subject, "
	            "extensions (RFC 7030 4.2.1)" },
	{ "enrollstatus", "the LDevID in use, against the anchors from /cacerts (5.9.4)" },
};

static void
print_checks(const char *step)
{
	for (size_t i = 0; step != NULL && i < sizeof checked / sizeof checked[0]; i++)
		if (strcmp(checked[i].step, step) == 0)
			told(0, "    %s", checked[i].checks);
}

static bool
print_timeline(struct lab *l, const char *serial)
{
	json_t *d = ask_site(l, "device", "show", serial), *row;
	bool all = true;
	size_t i;

	if (d == NULL)
		return stop_with(l, "the site does not know the device");
	json_array_foreach(json_object_get(d, "timeline"), i, row)
	{
		const char *outcome = json_string_value(json_object_get(row, "outcome"));
		const char *detail = json_string_value(json_object_get(row, "detail"));

		all = all && outcome != NULL && strcmp(outcome, "accepted") == 0;
		told(0, "%-15s %s%s%.90s", json_string_value(json_object_get(row, "step")),
		    outcome != NULL ? outcome : "?", detail != NULL ? ": " : "",
		    detail != NULL ? detail : "");
		print_checks(json_string_value(json_object_get(row, "step")));
	}
	json_decref(d);
	return all || stop_with(l, "a step of the device was not accepted");
}

static bool
bootstrap(struct lab *l)
{
	int64_t t = clock_mono_us();

	chapter("One device through the proxy, from IDevID to LDevID");
	if (agent(l, FIRST, "agent.log", NULL) != 0)
		return stop_with(
		    l, "the device did not get its certificate; see devices/" FIRST "/agent.log");
	told(t, "voucher-request, voucher, telemetry, audit log, CSR, LDevID, enrolment report");
	return print_timeline(l, FIRST);
}

/* The same judges and inventory behind another wire (design.md 3.5). */
static bool
constrained(struct lab *l)
{
	int64_t t;

	chapter(
	    "A constrained device: CoAP and CBOR over DTLS, through a proxy that keeps no state");
	if (!lab_devices(l, LAB_COAPS, 900, 900))
		return false;
	t = clock_mono_us();
	if (agent(l, SMALL, "agent.log", NULL) != 0)
		return stop_with(
		    l, "the device did not get its certificate; see devices/" SMALL "/agent.log");
	told(t, "COSE voucher-request and voucher, CBOR telemetry, EST over CoAPS");
	return print_timeline(l, SMALL);
}

/* The voucher that the site keeps for a device, as DER. */
static bool
voucher_of(struct lab *l, const char *serial, mst_span *der)
{
	json_t *d = ask_site(l, "device", "show", serial);
	const char *text = json_string_value(json_object_get(d, "voucher"));
	struct mst_buf b = arena_buf(l->c->a, text != NULL ? strlen(text) + 1 : 1);
	bool ok = text != NULL && mst_base64_decode(mst_span_str(text), 0, &b) == MST_OK;

	json_decref(d);
	*der = mst_buf_span(&b);
	return ok || stop_with(l, "the site has no voucher of the device");
}

static bool
newest_certificate(struct lab *l, const char *device, const char *file, const char **serial)
{
	const char *const list[] = { "muster", "cert", "list", "--device", device, "--json",
		"--config", lab_path(l, "site/muster.conf"), NULL };
	json_t *rows = ask(l, list), *one = NULL;
	const char *s = json_string_value(json_object_get(json_array_get(rows, 0), "serial"));
	const char *pem = NULL;
	bool ok = false;

	if (s != NULL && (one = ask_site(l, "cert", "show", s)) != NULL &&
	    (pem = json_string_value(json_object_get(one, "pem"))) != NULL) {
		*serial = arena_str(l->c->a, mst_span_str(s));
		ok = file_write_atomic(lab_path(l, file), mst_span_str(pem), 0644) == MST_OK;
	}
	json_decref(one);
	json_decref(rows);
	return ok || stop_with(l, "the site's CA has no certificate of the device");
}

static bool
judged_by_openssl(struct lab *l, mst_span *voucher)
{
	const char *const verify[] = { "openssl", "verify", "-CAfile", lab_path(l, "site/ca.pem"),
		lab_path(l, "ldevid.pem"), NULL };
	const char *const cms[] = { "openssl", "cms", "-verify", "-inform", "DER", "-binary",
		"-purpose", "any", "-CAfile", lab_path(l, "factory/voucher-ca.pem"), "-in",
		lab_path(l, "voucher.der"), "-out", lab_path(l, "voucher.json"), NULL };
	const char *serial;
	int64_t t;

	chapter("What OpenSSL says of it");
	if (!newest_certificate(l, FIRST, "ldevid.pem", &serial) || !voucher_of(l, FIRST, voucher))
		return false;
	if (file_write_atomic(lab_path(l, "voucher.der"), *voucher, 0644) != MST_OK)
		return stop_with(l, file_why());
	t = clock_mono_us();
	if (lab_run(l, NULL, verify) != 0)
		return stop_with(l, "openssl verify refuses the LDevID");
	told(t, "openssl verify: the LDevID %.16s... chains to the site's CA", serial);
	t = clock_mono_us();
	if (lab_run(l, NULL, cms) != 0)
		return stop_with(l, "openssl cms refuses the voucher");
	told(t, "openssl cms -verify: the voucher is the MASA's:");
	told(0, "%.100s...", lab_read(l, "voucher.json"));
	return true;
}

static bool
renewal(struct lab *l)
{
	const char *before, *after;
	int64_t t;

	chapter("Renewal, over TLS with the LDevID itself");
	if (!newest_certificate(l, FIRST, "ldevid.pem", &before))
		return false;
	t = clock_mono_us();
	if (agent(l, FIRST, "renew.log", "renew") != 0)
		return stop_with(l, "the device did not renew; see devices/" FIRST "/renew.log");
	told(t, "simplereenroll with a new key; the old certificate served until the new one was "
	        "stored");
	if (!newest_certificate(l, FIRST, "renewed.pem", &after))
		return false;
	told(0, "%.16s... became %.16s...", before, after);
	return strcmp(before, after) != 0 || stop_with(l, "the certificate did not change");
}

static bool
firmware(struct lab *l)
{
	chapter("Firmware: signed by the manufacturer, fetched from the site, kept only when well");
	return demo_update(l, FIRST, told);
}

/* The refusal that the site's trail has for the last stranger. */
static const char *
last_refusal(struct lab *l)
{
	json_t *rows = ask_site(l, "audit", "list", "--quiet"), *row;
	const char *code = "";
	size_t i;

	json_array_foreach(rows, i, row)
	{
		const char *c = json_string_value(json_object_get(row, "code"));

		if (c != NULL)
			code = arena_str(l->c->a, mst_span_str(c));
	}
	json_decref(rows);
	return code;
}

static bool
refused(struct lab *l, const char *what, const char *code, const char *want)
{
	const struct mst_err_info *i = mst_err_find(code);

	if (i == NULL || strcmp(code, want) != 0) {
		snprintf(l->why, sizeof l->why, "%s: expected %s, got \"%s\"", what, want, code);
		return false;
	}
	told(0, "%s", what);
	told(0, "  refused: %s %s (%s)", i->code, i->sentence, i->clause);
	return true;
}

/* An IDevID for the same serial number, by somebody who calls himself the factory. */
static bool
forged_idevid(struct lab *l)
{
	const char *const init[] = { "muster", "init", "factory", lab_path(l, "forger"),
		"--organization", "Acme Devices", "--url",
		arena_printf(l->c->a, "127.0.0.1:%d", l->masa_port), "--listen", "127.0.0.1:1",
		NULL };
	const char *const issue[] = { "muster", "idevid", "issue", FIRST, "--out",
		lab_path(l, "forged"), "--config", lab_path(l, "forger/muster.conf"), NULL };
	const char *const once[] = { "muster-agent", "--config",
		lab_path(l, "devices/" FIRST "-FORGED/agent.conf"), "--once", "--timeout", "6",
		NULL };

	if (lab_run(l, NULL, init) != 0 || lab_run(l, NULL, issue) != 0)
		return stop_with(l, "the forger could not forge");
	if (rename(lab_path(l, "forged/" FIRST), lab_path(l, "devices/" FIRST "-FORGED")) != 0 ||
	    !lab_agent_config(l, LAB_HTTPS, FIRST "-FORGED", l->proxy_port))
		return stop_with(l, "the forged device could not be set up");
	if (lab_run(l, "devices/" FIRST "-FORGED/agent.log", once) == 0)
		return stop_with(l, "a forged IDevID was let in");
	return refused(l, "a pledge with a forged IDevID of the same serial number",
	    last_refusal(l), "MU-2001");
}

static bool
attacks(struct lab *l, mst_span voucher)
{
	const char *code;

	chapter("Three attacks");
	if (!forged_idevid(l))
		return false;
	if (agent(l, FIRST, "reset.log", "factory-reset") != 0)
		return stop_with(l, "factory-reset failed");
	if (!impostor_meet(l, IMPOSTOR_OTHER_PIN, FIRST, voucher, &code) ||
	    !refused(l, "a registrar that the voucher does not pin", code, "MU-1212"))
		return false;
	return impostor_meet(l, IMPOSTOR_REPLAY, FIRST, voucher, &code) &&
	       refused(l, "the voucher of the first bootstrap, replayed", code, "MU-1207");
}

/* --- the crowd --- */

static bool
let_in(struct lab *l, pid_t *pids, int *next, int *running)
{
	while (*running < AT_ONCE && *next <= CROWD + 1) {
		const char *name = arena_printf(l->c->a, "DEVICE-%03d", *next);
		const char *config =
		    lab_path(l, arena_printf(l->c->a, "devices/%s/agent.conf", name));
		const char *const argv[] = { "muster-agent", "--config", config, "--once",
			"--timeout", "120", NULL };

		pids[*next] =
		    lab_spawn(l, arena_printf(l->c->a, "devices/%s/agent.log", name), argv);
		if (pids[*next] < 0)
			return stop_with(l, "out of processes");
		(*next)++;
		(*running)++;
	}
	return true;
}

static bool
crowd(struct lab *l)
{
	pid_t pids[CROWD + 2] = { 0 };
	int next = 2, running = 0, done = 0, failed = 0;
	int64_t t = clock_mono_us();

	chapter("200 more devices at once");
	if (!lab_devices(l, LAB_HTTPS, 2, CROWD + 1))
		return false;
	told(t, "%d IDevIDs issued and recorded", CROWD);
	t = clock_mono_us();
	while (done + failed < CROWD) {
		int status;
		pid_t pid;

		if (interrupted || !let_in(l, pids, &next, &running))
			return false;
		if ((pid = waitpid(-1, &status, 0)) < 0) {
			if (errno == EINTR)
				continue;
			return stop_with(l, "waiting failed");
		}
		for (int i = 2; i < next; i++)
			if (pids[i] == pid) {
				pids[i] = 0;
				running--;
				if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
					done++;
				else
					failed++;
			}
		cli_progress(l->c, "   devices", done, CROWD);
	}
	told(t, "%d enrolled, %d not; %.0f a second, every device a process of its own", done,
	    failed, done * 1e6 / (double)(clock_mono_us() - t));
	return failed == 0 || stop_with(l, "some of the crowd were not enrolled");
}

static bool
aftermath(struct lab *l)
{
	const char *const argv[] = { "muster", "status", "--json", "--config",
		lab_path(l, "site/muster.conf"), NULL };
	json_t *s = ask(l, argv);
	json_int_t active =
	    json_integer_value(json_object_get(json_object_get(s, "devices"), "active"));

	json_decref(s);
	chapter("What the site knows now");
	told(0, "%lld devices active", (long long)active);
	/* the first one was reset by an attack and is as its last bootstrap left it at the site */
	return active >= CROWD || stop_with(l, "the site counts fewer devices than were enrolled");
}

static bool
tell(struct lab *l, struct cli *c, const char *folder)
{
	mst_span voucher;

	return make_world(l, c, folder) && bootstrap(l) && judged_by_openssl(l, &voucher) &&
	       renewal(l) && firmware(l) && constrained(l) && attacks(l, voucher) && crowd(l) &&
	       aftermath(l);
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st;
	(void)type;
	(void)f;
	return remove(path);
}

static int
demo(struct cli *c)
{
	const char *base = getenv("TMPDIR");
	char *folder = arena_printf(
	    c->a, "%s/muster-demo.XXXXXX", base != NULL && base[0] == '/' ? base : "/tmp");
	struct sigaction act = { .sa_handler = on_signal };
	struct lab l = { .c = c };
	int64_t t = clock_mono_us();
	bool ok;

	if (folder == NULL || mkdtemp(folder) == NULL)
		return cli_fail(c, CLI_FAILED, "no temporary folder: %s", strerror(errno));
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	signal(SIGPIPE, SIG_IGN);
	printf("muster %s: a device, its manufacturer and a site that have never met\n",
	    MUSTER_VERSION);
	ok = tell(&l, c, folder);
	lab_stop(&l);
	if (ok)
		printf("\nAll of it took %.1f s. Nothing is left running.\n",
		    (double)(clock_mono_us() - t) / 1e6);
	if (cli_flag(c, "keep") || (!ok && !interrupted))
		cli_say(c, "everything is still in %s", folder);
	else
		nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	if (interrupted)
		return cli_fail(c, CLI_FAILED, "interrupted");
	return ok ? CLI_OK : cli_fail(c, CLI_FAILED, "%s", l.why);
}

static const struct cli_option demo_options[] = {
	{ "keep", NULL, "do not remove the folder at the end" },
	{ NULL, NULL, NULL },
};

const struct cli_command cmd_demo[] = {
	{ "demo", NULL, "", "the whole story once: real TLS, vouchers, MASA, CA and database", NULL,
	    demo_options, demo },
	{ NULL, NULL, NULL, NULL, NULL, NULL, NULL },
};
