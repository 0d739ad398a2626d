/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP Basic (A2, EST-8), where the operator wants it. The hash takes longer
 * than a loop may stand still, so one thread does nothing else; its queue is
 * bounded, and a source that fails waits longer each time. The file is read
 * once: users change with a restart.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "host/clock.h"
#include "host/file.h"
#include "host/password.h"
#include "server/est/room.h"

#define FILE_MAX (1 << 20)
#define USERS_MAX 10000
#define QUEUE_MAX 32
#define SOURCES 1024
#define FREE_TRIES 3 /* failures of one source before it must wait */
#define WAIT_MAX 300 /* seconds */

#define NAMES_MAX 64 /* of one user */
#define NAME_MAX_ 64 /* RFC 5280 A.1: ub-common-name */

struct user {
	struct est_user is;
	const char *stored;
};

struct job {
	struct job *next;
	struct est_auth *auth;
	struct net_request *rq;
	const struct user *user; /* NULL: nobody of that name */
	mst_span password; /* in the request's arena */
	est_auth_done done;
	void *arg;
	mst_err err;
};

/* Sources that hash to the same place share a fate; none is without one. */
struct source {
	unsigned failures;
	int64_t not_before; /* of the forward clock */
};

struct est_auth {
	struct arena *arena;
	struct user *users;
	size_t count;
	pthread_t thread;
	bool running;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t wake;
	struct job *first, **last;
	size_t waiting;
	bool stop;
	struct source sources[SOURCES];
};

/* --- the file --- */

/* Cuts the text at its first stop; what follows it, or NULL. */
static char *
cut(char *text, char stop)
{
	char *at = strchr(text, stop);

	if (at != NULL)
		*at++ = '\0';
	return at;
}

static bool
name_ok(const char *name)
{
	size_t n = strlen(name);

	for (const char *p = name; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return false;
	return n > 0 && n <= NAME_MAX_ && name[0] != ' ' && name[n - 1] != ' ';
}

/* "name,name"; without a list a user bears his own name, if he has one. */
static mst_err
add_names(struct est_auth *t, struct est_user *u, char *list, size_t number)
{
	const char **names;
	char *rest;
	size_t room = 1;

	for (const char *p = list; p != NULL && *p != '\0'; p++)
		room += *p == ',';
	if (room > NAMES_MAX)
		room = NAMES_MAX;
	if ((names = arena_alloc(t->arena, room * sizeof *names)) == NULL)
		return MST_E_NOMEM;
	u->names = names;
	if (list == NULL) {
		names[0] = u->name;
		u->name_count = u->name[0] != '\0';
		return MST_OK;
	}
	for (; list != NULL; list = rest) {
		rest = cut(list, ',');
		if (!name_ok(list) || u->name_count == NAMES_MAX) {
			est_say("line %zu of the file of users: names are 1 to %d bytes of text, "
			        "comma-separated, at most %d",
			    number, NAME_MAX_, NAMES_MAX);
			return MST_E_CONFIG_VALUE;
		}
		names[u->name_count++] = list;
	}
	return MST_OK;
}

/*
 * "user:hash" or "user:hash:name,name"; '#' starts a comment line. A colon
 * cannot be in a user's name (RFC 7617 2).
 */
static mst_err
add_user(struct est_auth *t, char *line, size_t number)
{
	struct user u = { 0 };
	char *stored, *names;

	if (line[0] == '\0' || line[0] == '#')
		return MST_OK;
	stored = cut(line, ':');
	names = stored != NULL ? cut(stored, ':') : NULL;
	if (stored == NULL || !password_stored_ok(stored)) {
		est_say("line %zu of the file of users is not \"user:pbkdf2-sha256$...\"", number);
		return MST_E_CONFIG_VALUE;
	}
	for (size_t i = 0; i < t->count; i++)
		if (strcmp(t->users[i].is.name, line) == 0) {
			est_say(
			    "line %zu of the file of users: this user is there already", number);
			return MST_E_CONFIG_VALUE;
		}
	if (t->count == USERS_MAX) {
		est_say("more than %d users", USERS_MAX);
		return MST_E_CONFIG_VALUE;
	}
	u.is.name = line;
	u.stored = stored;
	t->users[t->count] = u;
	return add_names(t, &t->users[t->count++].is, names, number);
}

static mst_err
read_users(struct est_auth *t, const char *path)
{
	mst_span text;
	mst_err e = file_read(t->arena, path, FILE_MAX, &text);
	char *p, *end;
	size_t number = 0, lines = 1;

	if (e != MST_OK) {
		est_say("%s", file_why());
		return e;
	}
	for (size_t i = 0; i < text.len; i++)
		lines += text.ptr[i] == '\n';
	t->users =
	    arena_alloc(t->arena, (lines < USERS_MAX ? lines : USERS_MAX) * sizeof *t->users);
	p = arena_str(t->arena, text);
	if (t->users == NULL || p == NULL)
		return MST_E_NOMEM;
	for (end = p; e == MST_OK && end != NULL; p = end + 1) {
		end = strchr(p, '\n');
		if (end != NULL)
			*end = '\0';
		p[strcspn(p, "\r")] = '\0';
		e = add_user(t, p, ++number);
	}
	return e;
}

static const struct user *
find_user(const struct est_auth *t, mst_span name)
{
	for (size_t i = 0; i < t->count; i++)
		if (mst_span_eq(mst_span_str(t->users[i].is.name), name))
			return &t->users[i];
	return NULL;
}

bool
est_auth_knows(const struct est_auth *t, const char *user)
{
	return find_user(t, mst_span_str(user)) != NULL;
}

/* --- backoff --- */

static struct source *
source_of(struct est_auth *t, const char *address)
{
	uint32_t h = 2166136261u;

	for (; *address != '\0'; address++)
		h = (h ^ (uint8_t)*address) * 16777619u;
	return &t->sources[h % SOURCES];
}

static bool
must_wait(struct est_auth *t, const struct net_request *rq)
{
	bool wait;

	pthread_mutex_lock(&t->lock);
	wait = source_of(t, rq->peer->counted)->not_before > clock_mono();
	pthread_mutex_unlock(&t->lock);
	return wait;
}

/* 2, 4, 8 ... seconds after the fourth failure and on; a success forgives. */
static void
note(struct est_auth *t, const struct net_request *rq, mst_err e)
{
	struct source *s;

	pthread_mutex_lock(&t->lock);
	s = source_of(t, rq->peer->counted);
	if (e == MST_OK) {
		*s = (struct source){ 0 };
	} else if (e == MST_E_HTTP_AUTH && ++s->failures > FREE_TRIES) {
		unsigned power = s->failures - FREE_TRIES;
		int64_t wait = power > 8 ? WAIT_MAX : (int64_t)1 << power;

		s->not_before = clock_mono() + (wait < WAIT_MAX ? wait : WAIT_MAX);
	}
	pthread_mutex_unlock(&t->lock);
}

/* --- the thread --- */

static void
deliver(void *arg)
{
	struct job *j = arg;

	note(j->auth, j->rq, j->err);
	j->done(j->arg, j->err, j->err == MST_OK ? &j->user->is : NULL);
}

static void *
work(void *arg)
{
	struct est_auth *t = arg;

	pthread_mutex_lock(&t->lock);
	for (;;) {
		struct job *j;

		while (t->first == NULL && !t->stop)
			pthread_cond_wait(&t->wake, &t->lock);
		if (t->stop)
			break;
		j = t->first;
		if ((t->first = j->next) == NULL)
			t->last = &t->first;
		t->waiting--;
		pthread_mutex_unlock(&t->lock);
		j->err = password_verify(j->password, j->user != NULL ? j->user->stored : NULL);
		mst_wipe((uint8_t *)(uintptr_t)j->password.ptr, j->password.len);
		net_post(j->rq->loop, deliver, j);
		pthread_mutex_lock(&t->lock);
	}
	pthread_mutex_unlock(&t->lock);
	return NULL;
}

static mst_err
enqueue(struct est_auth *t, struct job *j)
{
	mst_err e = MST_OK;

	pthread_mutex_lock(&t->lock);
	if (t->waiting >= QUEUE_MAX) {
		e = MST_E_HTTP_OVERLOAD;
	} else {
		*t->last = j;
		t->last = &j->next;
		t->waiting++;
		pthread_cond_signal(&t->wake);
	}
	pthread_mutex_unlock(&t->lock);
	return e;
}

void
est_auth_check(struct est_auth *t, struct net_request *rq, est_auth_done done, void *arg)
{
	struct job *j = arena_alloc(rq->arena, sizeof *j);
	mst_span user;
	mst_err e = MST_E_NOMEM;

	if (j == NULL)
		goto refused;
	*j = (struct job){ .auth = t, .rq = rq, .done = done, .arg = arg };
	e = MST_E_QUOTA;
	if (must_wait(t, rq))
		goto refused;
	if ((e = password_basic(rq->arena, rq->authorization, &user, &j->password)) != MST_OK)
		goto refused;
	j->user = find_user(t, user);
	if ((e = enqueue(t, j)) != MST_OK)
		goto refused;
	return;
refused:
	done(arg, e, NULL);
}

mst_err
est_auth_new(const char *path, struct est_auth **out)
{
	struct est_auth *t = calloc(1, sizeof *t);
	mst_err e = MST_E_NOMEM;

	if (t == NULL)
		return e;
	t->last = &t->first;
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->wake, NULL);
	if ((t->arena = arena_new(0)) == NULL || (e = read_users(t, path)) != MST_OK)
		goto failed;
	e = MST_E_NOMEM;
	if (pthread_create(&t->thread, NULL, work, t) != 0)
		goto failed;
	t->running = true;
	*out = t;
	return MST_OK;
failed:
	est_auth_free(t);
	return e;
}

void
est_auth_free(struct est_auth *t)
{
	if (t == NULL)
		return;
	if (t->running) {
		pthread_mutex_lock(&t->lock);
		t->stop = true;
		pthread_cond_signal(&t->wake);
		pthread_mutex_unlock(&t->lock);
		pthread_join(t->thread, NULL);
	}
	pthread_cond_destroy(&t->wake);
	pthread_mutex_destroy(&t->lock);
	arena_free(t->arena);
	free(t);
}
