/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>
#include <event2/thread.h>

#include "host/log.h"
#include "server/net/net_internal.h"

struct net_timer {
	struct net_timer *prev, *next;
	struct net_loop *loop;
	struct event event;
	void (*fn)(void *arg);
	void *arg;
};

static _Thread_local char why[256];

void
net_set_why(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof why, fmt, ap);
	va_end(ap);
}

const char *
net_why(void)
{
	return why;
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
prepare_libraries(void)
{
	/* A peer that leaves while we write must cost an errno, not the process. */
	signal(SIGPIPE, SIG_IGN);
	if (evthread_use_pthreads() != 0 || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		abort(); /* out of memory at start ends the process */
}

/* --- posts --- */

static struct post *
take_posts(struct net_loop *l)
{
	struct post *first;

	pthread_mutex_lock(&l->lock);
	first = l->first_post;
	l->first_post = NULL;
	l->last_post = &l->first_post;
	pthread_mutex_unlock(&l->lock);
	return first;
}

static void
run_posts(evutil_socket_t fd, short what, void *arg)
{
	struct post *next;

	(void)fd;
	(void)what;
	for (struct post *p = take_posts(arg); p != NULL; p = next) {
		next = p->next;
		p->fn(p->arg);
		free(p);
	}
}

void
net_post(struct net_loop *l, void (*fn)(void *arg), void *arg)
{
	struct post *p = malloc(sizeof *p);
	bool first;

	if (p == NULL) {
		/* The request that waits for this post would wait for ever: better to end. */
		log_line(LOG_ERROR_, "out of memory while posting to a loop");
		abort();
	}
	*p = (struct post){ NULL, fn, arg };
	pthread_mutex_lock(&l->lock);
	first = l->first_post == NULL;
	*l->last_post = p;
	l->last_post = &p->next;
	pthread_mutex_unlock(&l->lock);
	if (first)
		event_active(l->wake, EV_READ, 0);
}

/* --- timers --- */

static void
timer_unlink(struct net_timer *t)
{
	if (t->prev != NULL)
		t->prev->next = t->next;
	else
		t->loop->timers = t->next;
	if (t->next != NULL)
		t->next->prev = t->prev;
	event_del(&t->event);
}

static void
timer_fire(evutil_socket_t fd, short what, void *arg)
{
	struct net_timer *t = arg;

	(void)fd;
	(void)what;
	timer_unlink(t);
	t->fn(t->arg);
	free(t);
}

struct net_timer *
net_after(struct net_loop *l, long ms, void (*fn)(void *arg), void *arg)
{
	struct timeval tv = { ms / 1000, (ms % 1000) * 1000 };
	struct net_timer *t = calloc(1, sizeof *t);

	if (t == NULL)
		return NULL;
	t->loop = l;
	t->fn = fn;
	t->arg = arg;
	evtimer_assign(&t->event, l->base, timer_fire, t);
	if (evtimer_add(&t->event, &tv) != 0) {
		free(t);
		return NULL;
	}
	t->next = l->timers;
	if (t->next != NULL)
		t->next->prev = t;
	l->timers = t;
	return t;
}

void
net_cancel(struct net_timer *t)
{
	if (t == NULL)
		return;
	timer_unlink(t);
	free(t);
}

/* --- loops --- */

static mst_err
loop_open(struct net *n, struct net_loop *l)
{
	l->net = n;
	l->last_post = &l->first_post;
	if (pthread_mutex_init(&l->lock, NULL) != 0)
		return MST_E_NOMEM;
	l->base = event_base_new();
	if (l->base == NULL || evthread_make_base_notifiable(l->base) != 0)
		return MST_E_NOMEM;
	l->wake = event_new(l->base, -1, EV_PERSIST, run_posts, l);
	/* Added, though nothing but event_active fires it: so the loop lives without connections.
	 */
	if (l->wake == NULL || event_add(l->wake, NULL) != 0)
		return MST_E_NOMEM;
	return MST_OK;
}

static void
loop_close(struct net_loop *l)
{
	struct post *next;

	l->ending = true;
	if (l->base != NULL)
		calls_end(l);
	while (l->conns != NULL)
		conn_free(l->conns);
	if (l == l->net->loops)
		coaps_free(l->net);
	while (l->requests != NULL)
		request_free(l->requests);
	while (l->timers != NULL)
		net_cancel(l->timers);
	if (l->last_post != NULL)
		for (struct post *p = take_posts(l); p != NULL; p = next) {
			next = p->next;
			free(p);
		}
	if (l->wake != NULL)
		event_free(l->wake);
	if (l->base != NULL)
		event_base_free(l->base);
	if (l->last_post != NULL)
		pthread_mutex_destroy(&l->lock);
}

mst_err
net_new(unsigned loops, struct net **out)
{
	struct net *n;
	mst_err e = MST_OK;

	pthread_once(&once, prepare_libraries);
	if (loops == 0)
		loops = 1;
	if ((n = calloc(1, sizeof *n)) == NULL)
		return MST_E_NOMEM;
	if ((n->loops = calloc(loops, sizeof *n->loops)) == NULL) {
		free(n);
		return MST_E_NOMEM;
	}
	n->count = loops;
	for (unsigned i = 0; i < loops && e == MST_OK; i++)
		e = loop_open(n, &n->loops[i]);
	if (e != MST_OK) {
		net_free(n);
		return e;
	}
	*out = n;
	return MST_OK;
}

static void *
loop_run(void *arg)
{
	struct net_loop *l = arg;

	event_base_loop(l->base, EVLOOP_NO_EXIT_ON_EMPTY);
	return NULL;
}

mst_err
net_run(struct net *n)
{
	unsigned started = 1;
	mst_err e = MST_OK;

	for (; started < n->count; started++)
		if (pthread_create(&n->loops[started].thread, NULL, loop_run, &n->loops[started]) !=
		    0) {
			net_set_why("a thread could not be started");
			e = MST_E_NOMEM;
			net_stop(n);
			break;
		}
	if (e == MST_OK)
		loop_run(&n->loops[0]);
	for (unsigned i = 1; i < started; i++)
		pthread_join(n->loops[i].thread, NULL);
	/* What one posted to another that had ended is not lost: memory hangs on it. */
	for (unsigned i = 0; i < n->count; i++)
		run_posts(-1, 0, &n->loops[i]);
	return e;
}

void
net_stop(struct net *n)
{
	/* loopexit, not loopbreak: it also holds for a loop that has not begun yet. */
	for (unsigned i = 0; i < n->count; i++)
		event_base_loopexit(n->loops[i].base, NULL);
}

void
net_free(struct net *n)
{
	struct listener *ls;

	if (n == NULL)
		return;
	for (ls = n->listeners; ls != NULL; ls = ls->next)
		listener_close(ls);
	for (unsigned i = 0; i < n->count; i++)
		loop_close(&n->loops[i]);
	while ((ls = n->listeners) != NULL) {
		n->listeners = ls->next;
		listener_free(ls);
	}
	free(n->loops);
	free(n);
}

unsigned
net_loops(const struct net *n)
{
	return n->count;
}

struct net_loop *
net_loop_at(struct net *n, unsigned i)
{
	return &n->loops[i];
}

struct event_base *
net_loop_base(struct net_loop *l)
{
	return l->base;
}
