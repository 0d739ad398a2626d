/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/update_care.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <openssl/rand.h>

#include "host/log.h"

struct update_care {
	const struct agent_config *cfg;
	enum update_care_for what;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stop;
	pid_t looking; /* 0: nobody */
};

static pid_t
start(const struct update_care *c, const char *command)
{
	char *const argv[] = { "muster-agent", "--config", (char *)(uintptr_t)c->cfg->path,
		(char *)(uintptr_t)command, NULL };
	posix_spawnattr_t attr;
	sigset_t none;
	pid_t child = 0;
	int err;

	sigemptyset(&none);
	if (posix_spawnattr_init(&attr) != 0)
		return 0;
	(void)posix_spawnattr_setsigmask(&attr, &none);
	(void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	err = posix_spawn(&child, "/proc/self/exe", NULL, &attr, argv, environ);
	(void)posix_spawnattr_destroy(&attr);
	if (err == 0)
		return child;
	log_line(LOG_ERROR_, "%s: %s", command, strerror(err));
	return 0;
}

static void
await(pid_t child)
{
	while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
}

static void
look(struct update_care *c)
{
	pid_t child = 0;

	pthread_mutex_lock(&c->lock);
	if (!c->stop)
		child = c->looking = start(c, "update");
	pthread_mutex_unlock(&c->lock);
	await(child);
	pthread_mutex_lock(&c->lock);
	c->looking = 0;
	pthread_mutex_unlock(&c->lock);
}

/* Up to a tenth earlier: a fleet does not come at one moment. False when it is over. */
static bool
rest(struct update_care *c)
{
	int64_t ms = (int64_t)c->cfg->update.poll * 1000;
	struct timespec until;
	uint32_t r = 0;
	bool stop;

	(void)RAND_bytes((uint8_t *)&r, sizeof r);
	ms -= (int64_t)(r % 1024) * ms / 10240;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	pthread_mutex_lock(&c->lock);
	while (!c->stop && pthread_cond_timedwait(&c->wake, &c->lock, &until) != ETIMEDOUT)
		;
	stop = c->stop;
	pthread_mutex_unlock(&c->lock);
	return !stop;
}

static void *
care(void *arg)
{
	struct update_care *c = arg;

	await(start(c, "settle"));
	if (c->what == UPDATE_CARE_TRIAL || c->cfg->update.poll == 0)
		return NULL;
	while (rest(c))
		look(c);
	return NULL;
}

struct update_care *
update_care_start(const struct agent_config *cfg, enum update_care_for what)
{
	struct update_care *c;
	pthread_condattr_t attr;

	if (!cfg->update.there || (c = calloc(1, sizeof *c)) == NULL)
		return NULL;
	c->cfg = cfg;
	c->what = what;
	pthread_mutex_init(&c->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&c->wake, &attr);
	pthread_condattr_destroy(&attr);
	if (pthread_create(&c->thread, NULL, care, c) == 0)
		return c;
	log_line(LOG_ERROR_, "updates are not looked after: no thread");
	free(c);
	return NULL;
}

void
update_care_stop(struct update_care *c)
{
	if (c == NULL)
		return;
	pthread_mutex_lock(&c->lock);
	c->stop = true;
	if (c->looking > 0)
		(void)kill(c->looking, SIGTERM);
	pthread_cond_signal(&c->wake);
	pthread_mutex_unlock(&c->lock);
	pthread_join(c->thread, NULL);
	pthread_cond_destroy(&c->wake);
	pthread_mutex_destroy(&c->lock);
	free(c);
}
