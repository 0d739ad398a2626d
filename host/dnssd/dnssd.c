/* SPDX-License-Identifier: Apache-2.0 */
#include "host/dnssd/dnssd.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <avahi-common/alternative.h>
#include <avahi-common/domain.h>
#include <avahi-common/error.h>
#include <avahi-common/malloc.h>
#include <avahi-common/strlst.h>
#include <avahi-common/thread-watch.h>
#include <avahi-common/timeval.h>
#include <avahi-core/core.h>
#include <avahi-core/log.h>
#include <avahi-core/lookup.h>
#include <avahi-core/publish.h>

#include "host/log.h"

/* A link full of made-up services must not fill memory. */
#define FOUND_MAX 256
/* Addresses of this host that are published; looked at again after so many milliseconds. */
#define PLACES_MAX 64
#define REFRESH_MS 3000

/* Where a service can be reached: an address of a family that is not there is no use to anyone. */
struct reach {
	bool v4, v6;
	bool one; /* at this address only */
	AvahiAddress address;
};

struct service {
	struct service *next;
	struct dnssd *d;
	char *name, *type;
	uint16_t port;
	struct reach reach;
	AvahiStringList *txt;
	AvahiSEntryGroup *group;
};

struct browser {
	struct browser *next;
	struct dnssd *d;
	char *type;
	dnssd_fn fn;
	void *arg;
	AvahiSServiceBrowser *browser;
};

struct found {
	struct found *next;
	struct browser *b;
	AvahiIfIndex interface;
	AvahiProtocol protocol;
	char *name, *domain;
	AvahiSServiceResolver *resolver; /* NULL once it has answered */
	char address[AVAHI_ADDRESS_STR_MAX + IF_NAMESIZE + 1]; /* "" before that */
	uint16_t port;
};

struct place {
	AvahiIfIndex interface;
	AvahiAddress address;
};

/* Everything is touched under the poll's lock, which its callbacks hold. */
struct dnssd {
	AvahiThreadedPoll *poll;
	AvahiServer *server;
	int running;
	struct service *services;
	struct browser *browsers;
	struct found *found;
	size_t found_count;
	/* What the host name stands for; kept only while something is published. */
	struct place place[PLACES_MAX];
	size_t places;
	AvahiSEntryGroup *addresses;
	AvahiTimeout *timer;
};

static _Thread_local char why[256];

const char *
dnssd_why(void)
{
	return why;
}

static mst_err
fail(const char *what, int avahi_error)
{
	snprintf(why, sizeof(why), "%s: %s", what, avahi_strerror(avahi_error));
	switch (avahi_error) {
	case AVAHI_ERR_NO_MEMORY: return MST_E_NOMEM;
	case AVAHI_ERR_INVALID_SERVICE_TYPE:
	case AVAHI_ERR_INVALID_SERVICE_NAME:
	case AVAHI_ERR_INVALID_PORT:
	case AVAHI_ERR_INVALID_ARGUMENT:
	case AVAHI_ERR_INVALID_DOMAIN_NAME:
	case AVAHI_ERR_INVALID_KEY: return MST_E_USAGE;
	default: return MST_E_IO;
	}
}

/* Avahi's own words join ours, below the level that matters to anyone but us. */
static void
on_log(AvahiLogLevel level, const char *text)
{
	log_line(level <= AVAHI_LOG_ERROR ? LOG_WARNING_ : LOG_DEBUG_, "mdns: %s", text);
}

/* Not the machine's name: that one may be answered for by avahi-daemon, and tells who we are. */
static void
host_name(char out[32])
{
	uint32_t r = 0;

	if (getrandom(&r, sizeof(r), 0) != (ssize_t)sizeof(r))
		r = (uint32_t)rand(); /* only uniqueness: a collision is resolved below */
	snprintf(out, 32, "muster-%08x", r);
}

/* ---- addresses ---- */

static int
place_of(const struct ifaddrs *i, struct place *out)
{
	struct place p;

	memset(&p, 0, sizeof(p)); /* compared as bytes */
	p.interface = (AvahiIfIndex)if_nametoindex(i->ifa_name);
	if (i->ifa_addr == NULL || (i->ifa_flags & IFF_UP) == 0 || p.interface <= 0)
		return -1;
	if (i->ifa_addr->sa_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, i->ifa_addr, sizeof(in));
		p.address.proto = AVAHI_PROTO_INET;
		p.address.data.ipv4.address = in.sin_addr.s_addr;
	} else if (i->ifa_addr->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, i->ifa_addr, sizeof(in6));
		p.address.proto = AVAHI_PROTO_INET6;
		memcpy(p.address.data.ipv6.address, &in6.sin6_addr, 16);
	} else {
		return -1;
	}
	*out = p;
	return 0;
}

static bool
reaches(const struct reach *r, const AvahiAddress *a)
{
	if (r->one)
		return avahi_address_cmp(&r->address, a) == 0;
	return a->proto == AVAHI_PROTO_INET ? r->v4 : r->v6;
}

static bool
is_announced(const struct dnssd *d, const AvahiAddress *a)
{
	for (const struct service *v = d->services; v != NULL; v = v->next)
		if (reaches(&v->reach, a))
			return true;
	return false;
}

static size_t
places_now(const struct dnssd *d, struct place out[PLACES_MAX])
{
	struct ifaddrs *list = NULL;
	size_t n = 0;

	memset(out, 0, PLACES_MAX * sizeof(*out));
	if (getifaddrs(&list) != 0)
		return 0;
	for (struct ifaddrs *i = list; i != NULL && n < PLACES_MAX; i = i->ifa_next)
		if (place_of(i, &out[n]) == 0 && is_announced(d, &out[n].address))
			n++;
	freeifaddrs(list);
	if (n < PLACES_MAX) /* what was read and is not announced */
		memset(&out[n], 0, sizeof(out[n]));
	return n;
}

static void
on_addresses(AvahiServer *s, AvahiSEntryGroup *g, AvahiEntryGroupState state, void *arg)
{
	char name[32];

	(void)g;
	(void)arg;
	host_name(name);
	if (state == AVAHI_ENTRY_GROUP_COLLISION)
		(void)avahi_server_set_host_name(s, name); /* RUNNING follows and registers anew */
}

static int
addresses_register(struct dnssd *d, AvahiServer *s)
{
	int e = 0;

	if (d->addresses == NULL &&
	    (d->addresses = avahi_s_entry_group_new(s, on_addresses, d)) == NULL)
		return avahi_server_errno(s);
	avahi_s_entry_group_reset(d->addresses);
	for (size_t i = 0; i < d->places && e >= 0; i++)
		e = avahi_server_add_address(s, d->addresses, d->place[i].interface,
		    d->place[i].address.proto, AVAHI_PUBLISH_NO_REVERSE, NULL,
		    &d->place[i].address);
	return e < 0 ? e : avahi_s_entry_group_commit(d->addresses);
}

enum refresh { IF_CHANGED, ANYHOW };

/*
 * Publish this host's addresses, each on its interface. Avahi would do that by
 * itself, but with reverse records, which are unique to an address: two
 * responders on one host would drive each other's host name out for ever.
 */
static void
addresses_refresh(struct dnssd *d, AvahiServer *s, enum refresh how)
{
	struct place now[PLACES_MAX];
	size_t n = places_now(d, now);
	int e;

	if (how == IF_CHANGED && n == d->places && memcmp(now, d->place, sizeof(now)) == 0)
		return;
	memcpy(d->place, now, sizeof(now));
	d->places = n;
	if ((e = addresses_register(d, s)) < 0) {
		d->places = 0; /* try again at the next tick */
		log_line(LOG_WARNING_, "mdns: addresses are not announced: %s", avahi_strerror(e));
	}
}

static void
on_tick(AvahiTimeout *t, void *arg)
{
	struct dnssd *d = arg;
	struct timeval tv;

	if (d->running)
		addresses_refresh(d, d->server, IF_CHANGED);
	avahi_elapse_time(&tv, REFRESH_MS, 0);
	avahi_threaded_poll_get(d->poll)->timeout_update(t, &tv);
}

static int
addresses_start(struct dnssd *d, AvahiServer *s)
{
	const AvahiPoll *api = avahi_threaded_poll_get(d->poll);
	struct timeval tv;

	if (d->timer != NULL) {
		addresses_refresh(d, s, IF_CHANGED); /* this service may be reached elsewhere */
		return 0;
	}
	avahi_elapse_time(&tv, REFRESH_MS, 0);
	if ((d->timer = api->timeout_new(api, &tv, on_tick, d)) == NULL)
		return AVAHI_ERR_NO_MEMORY;
	addresses_refresh(d, s, ANYHOW);
	return 0;
}

/* ---- publishing ---- */

static void on_group(AvahiServer *s, AvahiSEntryGroup *g, AvahiEntryGroupState state, void *arg);

/* The link of the one address it listens on. */
static AvahiIfIndex
link_of(const struct service *v)
{
	for (size_t i = 0; v->reach.one && i < v->d->places; i++)
		if (avahi_address_cmp(&v->d->place[i].address, &v->reach.address) == 0)
			return v->d->place[i].interface;
	return AVAHI_IF_UNSPEC;
}

static AvahiProtocol
family_of(const struct service *v)
{
	return v->reach.v4 && v->reach.v6 ? AVAHI_PROTO_UNSPEC
	       : v->reach.v4              ? AVAHI_PROTO_INET
	                                  : AVAHI_PROTO_INET6;
}

static int
service_register(struct service *v, AvahiServer *s)
{
	int e = addresses_start(v->d, s);

	if (e < 0)
		return e;
	if (v->group == NULL && (v->group = avahi_s_entry_group_new(s, on_group, v)) == NULL)
		return avahi_server_errno(s);
	avahi_s_entry_group_reset(v->group);
	/* A family's services are told over that family, where their addresses are asked for. */
	e = avahi_server_add_service_strlst(s, v->group, link_of(v), family_of(v), 0, v->name,
	    v->type, NULL, NULL, v->port, v->txt);
	return e < 0 ? e : avahi_s_entry_group_commit(v->group);
}

static int
service_rename(struct service *v)
{
	char *other = avahi_alternative_service_name(v->name);

	if (other == NULL)
		return AVAHI_ERR_NO_MEMORY;
	avahi_free(v->name);
	v->name = other;
	return 0;
}

/* Register, under another name as long as this process itself has taken it. */
static int
service_start(struct service *v, AvahiServer *s)
{
	int e = service_register(v, s);

	for (int i = 0; i < 16 && e == AVAHI_ERR_COLLISION; i++)
		if ((e = service_rename(v)) == 0)
			e = service_register(v, s);
	return e;
}

static void
on_group(AvahiServer *s, AvahiSEntryGroup *g, AvahiEntryGroupState state, void *arg)
{
	struct service *v = arg;
	int e = 0;

	(void)g;
	switch (state) {
	case AVAHI_ENTRY_GROUP_COLLISION: /* RFC 6762 9 */
		if ((e = service_rename(v)) == 0)
			e = service_start(v, s);
		break;
	case AVAHI_ENTRY_GROUP_FAILURE: e = avahi_server_errno(s); break;
	case AVAHI_ENTRY_GROUP_ESTABLISHED:
		log_line(LOG_INFO_, "mdns: announced %s as \"%s\"", v->type, v->name);
		break;
	case AVAHI_ENTRY_GROUP_UNCOMMITED:
	case AVAHI_ENTRY_GROUP_REGISTERING: break;
	}
	if (e < 0)
		log_line(LOG_ERROR_, "mdns: %s is not announced: %s", v->type, avahi_strerror(e));
}

static void
on_server(AvahiServer *s, AvahiServerState state, void *arg)
{
	struct dnssd *d = arg;
	char name[32];
	int e;

	d->running = state == AVAHI_SERVER_RUNNING;
	switch (state) {
	case AVAHI_SERVER_RUNNING:
		if (d->timer != NULL)
			addresses_refresh(d, s, ANYHOW);
		for (struct service *v = d->services; v != NULL; v = v->next)
			if ((e = service_start(v, s)) < 0)
				log_line(LOG_ERROR_, "mdns: %s is not announced: %s", v->type,
				    avahi_strerror(e));
		break;
	case AVAHI_SERVER_COLLISION:
		host_name(name);
		if ((e = avahi_server_set_host_name(s, name)) < 0)
			log_line(LOG_ERROR_, "mdns: no host name: %s", avahi_strerror(e));
		break;
	case AVAHI_SERVER_REGISTERING:
		/* Records with the old host name must not linger. */
		if (d->addresses != NULL)
			avahi_s_entry_group_reset(d->addresses);
		for (struct service *v = d->services; v != NULL; v = v->next)
			if (v->group != NULL)
				avahi_s_entry_group_reset(v->group);
		break;
	case AVAHI_SERVER_FAILURE:
		log_line(LOG_ERROR_, "mdns: %s", avahi_strerror(avahi_server_errno(s)));
		break;
	case AVAHI_SERVER_INVALID: break;
	}
}

static void
service_free(struct service *v)
{
	if (v == NULL)
		return;
	if (v->group != NULL)
		avahi_s_entry_group_free(v->group);
	avahi_string_list_free(v->txt);
	avahi_free(v->name);
	avahi_free(v->type);
	free(v);
}

static mst_err
service_check(const char *name, const char *type, uint16_t port, const char *const *txt)
{
	if (!avahi_is_valid_service_name(name))
		return fail("name", AVAHI_ERR_INVALID_SERVICE_NAME);
	if (!avahi_is_valid_service_type_strict(type))
		return fail("type", AVAHI_ERR_INVALID_SERVICE_TYPE);
	if (port == 0)
		return fail("port", AVAHI_ERR_INVALID_PORT);
	for (; txt != NULL && *txt != NULL; txt++)
		if (strlen(*txt) > 255 || **txt == '=' || **txt == '\0') /* RFC 6763 6.1, 6.4 */
			return fail("txt", AVAHI_ERR_INVALID_KEY);
	return MST_OK;
}

/* "0.0.0.0:8443", "[::]:8444", "[fe80::1%eth0]:1", "localhost:1" */
static struct reach
reach_of(const char *listen)
{
	struct reach r = { .v4 = true, .v6 = true };
	const char *colon = listen == NULL ? NULL : strrchr(listen, ':');
	char host[128] = "";
	size_t n = colon == NULL ? 0 : (size_t)(colon - listen);

	if (n == 0 || n >= sizeof(host))
		return r;
	if (listen[0] == '[' && listen[n - 1] == ']')
		memcpy(host, listen + 1, n - 2);
	else
		memcpy(host, listen, n);
	host[strcspn(host, "%")] = '\0';
	if (avahi_address_parse(host, AVAHI_PROTO_UNSPEC, &r.address) == NULL)
		return r;
	r.v4 = r.address.proto == AVAHI_PROTO_INET || strcmp(host, "::") == 0; /* dual stack */
	r.v6 = r.address.proto == AVAHI_PROTO_INET6;
	r.one = strcmp(host, "::") != 0 && strcmp(host, "0.0.0.0") != 0;
	return r;
}

mst_err
dnssd_publish(struct dnssd *d, const char *name, const char *type, const char *listen,
    uint16_t port, const char *const *txt)
{
	struct service *v;
	mst_err e = service_check(name, type, port, txt);
	int r = 0;

	if (e != MST_OK)
		return e;
	if ((v = calloc(1, sizeof(*v))) == NULL || (v->name = avahi_strdup(name)) == NULL ||
	    (v->type = avahi_strdup(type)) == NULL) {
		service_free(v);
		return fail("publish", AVAHI_ERR_NO_MEMORY);
	}
	v->d = d;
	v->port = port;
	v->reach = reach_of(listen);
	for (; txt != NULL && *txt != NULL; txt++)
		v->txt = avahi_string_list_add(v->txt, *txt);
	avahi_threaded_poll_lock(d->poll);
	v->next = d->services;
	d->services = v;
	if (d->running && (r = service_start(v, d->server)) < 0) {
		d->services = v->next;
		service_free(v);
	}
	avahi_threaded_poll_unlock(d->poll);
	return r < 0 ? fail("publish", r) : MST_OK;
}

void
dnssd_withdraw(struct dnssd *d, const char *type, uint16_t port)
{
	avahi_threaded_poll_lock(d->poll);
	for (struct service **p = &d->services; *p != NULL; p = &(*p)->next) {
		struct service *v = *p;

		if (v->port != port || strcmp(v->type, type) != 0)
			continue;
		*p = v->next;
		service_free(v);
		if (d->running)
			addresses_refresh(d, d->server, IF_CHANGED);
		break;
	}
	avahi_threaded_poll_unlock(d->poll);
}

/* ---- browsing ---- */

static void
report(const struct found *f, enum dnssd_what what)
{
	struct dnssd_peer p = { what, f->name, f->b->type, f->address, f->port };

	if (f->address[0] != '\0')
		f->b->fn(f->b->arg, &p);
}

static void
found_free(struct found *f)
{
	if (f->resolver != NULL)
		avahi_s_service_resolver_free(f->resolver);
	avahi_free(f->name);
	avahi_free(f->domain);
	free(f);
}

/* A link-local address means nothing without its interface (RFC 4007 11). */
static void
address_set(struct found *f, const AvahiAddress *a)
{
	char name[IF_NAMESIZE];
	size_t n;

	avahi_address_snprint(f->address, AVAHI_ADDRESS_STR_MAX, a);
	if (a->proto != AVAHI_PROTO_INET6 || a->data.ipv6.address[0] != 0xfe ||
	    (a->data.ipv6.address[1] & 0xc0) != 0x80 ||
	    if_indextoname((unsigned)f->interface, name) == NULL)
		return;
	n = strlen(f->address);
	snprintf(f->address + n, sizeof(f->address) - n, "%%%s", name);
}

static int resolve(struct found *f);

static void
on_resolved(AvahiSServiceResolver *r, AvahiIfIndex interface, AvahiProtocol protocol,
    AvahiResolverEvent event, const char *name, const char *type, const char *domain,
    const char *host, const AvahiAddress *a, uint16_t port, AvahiStringList *txt,
    AvahiLookupResultFlags flags, void *arg)
{
	struct found *f = arg;

	(void)interface;
	(void)protocol;
	(void)name;
	(void)type;
	(void)domain;
	(void)host;
	(void)txt;
	(void)flags;
	avahi_s_service_resolver_free(r);
	f->resolver = NULL;
	if (event == AVAHI_RESOLVER_FOUND && a != NULL && port != 0) {
		address_set(f, a);
		f->port = port;
		report(f, DNSSD_FOUND);
	} else if (resolve(f) != 0) {
		/* Each try has Avahi's own timeout of some seconds, so this does not spin. */
		log_line(LOG_WARNING_, "mdns: a service of type %s cannot be resolved", f->b->type);
	}
}

static int
resolve(struct found *f)
{
	/* Address and transport of one family: else a peer shows up twice with one address. */
	f->resolver = avahi_s_service_resolver_new(f->b->d->server, f->interface, f->protocol,
	    f->name, f->b->type, f->domain, f->protocol, 0, on_resolved, f);
	return f->resolver == NULL ? -1 : 0;
}

static void
add(struct browser *b, AvahiIfIndex interface, AvahiProtocol protocol, const char *name,
    const char *domain)
{
	struct dnssd *d = b->d;
	struct found *f;

	if (d->found_count >= FOUND_MAX || (f = calloc(1, sizeof(*f))) == NULL)
		return;
	f->b = b;
	f->interface = interface;
	f->protocol = protocol;
	f->name = avahi_strdup(name);
	f->domain = avahi_strdup(domain);
	if (f->name == NULL || f->domain == NULL || resolve(f) != 0) {
		found_free(f);
		return;
	}
	f->next = d->found;
	d->found = f;
	d->found_count++;
}

static void
gone(struct browser *b, AvahiIfIndex interface, AvahiProtocol protocol, const char *name)
{
	for (struct found **p = &b->d->found; *p != NULL; p = &(*p)->next) {
		struct found *f = *p;

		if (f->b != b || f->interface != interface || f->protocol != protocol ||
		    strcmp(f->name, name) != 0)
			continue;
		*p = f->next;
		b->d->found_count--;
		report(f, DNSSD_GONE);
		found_free(f);
		return;
	}
}

static void
on_browse(AvahiSServiceBrowser *sb, AvahiIfIndex interface, AvahiProtocol protocol,
    AvahiBrowserEvent event, const char *name, const char *type, const char *domain,
    AvahiLookupResultFlags flags, void *arg)
{
	struct browser *b = arg;

	(void)sb;
	(void)type;
	(void)flags;
	switch (event) {
	case AVAHI_BROWSER_NEW: add(b, interface, protocol, name, domain); break;
	case AVAHI_BROWSER_REMOVE: gone(b, interface, protocol, name); break;
	case AVAHI_BROWSER_FAILURE:
		log_line(LOG_ERROR_, "mdns: browsing %s: %s", b->type,
		    avahi_strerror(avahi_server_errno(b->d->server)));
		break;
	case AVAHI_BROWSER_CACHE_EXHAUSTED:
	case AVAHI_BROWSER_ALL_FOR_NOW: break;
	}
}

mst_err
dnssd_browse(struct dnssd *d, const char *type, dnssd_fn fn, void *arg)
{
	struct browser *b;
	int e = 0;

	if (!avahi_is_valid_service_type_strict(type))
		return fail("type", AVAHI_ERR_INVALID_SERVICE_TYPE);
	if ((b = calloc(1, sizeof(*b))) == NULL || (b->type = avahi_strdup(type)) == NULL) {
		free(b);
		return fail("browse", AVAHI_ERR_NO_MEMORY);
	}
	b->d = d;
	b->fn = fn;
	b->arg = arg;
	avahi_threaded_poll_lock(d->poll);
	b->browser = avahi_s_service_browser_new(
	    d->server, AVAHI_IF_UNSPEC, AVAHI_PROTO_UNSPEC, type, NULL, 0, on_browse, b);
	if (b->browser == NULL) {
		e = avahi_server_errno(d->server);
		avahi_free(b->type);
		free(b);
	} else {
		b->next = d->browsers;
		d->browsers = b;
	}
	avahi_threaded_poll_unlock(d->poll);
	return e < 0 ? fail("browse", e) : MST_OK;
}

/* ---- life ---- */

static void
server_config(AvahiServerConfig *c)
{
	char name[32];

	avahi_server_config_init(c);
	host_name(name);
	avahi_free(c->host_name);
	c->host_name = avahi_strdup(name);
	c->enable_reflector = 0;
	c->enable_wide_area = 0;
	c->disallow_other_stacks = 0;
	/* addresses_refresh() does that, without reverse records. */
	c->publish_addresses = 0;
	/* Nothing about the machine beyond what a service needs. */
	c->publish_hinfo = 0;
	c->publish_workstation = 0;
	c->publish_domain = 0;
}

mst_err
dnssd_open(struct dnssd **out)
{
	struct dnssd *d = calloc(1, sizeof(*d));
	AvahiServerConfig config;
	int e = AVAHI_ERR_NO_MEMORY;

	if (d == NULL || (d->poll = avahi_threaded_poll_new()) == NULL)
		goto out;
	avahi_set_log_function(on_log);
	server_config(&config);
	d->server = avahi_server_new(avahi_threaded_poll_get(d->poll), &config, on_server, d, &e);
	avahi_server_config_free(&config);
	if (d->server == NULL)
		goto out;
	if (avahi_threaded_poll_start(d->poll) < 0) {
		e = AVAHI_ERR_OS;
		goto out;
	}
	*out = d;
	return MST_OK;
out:
	dnssd_close(d);
	return fail("open", e);
}

void
dnssd_close(struct dnssd *d)
{
	struct service *v;
	struct browser *b;
	struct found *f;

	if (d == NULL)
		return;
	if (d->poll != NULL)
		avahi_threaded_poll_stop(d->poll);
	while ((f = d->found) != NULL) {
		d->found = f->next;
		found_free(f);
	}
	while ((b = d->browsers) != NULL) {
		d->browsers = b->next;
		avahi_s_service_browser_free(b->browser);
		avahi_free(b->type);
		free(b);
	}
	while ((v = d->services) != NULL) {
		d->services = v->next;
		service_free(v);
	}
	if (d->addresses != NULL)
		avahi_s_entry_group_free(d->addresses);
	if (d->timer != NULL)
		avahi_threaded_poll_get(d->poll)->timeout_free(d->timer);
	if (d->server != NULL)
		avahi_server_free(d->server);
	if (d->poll != NULL)
		avahi_threaded_poll_free(d->poll);
	free(d);
}

static mst_err
put(struct mst_buf *b, const char *s)
{
	return mst_buf_put(b, mst_span_str(s));
}

mst_err
dnssd_base(const char *scheme, const char *address, uint16_t port, struct mst_buf *out)
{
	size_t before = out->len;
	const char *scope = strchr(address, '%');
	size_t n = scope == NULL ? strlen(address) : (size_t)(scope - address);
	int v6 = strchr(address, ':') != NULL;
	char tail[16];

	snprintf(tail, sizeof(tail), ":%u", (unsigned)port);
	/* RFC 6874 2: the percent sign of a scope is itself escaped. */
	if (put(out, scheme) != MST_OK || put(out, v6 ? "://[" : "://") != MST_OK ||
	    mst_buf_put(out, mst_span_of(address, n)) != MST_OK ||
	    (scope != NULL && (put(out, "%25") != MST_OK || put(out, scope + 1) != MST_OK)) ||
	    put(out, v6 ? "]" : "") != MST_OK || put(out, tail) != MST_OK) {
		out->len = before;
		return MST_E_SPACE;
	}
	return MST_OK;
}
