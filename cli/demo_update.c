/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/demo_update.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/commands.h"
#include "host/clock.h"
#include "host/file.h"

#define IMAGE_BYTES 60000
#define VENDOR "1e01acab-6b1b-5a9d-9e16-8a7c0a3d1f00"
#define CLASS "5c1e4d7f-2a3b-5c4d-8e5f-6a7b8c9d0e1f"

typedef void (*say_fn)(int64_t since_us, const char *fmt, ...);

struct tale {
	struct lab *l;
	const char *device, *config;
	say_fn say;
	int port;
	pid_t server;
};

static bool
stop_with(struct tale *t, const char *what)
{
	snprintf(t->l->why, sizeof t->l->why, "%s", what);
	return false;
}

static char *
text(struct tale *t, const char *name, int n)
{
	return arena_printf(t->l->c->a, name, n);
}

static bool
put(struct tale *t, const char *name, mst_span bytes, unsigned mode)
{
	return file_write_atomic(lab_path(t->l, name), bytes, mode) == MST_OK ||
	       stop_with(t, file_why());
}

/* An image whose first word says what it is and whether it is well. */
static bool
put_image(struct tale *t, int version, const char *word)
{
	struct mst_buf b = arena_buf(t->l->c->a, IMAGE_BYTES);
	char first[32];

	if (b.cap == 0)
		return stop_with(t, "out of memory");
	for (size_t i = 0; i < IMAGE_BYTES; i++)
		b.ptr[i] = (uint8_t)(i * 31 + (size_t)version * 7 + (i >> 8));
	(void)snprintf(first, sizeof first, "%s image, version %d\n", word, version);
	memcpy(b.ptr, first, strlen(first));
	return put(t, text(t, "depot/v%d.bin", version), mst_span_of(b.ptr, IMAGE_BYTES), 0644);
}

/* A manifest for it, by the factory's firmware signer; install severed where asked. */
static bool
sign(struct tale *t, int version, const char *sever)
{
	const char *image = lab_path(t->l, text(t, "depot/v%d.bin", version));
	const char *unsigned_ = lab_path(t->l, text(t, "m%d.unsigned", version));
	const char *description = arena_printf(t->l->c->a,
	    "sequence-number = %d\n"
	    "component \"image\" { id = { \"hex:00\" } }\n"
	    "shared = { \"override-parameters vendor-id=uuid:" VENDOR " class-id=uuid:" CLASS
	    " image-digest=file:%s image-size=file:%s\",\n"
	    "           \"vendor-identifier\", \"class-identifier\" }\n"
	    "install = { \"override-parameters uri=v%d.bin\", \"fetch\", \"image-match\" }\n"
	    "validate = { \"image-match\" }\n"
	    "%s",
	    version, image, image, version, sever);
	const char *name = text(t, "m%d.conf", version);
	const char *const create[] = { "muster", "fw", "create", lab_path(t->l, name), "--out",
		unsigned_, NULL };
	const char *const signs[] = { "muster", "fw", "sign", unsigned_, "--key",
		lab_path(t->l, "factory/firmware.key"), "--cert",
		lab_path(t->l, "factory/firmware.pem"), "--out",
		lab_path(t->l, text(t, "m%d.suit", version)), NULL };

	if (!put(t, name, mst_span_str(description), 0644))
		return false;
	return (lab_run(t->l, NULL, create) == 0 && lab_run(t->l, NULL, signs) == 0) ||
	       stop_with(t, "muster fw did not make the manifest; see lab.log");
}

/* What the server offers from now on. */
static bool
offer(struct tale *t, const char *envelope)
{
	mst_span bytes;

	return (file_read(t->l->c->a, lab_path(t->l, envelope), 1 << 20, &bytes) == MST_OK ||
	           stop_with(t, file_why())) &&
	       put(t, "depot/manifest.suit", bytes, 0644);
}

/* The agent's answer to a word; its output lies in NAME of the device's folder. */
static int
agent(struct tale *t, const char *output, const char *word)
{
	const char *const argv[] = { "muster-agent", "--config", t->config, word,
		strcmp(word, "settle") == 0 ? NULL : "--json", NULL };

	unlink(lab_path(t->l, output));
	return lab_run(t->l, output, argv);
}

/* The JSON object among the lines of a run's output. */
static json_t *
object_of(struct tale *t, const char *output)
{
	const char *s = lab_read(t->l, output), *end;
	json_t *j = NULL;

	for (; j == NULL && *s != '\0'; s = *end == '\0' ? end : end + 1) {
		end = s + strcspn(s, "\n");
		j = json_loadb(s, (size_t)(end - s), 0, NULL);
		if (j != NULL && json_object_get(j, "time") != NULL) { /* a line of the log */
			json_decref(j);
			j = NULL;
		}
	}
	return j;
}

/* Boot as a bootloader would: which slot, and as what. */
static bool
boot(struct tale *t, const char *kind, const char *first_word)
{
	char found[64] = "";
	json_t *j;
	bool ok;
	FILE *f;

	if (agent(t, "boot.out", "boot") != 0)
		return stop_with(t, "the boot selector found nothing to boot");
	j = object_of(t, "boot.out");
	ok = j != NULL && strcmp(json_string_value(json_object_get(j, "kind")), kind) == 0;
	if (ok && (f = fopen(json_string_value(json_object_get(j, "path")), "r")) != NULL) {
		if (fgets(found, sizeof found, f) == NULL)
			found[0] = '\0';
		(void)fclose(f);
	}
	found[strcspn(found, "\n")] = '\0';
	if (ok)
		t->say(0, "the boot selector: slot %s, %s: \"%s\"",
		    json_string_value(json_object_get(j, "slot")), kind, found);
	json_decref(j);
	return (ok && strncmp(found, first_word, strlen(first_word)) == 0) ||
	       stop_with(t, "another image was booted than should be");
}

static bool
installed(struct tale *t, const char *what)
{
	int64_t since = clock_mono_us();

	if (agent(t, "update.out", "update") != 0)
		return stop_with(t, "the update was not installed; see update.out");
	t->say(since, "%s", what);
	return true;
}

static bool
refused(struct tale *t, const char *what, const char *name)
{
	int code = agent(t, "update.out", "update");
	json_t *j = object_of(t, "update.out");
	const char *found = json_string_value(json_object_get(j, "name"));
	bool ok = code == CLI_REFUSED && found != NULL && strcmp(found, name) == 0;

	if (ok)
		t->say(0, "refused: %s: %s %s", what, json_string_value(json_object_get(j, "code")),
		    found);
	json_decref(j);
	return ok || stop_with(t, "a forged update was not refused by its name; see update.out");
}

/* One byte of the severed section: its digest stands in what was signed. */
static bool
tamper(struct tale *t, const char *from, const char *to)
{
	mst_span bytes;
	uint8_t *copy;
	size_t at;

	if (file_read(t->l->c->a, lab_path(t->l, from), 1 << 20, &bytes) != MST_OK)
		return stop_with(t, file_why());
	copy = arena_alloc(t->l->c->a, bytes.len);
	memcpy(copy, bytes.ptr, bytes.len);
	/* "v4.bin" occurs in the install section alone */
	for (at = 0; at + 6 <= bytes.len && memcmp(copy + at, "v4.bin", 6) != 0; at++)
		;
	if (at + 6 > bytes.len)
		return stop_with(t, "the severed section was not found");
	copy[at + 1] = '2';
	return put(t, to, mst_span_of(copy, bytes.len), 0644);
}

/* ---- the scene ---- */

static bool
set_up(struct tale *t)
{
	const char *name = arena_printf(t->l->c->a, "devices/%s/agent.conf", t->device);
	const char *health = arena_printf(
	    t->l->c->a, "#!/bin/sh\n! grep -q '^sick' '%s'\n", lab_path(t->l, "running-image"));
	const char *config;

	t->port = lab_port();
	config = arena_printf(t->l->c->a,
	    "%supdate {\n\tmanifest = \"https://127.0.0.1:%d/manifest.suit\"\n"
	    "\tslots = { \"slot-a.bin\", \"slot-b.bin\" }\n\tslot_size = 262144\n"
	    "\tvendor = \"" VENDOR "\"\n\tclass = \"" CLASS "\"\n"
	    "\thealth = \"%s\"\n\thealth_time = 20\n\tlink = \"%s\"\n}\n",
	    lab_read(t->l, name), t->port, lab_path(t->l, "healthy"),
	    lab_path(t->l, "running-image"));
	t->config = lab_path(t->l, name);
	return (mkdir(lab_path(t->l, "depot"), 0755) == 0 || stop_with(t, "no folder")) &&
	       put(t, name, mst_span_str(config), 0644) &&
	       put(t, "healthy", mst_span_str(health), 0755);
}

/* Files over TLS with the registrar's certificate, for devices with an LDevID alone. */
static bool
serve(struct tale *t)
{
	const char *const argv[] = { "env", "-C", lab_path(t->l, "depot"), "openssl", "s_server",
		"-quiet", "-WWW", "-accept", text(t, "127.0.0.1:%d", t->port), "-cert",
		lab_path(t->l, "site/registrar.pem"), "-key", lab_path(t->l, "site/registrar.key"),
		"-CAfile", lab_path(t->l, "site/ca.pem"), "-verify_return_error", "-Verify", "2",
		NULL };

	t->server = lab_spawn(t->l, "depot.log", argv);
	return t->server > 0 || stop_with(t, "no update server");
}

static bool
factory_image(struct tale *t)
{
	const char *slot = arena_printf(t->l->c->a, "devices/%s/slot-a.bin", t->device);
	const char *const format[] = { "muster-agent", "--config", t->config, "slot-format", "a",
		lab_path(t->l, "m1.suit"), NULL };
	mst_span image;

	return put_image(t, 1, "good") && sign(t, 1, "") &&
	       (file_read(t->l->c->a, lab_path(t->l, "depot/v1.bin"), 1 << 20, &image) == MST_OK ||
	           stop_with(t, file_why())) &&
	       put(t, slot, image, 0600) &&
	       (lab_run(t->l, "format.out", format) == 0 ||
	           stop_with(t, "the factory's image was refused; see format.out")) &&
	       boot(t, "confirmed", "good image, version 1");
}

static bool
good_version(struct tale *t)
{
	return put_image(t, 2, "good") && sign(t, 2, "") && offer(t, "m2.suit") &&
	       installed(t, "version 2: signer below the voucher anchor, fetched with the LDevID, "
	                    "read back, staged") &&
	       boot(t, "trial", "good image, version 2") && agent(t, "settle.out", "settle") == 0 &&
	       boot(t, "confirmed", "good image, version 2");
}

static bool
sick_version(struct tale *t)
{
	return put_image(t, 3, "sick") && sign(t, 3, "") && offer(t, "m3.suit") &&
	       installed(t, "version 3 is signed as well, but sick") &&
	       boot(t, "trial", "sick image, version 3") && agent(t, "settle.out", "settle") == 0 &&
	       boot(t, "confirmed", "good image, version 2");
}

static bool
forgeries(struct tale *t)
{
	return offer(t, "m1.suit") &&
	       refused(t, "version 1 again, a downgrade", "MST_E_SUIT_ROLLBACK") &&
	       put_image(t, 4, "good") && sign(t, 4, "sever = { install }\n") &&
	       tamper(t, "m4.suit", "m4.bent") && offer(t, "m4.bent") &&
	       refused(t, "version 4 with its severed install section altered",
	           "MST_E_SUIT_SEVERED_DIGEST") &&
	       boot(t, "confirmed", "good image, version 2");
}

bool
demo_update(struct lab *l, const char *device, say_fn say)
{
	struct tale t = { .l = l, .device = device, .say = say };
	bool ok = set_up(&t) && factory_image(&t) && serve(&t) && good_version(&t) &&
	          sick_version(&t) && forgeries(&t);

	if (t.server > 0) {
		(void)kill(t.server, SIGTERM);
		(void)lab_wait(t.server);
	}
	return ok;
}
