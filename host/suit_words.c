/* SPDX-License-Identifier: Apache-2.0 */
#include "host/suit_words.h"

#include <string.h>

#define M "suit-manifest "
#define TD "suit-trust-domains "
#define UM "suit-update-management "
#define FE "suit-firmware-encryption "
#define RP "suit-report "

static const struct suit_word envelope[] = {
	{ 2, "authentication-wrapper", SUIT_VALUE_BYTES, M "8.3", "digest and signatures" },
	{ 3, "manifest", SUIT_VALUE_BYTES, M "8.4", "what is signed" },
	{ 14, "coswid", SUIT_VALUE_COSWID, UM "3.2", "software identity, severable" },
	{ 15, "dependency-resolution", SUIT_VALUE_SEQUENCE, TD "5.5", "severed sequence" },
	{ 16, "payload-fetch", SUIT_VALUE_SEQUENCE, M "8.4.12", "severed sequence" },
	{ 18, "candidate-verification", SUIT_VALUE_SEQUENCE, TD "7.1", "severed sequence" },
	{ 20, "install", SUIT_VALUE_SEQUENCE, M "8.4.12", "severed sequence" },
	{ 23, "text", SUIT_VALUE_TEXTS, M "8.4.4", "severed text" },
};

static const struct suit_word manifest[] = {
	{ 1, "manifest-version", SUIT_VALUE_UINT, M "8.4.1", "of the format" },
	{ 2, "sequence-number", SUIT_VALUE_UINT, M "8.4.2", "devices never go back below it" },
	{ 3, "common", SUIT_VALUE_COMMON, M "8.4.5", "components, dependencies, shared sequence" },
	{ 4, "reference-uri", SUIT_VALUE_TEXT, M "8.4.3", "where the full manifest is" },
	{ 5, "manifest-component-id", SUIT_VALUE_ID, TD "5.2.1", "where a root manifest is kept" },
	{ 6, "set-version", SUIT_VALUE_VERSIONS, UM "3.1", "of the set of components" },
	{ 7, "validate", SUIT_VALUE_SEQUENCE, M "8.4.6", "is what is installed right?" },
	{ 8, "load", SUIT_VALUE_SEQUENCE, M "8.4.6", "make it ready to run" },
	{ 9, "invoke", SUIT_VALUE_SEQUENCE, M "8.4.6", "run it" },
	{ 14, "coswid", SUIT_VALUE_COSWID, UM "3.2", "software identity" },
	{ 15, "dependency-resolution", SUIT_VALUE_SEQUENCE, TD "5.5", "get the dependencies" },
	{ 16, "payload-fetch", SUIT_VALUE_SEQUENCE, M "8.4.6", "get the payloads" },
	{ 18, "candidate-verification", SUIT_VALUE_SEQUENCE, TD "7.1",
	    "is what was fetched right?" },
	{ 20, "install", SUIT_VALUE_SEQUENCE, M "8.4.6", "put it in its place" },
	{ 23, "text", SUIT_VALUE_TEXTS, M "8.4.4", "for people; devices do not read it" },
	{ 24, "uninstall", SUIT_VALUE_SEQUENCE, TD "6", "take it away" },
};

static const struct suit_word common[] = {
	{ 1, "dependencies", SUIT_VALUE_BYTES, TD "5.2.2", "other manifests this one needs" },
	{ 2, "components", SUIT_VALUE_BYTES, M "8.4.5", "what it is about" },
	{ 4, "shared-sequence", SUIT_VALUE_SEQUENCE, M "8.4.5", "runs before each section" },
};

static const struct suit_word command[] = {
	{ 1, "vendor-identifier", SUIT_VALUE_POLICY, M "8.4.9.1",
	    "the device is of the vendor of parameter vendor-id" },
	{ 2, "class-identifier", SUIT_VALUE_POLICY, M "8.4.9.1",
	    "the device is of the class of parameter class-id" },
	{ 3, "image-match", SUIT_VALUE_POLICY, M "8.4.9.2",
	    "the component holds what image-digest says" },
	{ 4, "use-before", SUIT_VALUE_POLICY, UM "5.1", "it is earlier than parameter use-before" },
	{ 5, "component-slot", SUIT_VALUE_POLICY, M "8.4.9.4",
	    "the component is in the slot of parameter component-slot" },
	{ 6, "check-content", SUIT_VALUE_POLICY, M "8.4.9.3",
	    "the component holds the bytes of parameter content" },
	{ 7, "dependency-integrity", SUIT_VALUE_POLICY, TD "5.6.4",
	    "the dependency is authentic and the one of image-digest" },
	{ 8, "is-dependency", SUIT_VALUE_POLICY, TD "5.6.3", "the component is a dependency" },
	{ 11, "process-dependency", SUIT_VALUE_POLICY, TD "5.6.2",
	    "run the same section of the dependency" },
	{ 12, "set-component-index", SUIT_VALUE_INDEX, M "8.4.10.1",
	    "what follows is about these components" },
	{ 14, "abort", SUIT_VALUE_POLICY, M "8.4.9.5", "fails always" },
	{ 15, "try-each", SUIT_VALUE_TRY, M "8.4.10.2", "the first of these that does not fail" },
	{ 18, "write", SUIT_VALUE_POLICY, M "8.4.10.6",
	    "put parameter content into the component" },
	{ 19, "set-parameters", SUIT_VALUE_PARAMETERS, TD "5.6.1",
	    "set those that are not yet set" },
	{ 20, "override-parameters", SUIT_VALUE_PARAMETERS, M "8.4.10.3", "set parameters" },
	{ 21, "fetch", SUIT_VALUE_POLICY, M "8.4.10.4", "get parameter uri into the component" },
	{ 22, "copy", SUIT_VALUE_POLICY, M "8.4.10.5",
	    "put the component of source-component into this one" },
	{ 23, "invoke", SUIT_VALUE_POLICY, M "8.4.10.7", "run the component" },
	{ 24, "device-identifier", SUIT_VALUE_POLICY, M "8.4.9.1",
	    "the device is the one of parameter device-id" },
	{ 25, "image-not-match", SUIT_VALUE_POLICY, UM "5.2",
	    "the component does not hold what image-digest says" },
	{ 26, "minimum-battery", SUIT_VALUE_POLICY, UM "5.3", "there is that much energy" },
	{ 27, "update-authorized", SUIT_VALUE_POLICY, UM "5.4", "the application allows it" },
	{ 28, "version", SUIT_VALUE_POLICY, UM "5.5", "the component's version compares so" },
	{ 29, "wait", SUIT_VALUE_POLICY, UM "5.6", "until the events of wait-info" },
	{ 31, "swap", SUIT_VALUE_POLICY, M "8.4.10.9", "exchange with source-component" },
	{ 32, "run-sequence", SUIT_VALUE_SEQUENCE, M "8.4.10.8", "a sequence of its own" },
	{ 33, "unlink", SUIT_VALUE_POLICY, TD "5.6.5", "one reference to the component less" },
	{ 34, "override-multiple", SUIT_VALUE_MULTIPLE, UM "5.7",
	    "parameters of several components" },
	{ 35, "copy-params", SUIT_VALUE_COPY_PARAMS, UM "5.8", "parameters of another component" },
};

static const struct suit_word parameter[] = {
	{ 1, "vendor-id", SUIT_VALUE_UUID, M "8.4.8.3", "vendor, a UUID" },
	{ 2, "class-id", SUIT_VALUE_UUID, M "8.4.8.4", "class of devices, a UUID" },
	{ 3, "image-digest", SUIT_VALUE_DIGEST, M "8.4.8.6", "of the component's content" },
	{ 4, "use-before", SUIT_VALUE_UINT, UM "4.1", "seconds since 1970" },
	{ 5, "component-slot", SUIT_VALUE_UINT, M "8.4.8.8", "A/B slot" },
	{ 12, "strict-order", SUIT_VALUE_BOOL, M "8.4.8.14", "one command after the other" },
	{ 13, "soft-failure", SUIT_VALUE_BOOL, M "8.4.8.15",
	    "a failure does not end the sequence around" },
	{ 14, "image-size", SUIT_VALUE_UINT, M "8.4.8.7", "bytes" },
	{ 18, "content", SUIT_VALUE_BYTES, M "8.4.8.9", "a small content itself" },
	{ 19, "encryption-info", SUIT_VALUE_ENCRYPTION, FE "4", "how to decrypt" },
	{ 21, "uri", SUIT_VALUE_TEXT, M "8.4.8.10",
	    "where the payload is; '#' is in the envelope" },
	{ 22, "source-component", SUIT_VALUE_COMPONENT, M "8.4.8.11", "index of the source" },
	{ 23, "invoke-args", SUIT_VALUE_BYTES, M "8.4.8.12", "arguments of what is run" },
	{ 24, "device-id", SUIT_VALUE_UUID, M "8.4.8.5", "one device, a UUID" },
	{ 25, "fetch-arguments", SUIT_VALUE_BYTES, M "8.4.8.13", "for whoever fetches" },
	{ 26, "minimum-battery", SUIT_VALUE_UINT, UM "4.2", "mWh" },
	{ 27, "update-priority", SUIT_VALUE_INT, UM "4.3", "smaller is more urgent" },
	{ 28, "version", SUIT_VALUE_VERSION, UM "4.4", "comparison and version" },
	{ 29, "wait-info", SUIT_VALUE_WAIT, UM "4.5", "events to wait for" },
	{ 30, "component-metadata", SUIT_VALUE_METADATA, UM "4.6", "permissions and the like" },
};

static const struct suit_word texts[] = {
	{ 1, "manifest-description", SUIT_VALUE_TEXT, M "8.4.4", NULL },
	{ 2, "update-description", SUIT_VALUE_TEXT, M "8.4.4", NULL },
	{ 3, "json-source", SUIT_VALUE_TEXT, M "8.4.4", NULL },
	{ 4, "yaml-source", SUIT_VALUE_TEXT, M "8.4.4", NULL },
};

static const struct suit_word component_texts[] = {
	{ 1, "vendor-name", SUIT_VALUE_TEXT, M "8.4.4", NULL },
	{ 2, "model-name", SUIT_VALUE_TEXT, M "8.4.4", NULL },
	{ 3, "vendor-domain", SUIT_VALUE_TEXT, M "8.4.4", NULL },
	{ 4, "model-info", SUIT_VALUE_TEXT, M "8.4.4", NULL },
	{ 5, "component-description", SUIT_VALUE_TEXT, M "8.4.4", NULL },
	{ 6, "component-version", SUIT_VALUE_TEXT, M "8.4.4", NULL },
	{ 7, "version-required", SUIT_VALUE_TEXT, UM "3.3", NULL },
	{ 8, "current-version", SUIT_VALUE_TEXT, UM "3.4", NULL },
};

static const struct suit_word digests[] = {
	{ -16, "sha-256", SUIT_VALUE_BYTES, "RFC 9054 3.1", NULL },
	{ -18, "shake128", SUIT_VALUE_BYTES, "RFC 9054 3.3", NULL },
	{ -43, "sha-384", SUIT_VALUE_BYTES, "RFC 9054 3.1", NULL },
	{ -44, "sha-512", SUIT_VALUE_BYTES, "RFC 9054 3.1", NULL },
	{ -45, "shake256", SUIT_VALUE_BYTES, "RFC 9054 3.3", NULL },
};

static const struct suit_word algorithms[] = {
	{ -7, "es256", SUIT_VALUE_BYTES, "RFC 9053 2.1", NULL },
	{ -8, "eddsa", SUIT_VALUE_BYTES, "RFC 9053 2.2", NULL },
	{ -9, "esp256", SUIT_VALUE_BYTES, "RFC 9864 2", NULL },
	{ -19, "ed25519", SUIT_VALUE_BYTES, "RFC 9864 2", NULL },
	{ -35, "es384", SUIT_VALUE_BYTES, "RFC 9053 2.1", NULL },
	{ -36, "es512", SUIT_VALUE_BYTES, "RFC 9053 2.1", NULL },
	{ -46, "hss-lms", SUIT_VALUE_BYTES, "RFC 8778 4", NULL },
	{ -51, "esp384", SUIT_VALUE_BYTES, "RFC 9864 2", NULL },
	{ -52, "esp512", SUIT_VALUE_BYTES, "RFC 9864 2", NULL },
	{ 5, "hmac-256", SUIT_VALUE_BYTES, "RFC 9053 3.1", NULL },
	{ 6, "hmac-384", SUIT_VALUE_BYTES, "RFC 9053 3.1", NULL },
	{ 7, "hmac-512", SUIT_VALUE_BYTES, "RFC 9053 3.1", NULL },
	{ -3, "a128kw", SUIT_VALUE_BYTES, "RFC 9053 6.2.1", NULL },
	{ -4, "a192kw", SUIT_VALUE_BYTES, "RFC 9053 6.2.1", NULL },
	{ -5, "a256kw", SUIT_VALUE_BYTES, "RFC 9053 6.2.1", NULL },
	{ -6, "direct", SUIT_VALUE_BYTES, "RFC 9053 6.1.1", NULL },
	{ -29, "ecdh-es+a128kw", SUIT_VALUE_BYTES, "RFC 9053 6.4.1", NULL },
	{ 1, "a128gcm", SUIT_VALUE_BYTES, "RFC 9053 4.1", NULL },
	{ 3, "a256gcm", SUIT_VALUE_BYTES, "RFC 9053 4.1", NULL },
	{ 24, "chacha20-poly1305", SUIT_VALUE_BYTES, "RFC 9053 4.3", NULL },
	{ -65534, "a128ctr", SUIT_VALUE_BYTES, "RFC 9459 4", NULL },
	{ -65533, "a192ctr", SUIT_VALUE_BYTES, "RFC 9459 4", NULL },
	{ -65532, "a256ctr", SUIT_VALUE_BYTES, "RFC 9459 4", NULL },
};

static const struct suit_word report[] = {
	{ 2, "nonce", SUIT_VALUE_BYTES, RP "4", "answers whoever asked for the report" },
	{ 3, "records", SUIT_VALUE_BYTES, RP "4", "what was measured, in order" },
	{ 4, "result", SUIT_VALUE_BYTES, RP "4", "true, or what failed" },
	{ 8, "capability-report", SUIT_VALUE_BYTES, RP "6", "what the device can do" },
	{ 99, "reference", SUIT_VALUE_BYTES, RP "4", "which manifest" },
};

static const struct suit_word reasons[] = {
	{ 0, "ok", SUIT_VALUE_UINT, RP "4", NULL },
	{ 1, "cbor-parse", SUIT_VALUE_UINT, RP "4", NULL },
	{ 2, "cose-unsupported", SUIT_VALUE_UINT, RP "4", NULL },
	{ 3, "alg-unsupported", SUIT_VALUE_UINT, RP "4", NULL },
	{ 4, "unauthorised", SUIT_VALUE_UINT, RP "4", NULL },
	{ 5, "command-unsupported", SUIT_VALUE_UINT, RP "4", NULL },
	{ 6, "component-unsupported", SUIT_VALUE_UINT, RP "4", NULL },
	{ 7, "component-unauthorised", SUIT_VALUE_UINT, RP "4", NULL },
	{ 8, "parameter-unsupported", SUIT_VALUE_UINT, RP "4", NULL },
	{ 9, "severing-unsupported", SUIT_VALUE_UINT, RP "4", NULL },
	{ 10, "condition-failed", SUIT_VALUE_UINT, RP "4", NULL },
	{ 11, "operation-failed", SUIT_VALUE_UINT, RP "4", NULL },
	{ 12, "invoke-pending", SUIT_VALUE_UINT, RP "4", NULL },
};

static const struct suit_word waits[] = {
	{ 1, "authorization", SUIT_VALUE_INT, UM "4.5", NULL },
	{ 2, "power", SUIT_VALUE_INT, UM "4.5", NULL },
	{ 3, "network", SUIT_VALUE_INT, UM "4.5", NULL },
	{ 4, "other-device-version", SUIT_VALUE_BYTES, UM "4.5", NULL },
	{ 5, "time", SUIT_VALUE_UINT, UM "4.5", NULL },
	{ 6, "time-of-day", SUIT_VALUE_UINT, UM "4.5", NULL },
	{ 7, "day-of-week", SUIT_VALUE_UINT, UM "4.5", NULL },
	{ 8, "time-of-day-utc", SUIT_VALUE_UINT, UM "4.5", NULL },
	{ 9, "day-of-week-utc", SUIT_VALUE_UINT, UM "4.5", NULL },
};

#define LIST(array)                                                                                \
	{                                                                                          \
		array, sizeof(array) / sizeof((array)[0])                                          \
	}
static const struct {
	const struct suit_word *rows;
	size_t count;
} lists[SUIT_LISTS] = {
	[SUIT_LIST_ENVELOPE] = LIST(envelope),
	[SUIT_LIST_MANIFEST] = LIST(manifest),
	[SUIT_LIST_COMMON] = LIST(common),
	[SUIT_LIST_COMMAND] = LIST(command),
	[SUIT_LIST_PARAMETER] = LIST(parameter),
	[SUIT_LIST_TEXT] = LIST(texts),
	[SUIT_LIST_COMPONENT_TEXT] = LIST(component_texts),
	[SUIT_LIST_DIGEST] = LIST(digests),
	[SUIT_LIST_ALGORITHM] = LIST(algorithms),
	[SUIT_LIST_REPORT] = LIST(report),
	[SUIT_LIST_REASON] = LIST(reasons),
	[SUIT_LIST_WAIT] = LIST(waits),
};

const struct suit_word *
suit_words(enum suit_list list, size_t *count)
{
	*count = lists[list].count;
	return lists[list].rows;
}

const struct suit_word *
suit_word(enum suit_list list, int64_t number)
{
	for (size_t i = 0; i < lists[list].count; i++)
		if (lists[list].rows[i].number == number)
			return &lists[list].rows[i];
	return NULL;
}

const struct suit_word *
suit_word_find(enum suit_list list, mst_span name)
{
	for (size_t i = 0; i < lists[list].count; i++)
		if (mst_span_eq(mst_span_str(lists[list].rows[i].name), name))
			return &lists[list].rows[i];
	return NULL;
}

bool
suit_is_condition(int64_t code)
{
	return (code >= 1 && code <= 8) || code == 14 || (code >= 24 && code <= 28);
}

bool
suit_is_severable(int64_t key)
{
	return key == 14 || key == 15 || key == 16 || key == 18 || key == 20 || key == 23;
}

bool
suit_is_section(int64_t key)
{
	return (key >= 7 && key <= 9) || key == 15 || key == 16 || key == 18 || key == 20 ||
	       key == 24;
}
