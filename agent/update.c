/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/update_room.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "crypto/openssl/suit_openssl.h"
#include "host/clock.h"
#include "host/cose_author.h"
#include "host/file.h"
#include "host/key.h"
#include "host/log.h"

#define PEM_MAX (256 * 1024)
#define KEY_MAX 4096

static _Thread_local char why[768];

const char *
update_why(void)
{
	return why;
}

mst_err
update_fail(mst_err e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(why, sizeof why, fmt, ap);
	va_end(ap);
	return e;
}

const struct mst_suit_refusal *
update_refusal(const struct update *u)
{
	return &u->suit.refusal;
}

/* ---- opening ---- */

static mst_err
read_factory_key(struct update *u, const char *path)
{
	struct cose_key key;
	mst_span bytes;
	mst_err e = file_read(u->life, path, KEY_MAX, &bytes);

	if (e != MST_OK)
		return update_fail(e, "%s: %s", path, file_why());
	if ((e = cose_key_decode(u->life, bytes, &key)) != MST_OK ||
	    (e = cose_key_row(u->life, &key, MST_SUIT_USE_SIGN_MANIFEST, UPDATE_MANUFACTURER,
	         &u->factory[u->factory_count])) != MST_OK)
		return update_fail(e, "%s: not a COSE_Key that verifies manifests", path);
	u->factory_count++;
	return MST_OK;
}

static mst_err
read_factory(struct update *u)
{
	const struct agent_update *c = &u->cfg->update;
	mst_span pem;
	mst_err e = file_read(u->life, c->anchors, PEM_MAX, &pem);

	if (e != MST_OK)
		return update_fail(e, "%s: %s", c->anchors, file_why());
	if ((e = anchors_new(pem, MST_NONE, &u->manufacturer)) != MST_OK)
		return update_fail(e, "%s: no certificate in PEM", c->anchors);
	/* it decrypts, which no boot needs: a token that is away must not keep an image from it */
	if ((u->no_device = key_open(u->cfg->idevid_key, &u->idevid_key)) != MST_OK) {
		u->idevid_key = NULL;
		log_line(LOG_WARNING_, "idevid_key: %s", key_why());
	}
	u->factory = arena_alloc(u->life, AGENT_FACTORY_KEYS_MAX * sizeof *u->factory);
	if (u->factory == NULL)
		return update_fail(MST_E_NOMEM, "out of memory");
	for (size_t i = 0; e == MST_OK && i < c->key_count; i++)
		e = read_factory_key(u, c->keys[i]);
	return e;
}

/* What is not self-signed among the anchors is a link between LDevID and anchor. */
static mst_err
take_site(struct update *u)
{
	if ((u->between = sk_X509_new_null()) == NULL)
		return MST_E_NOMEM;
	for (int i = 0; i < sk_X509_num(u->record.anchors); i++) {
		X509 *cert = sk_X509_value(u->record.anchors, i);

		if (X509_self_signed(cert, 0) == 1)
			continue;
		if (X509_up_ref(cert) != 1)
			return MST_E_NOMEM;
		if (sk_X509_push(u->between, cert) <= 0) {
			X509_free(cert);
			return MST_E_NOMEM;
		}
	}
	return anchors_from_stack(u->record.anchors, &u->site);
}

static mst_err
read_site(struct update *u)
{
	mst_err e = agent_record_read(u->cfg->state, &u->record);

	if (e == MST_E_NOT_FOUND) {
		u->record = (struct agent_record){ 0 };
		return MST_OK;
	}
	if (e != MST_OK)
		return update_fail(e, "state: %s", agent_store_why());
	return (e = take_site(u)) == MST_OK ? e : update_fail(e, "the site's anchors");
}

/* What is damaged of the site's costs updates; the image that runs needs none of it. */
static void
read_device(struct update *u)
{
	mst_err e = read_site(u);

	if (e == MST_OK)
		return;
	log_line(LOG_WARNING_, "%s", why);
	agent_record_wipe(&u->record);
	u->record = (struct agent_record){ 0 };
	anchors_free(u->site);
	u->site = NULL;
	u->no_device = e;
}

static struct mst_clock
clock_of(const struct agent_config *cfg)
{
	switch (cfg->clock) {
	case AGENT_CLOCK_TRUSTED: return clock_now();
	case AGENT_CLOCK_UNTRUSTED: return (struct mst_clock){ MST_CLOCK_UNTRUSTED, clock_wall() };
	case AGENT_CLOCK_NONE: break;
	}
	return (struct mst_clock){ MST_CLOCK_NONE, 0 };
}

mst_err
update_open(const struct agent_config *cfg, struct update **out)
{
	const struct agent_update *c = &cfg->update;
	struct update *u;
	mst_err e;

	if (!c->there)
		return update_fail(MST_E_USAGE, "the configuration has no section \"update\"");
	if ((u = calloc(1, sizeof *u)) == NULL)
		return update_fail(MST_E_NOMEM, "out of memory");
	u->cfg = cfg;
	u->slots.lock = u->slots.record_fd = u->slots.staging_fd = u->slots.fd[0] = u->slots.fd[1] =
	    -1;
	u->clock = clock_of(cfg);
	u->model = (struct update_model){
		.component = c->component, .staging = c->staging, .authorize = c->authorize
	};
	memcpy(u->model.vendor, c->vendor, UPDATE_UUID);
	memcpy(u->model.class_id, c->class_id, UPDATE_UUID);
	if ((u->life = arena_new(0)) == NULL) {
		e = update_fail(MST_E_NOMEM, "out of memory");
	} else if ((e = update_slots_open(&u->slots, u->life,
	                arena_printf(u->life, "%s/update", cfg->state), c->slot,
	                (uint64_t)c->slot_size)) != MST_OK) {
		update_fail(e, "%s", update_slots_why());
	} else if ((e = read_factory(u)) == MST_OK) {
		read_device(u);
	}
	if (e != MST_OK) {
		update_close(u);
		return e;
	}
	*out = u;
	return MST_OK;
}

void
update_close(struct update *u)
{
	if (u == NULL)
		return;
	update_slots_close(&u->slots);
	anchors_free(u->manufacturer);
	anchors_free(u->site);
	EVP_PKEY_free(u->idevid_key);
	agent_record_wipe(&u->record);
	sk_X509_pop_free(u->between, X509_free);
	arena_free(u->life);
	mst_wipe(u, sizeof *u);
	free(u);
}

/* ---- one envelope ---- */

/* No certificate's time counts: what was good when it was installed stays good. */
static struct mst_clock
timeless(void)
{
	return (struct mst_clock){ MST_CLOCK_NONE, 0 };
}

static void
set_rules(struct update *u, enum update_view view)
{
	uint32_t manufacturer = MST_SUIT_AUTHORITY_BIT(UPDATE_MANUFACTURER);
	uint32_t site = MST_SUIT_AUTHORITY_BIT(UPDATE_SITE);
	bool both = view == UPDATE_INSTALLS && u->cfg->update.both;

	u->rules = (struct mst_suit_rules){
		.signers = { .of = both ? manufacturer | site : manufacturer,
		    .need = both ? 2 : 1 },
		.dependency_signers = { .of = manufacturer, .need = 1 },
		.procedures = 1U << MST_SUIT_VALIDATION |
		              (view == UPDATE_INSTALLS ? 1U << MST_SUIT_UPDATE : 0),
		.domain = u->model.component,
	};
}

static mst_err
image_of(const struct update *u, struct mst_slot_image *image)
{
	struct mst_suit_digest_claim claim;
	mst_err e = mst_suit_digest_parse(u->envelope.digest, &claim);

	if (e != MST_OK)
		return e;
	if (claim.digest.len < MST_SLOT_DIGEST)
		return MST_E_SUIT_DIGEST_LENGTH;
	*image = (struct mst_slot_image){ .number = u->manifest.sequence_number };
	memcpy(image->digest, claim.digest.ptr, MST_SLOT_DIGEST);
	/* one pair of slots, one counter: no manifest-component-id chooses a fresh one */
	return update_identity(u->rules.domain, image);
}

mst_err
update_check(struct update *u, struct arena *a, mst_span bytes, unsigned slot,
    const struct update_client *client, const char *base, struct mst_slot_image *image)
{
	enum update_view view = client != NULL ? UPDATE_INSTALLS : UPDATE_JUDGES;
	const struct update_trust trust = { u->manufacturer, u->site,
		view == UPDATE_JUDGES ? timeless() : u->clock, u->factory, u->factory_count,
		{ u->idevid_key, u->record.key } };
	mst_err e, signer = MST_OK;

	set_rules(u, view);
	u->device = (struct update_device){ .model = &u->model,
		.slots = &u->slots,
		.slot = slot,
		.running = 1 - slot,
		.clock = u->clock,
		.client = client,
		.base = base,
		.trace = u->report == NULL ? NULL : update_report_event,
		.trace_arg = u->report };
	update_device_init(&u->device);
	u->suit = (struct mst_suit){ .platform = &u->device.platform,
		.crypto = suit_openssl(),
		.keys = &u->keys,
		.rules = &u->rules,
		.block = MST_BUF(u->block) };
	if ((e = mst_suit_envelope_parse(bytes, &u->envelope)) != MST_OK) {
		u->suit.refusal = (struct mst_suit_refusal){
			.err = e, .section = MST_SUIT_AT_ENVELOPE, .component = MST_SUIT_NO_INDEX
		};
		return update_fail(e, "the envelope");
	}
	if ((e = update_keys_make(a, &trust, &u->envelope, &u->keys, &signer)) != MST_OK)
		return update_fail(e, "out of memory");
	e = mst_suit_check(&u->suit, &u->envelope, &u->manifest);
	/* the block is of an unknown key because its certificate was no good: say that */
	if ((e == MST_E_COSE_KID || e == MST_E_SUIT_AUTH_POLICY) && signer != MST_OK)
		e = u->suit.refusal.err = signer;
	if (e == MST_OK)
		e = image_of(u, image);
	if (e != MST_OK)
		return update_fail(e, "section %d, offset %u: %s", (int)u->suit.refusal.section,
		    (unsigned)u->suit.refusal.offset, mst_err_info(e)->sentence);
	u->device.image = *image;
	return MST_OK;
}

mst_err
update_verify(void *ctx, unsigned slot, struct mst_slot_image *found)
{
	struct update *u = ctx;
	struct arena *a = arena_new(0);
	struct mst_slot_image image;
	mst_span bytes;
	mst_err e = a == NULL ? MST_E_NOMEM : update_envelope_read(&u->slots, a, slot, &bytes);

	if (e == MST_OK)
		e = update_check(u, a, bytes, slot, NULL, NULL, &image);
	if (e == MST_OK)
		e = mst_suit_run(&u->suit, &u->manifest, MST_SUIT_VALIDATION);
	if (e == MST_OK)
		*found = image;
	else
		log_line(LOG_WARNING_, "slot %c: %s %s", "ab"[slot], mst_err_info(e) -> code,
		    mst_err_info(e) -> sentence);
	arena_free(a);
	return e;
}

mst_err
update_format(struct update *u, unsigned slot, const char *envelope_path)
{
	struct mst_slot_image image;
	mst_span bytes;
	mst_err e = file_read(u->life, envelope_path, UPDATE_ENVELOPE, &bytes);

	if (e != MST_OK)
		return update_fail(e, "%s", file_why());
	if (u->slots.record.health != MST_E_SLOT_BLANK)
		return update_fail(MST_E_SLOT_EXISTS, "there is a record already");
	if ((e = update_envelope_write(&u->slots, slot, bytes)) != MST_OK)
		return update_fail(e, "%s", update_slots_why());
	if ((e = update_verify(u, slot, &image)) != MST_OK)
		return e;
	if ((e = mst_slots_format(&u->slots.record, slot, &image)) != MST_OK ||
	    (e = update_running_set(&u->slots, slot)) != MST_OK)
		return update_fail(e, "the record");
	return MST_OK;
}

/* ---- commands of the device ---- */

/*
 * Between fork and exec nothing but what is async-signal-safe. It has a group
 * of its own, so that whatever it started ends with it; standard output is this
 * program's answer and nobody else's.
 */
static void
become(const char *path, const char *argument)
{
	(void)setpgid(0, 0);
	(void)signal(SIGPIPE, SIG_DFL);
	if (dup2(STDERR_FILENO, STDOUT_FILENO) >= 0)
		execl(path, path, argument, (char *)NULL);
	_exit(127);
}

int
update_run(const char *path, const char *argument, int seconds)
{
	int64_t end = clock_mono() + seconds;
	pid_t child = fork();
	int status;

	if (child == 0)
		become(path, argument);
	while (child > 0) {
		pid_t done = waitpid(child, &status, WNOHANG);
		const struct timespec nap = { 0, 50000000 };

		if (done == child)
			return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
		if (done < 0 && errno != EINTR)
			return -1;
		if (clock_mono() >= end) {
			(void)kill(-child, SIGKILL);
			(void)kill(child, SIGKILL);
			(void)waitpid(child, &status, 0);
			return -1;
		}
		(void)nanosleep(&nap, NULL);
	}
	return -1;
}

void
update_restart(const struct agent_config *cfg)
{
	if (cfg->update.restart == NULL)
		log_line(LOG_INFO_, "restart this device: the next boot has another image");
	else if (update_run(cfg->update.restart, NULL, 60) != 0)
		log_line(LOG_ERROR_, "%s failed", cfg->update.restart);
}

/* ---- boot, trial, confirmation ---- */

static void
tell(const struct update *u, mst_err e, const char *detail)
{
	const struct decision d = {
		.role = "updater", .step = STEP_FIRMWARE, .err = e, .detail = detail
	};

	(void)u;
	log_decision(&d);
}

/* Of the name, too: what was booted by a link must not be another one after a cut. */
static void
sync_folder(struct arena *a, const char *path)
{
	char *copy = arena_str(a, mst_span_str(path));
	int fd = copy == NULL ? -1 : open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) != 0)
		log_line(LOG_WARNING_, "the folder of %s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

/* A link is replaced, never edited: it leads to one of the slots at any time. */
static mst_err
link_to(const struct update *u, unsigned slot)
{
	const struct agent_update *c = &u->cfg->update;
	const char *next = arena_printf(u->life, "%s.new", c->link);
	char there[PATH_MAX];
	ssize_t n = readlink(c->link, there, sizeof there);

	if (next == NULL)
		return MST_E_NOMEM;
	/* a full disk is no reason not to boot what is linked already */
	if (n >= 0 && mst_span_eq(mst_span_of(there, (size_t)n), mst_span_str(c->slot[slot])))
		return MST_OK;
	if (unlink(next) != 0 && errno != ENOENT)
		return MST_E_IO;
	if (symlink(c->slot[slot], next) != 0)
		return MST_E_IO;
	if (rename(next, c->link) != 0) {
		(void)unlink(next);
		return MST_E_IO;
	}
	sync_folder(u->life, c->link);
	return MST_OK;
}

mst_err
update_boot(struct update *u, struct mst_boot *out)
{
	static const char *const kinds[] = { "confirmed", "trial", "revert", "fallback" };
	mst_err e = mst_slots_boot(&u->slots.record, update_verify, u, out);

	if (e != MST_OK) {
		tell(u, e, "no slot has an image that verifies");
		return update_fail(e, "no slot has an image that verifies");
	}
	/*
	 * Noted for settle and for the next install; where it cannot be, no trial
	 * is confirmed, which is safe, and that is no reason to boot nothing.
	 */
	if (update_running_set(&u->slots, out->slot) != MST_OK)
		log_line(LOG_ERROR_, "%s", update_slots_why());
	if (u->cfg->update.link != NULL && (e = link_to(u, out->slot)) != MST_OK)
		return update_fail(e, "%s does not lead to the slot to boot", u->cfg->update.link);
	tell(u, MST_OK,
	    arena_printf(u->life, "boot slot %c, %s, number %llu", "ab"[out->slot],
	        kinds[out->kind], (unsigned long long)out -> image.number));
	return MST_OK;
}

mst_err
update_confirm(struct update *u)
{
	unsigned running = update_running(&u->slots);
	struct arena *a = arena_new(0);
	struct mst_slot_image image;
	mst_span bytes;
	mst_err e = a == NULL ? MST_E_NOMEM : MST_OK;

	if (running == MST_SLOT_NONE)
		e = update_fail(MST_E_SLOT_STATE, "nobody said which slot was booted");
	if (e == MST_OK)
		e = update_envelope_read(&u->slots, a, running, &bytes);
	if (e == MST_OK)
		e = update_check(u, a, bytes, running, NULL, NULL, &image);
	/* sheet 13.2: validates once more, then the numbers advance */
	if (e == MST_OK)
		e = mst_suit_confirm(&u->suit, &u->manifest);
	arena_free(a);
	tell(u, e, e == MST_OK ? "the image on trial is confirmed" : "it was not confirmed");
	return e;
}

mst_err
update_revert(struct update *u)
{
	mst_err e = mst_slots_revert(&u->slots.record);

	tell(u, e == MST_OK ? MST_E_UPDATE_HEALTH : e, "the image on trial is given up");
	return e;
}

mst_err
update_settle(struct update *u, enum update_settled *how)
{
	const struct agent_update *c = &u->cfg->update;
	mst_err e;

	*how = UPDATE_QUIET;
	if (u->slots.record.boot.state != MST_SLOT_TRIAL || c->health == NULL ||
	    update_running(&u->slots) != u->slots.record.boot.trial)
		return MST_OK;
	if (update_run(c->health, NULL, c->health_time) == 0 && update_confirm(u) == MST_OK) {
		*how = UPDATE_CONFIRMED;
		return MST_OK;
	}
	if ((e = update_revert(u)) == MST_OK)
		*how = UPDATE_REVERTED;
	return e;
}
