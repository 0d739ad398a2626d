/* SPDX-License-Identifier: Apache-2.0 */
#include "host/control.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct control {
	pid_t pid;
	int fd; /* its standard streams */
	int errors; /* its standard error */
	FILE *in;
};

static _Thread_local char why[1024];

const char *
control_why(void)
{
	return why;
}

/* So that a build folder or /usr/local works as installed. */
void
control_program(const char *name, char *out, size_t cap)
{
	static const char *const places[] = { "", "../sbin/", "../bin/" };
	char self[1024];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	char *slash;

	self[n > 0 ? n : 0] = '\0';
	slash = strrchr(self, '/');
	for (size_t i = 0; slash != NULL && i < sizeof places / sizeof places[0]; i++) {
		*slash = '\0';
		if (snprintf(out, cap, "%s/%s%s", self, places[i], name) < (int)cap &&
		    access(out, X_OK) == 0)
			return;
	}
	snprintf(out, cap, "%s", name);
}

static void
become_daemon(const char *config, int io, int errors)
{
	char path[1200];
	sigset_t none;

	control_program("musterd", path, sizeof path);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(io, STDIN_FILENO);
	dup2(io, STDOUT_FILENO);
	dup2(errors, STDERR_FILENO);
	execlp(path, "musterd", "--config", config, "--admin", (char *)NULL);
	dprintf(STDERR_FILENO, "musterd cannot be started: %s: %s\n", path, strerror(errno));
	_exit(127);
}

mst_err
control_open(const char *config, struct control **out)
{
	struct control *c = calloc(1, sizeof *c);
	int io[2] = { -1, -1 }, errors[2] = { -1, -1 };

	if (c == NULL)
		return MST_E_NOMEM;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, io) != 0 ||
	    pipe2(errors, O_CLOEXEC) != 0 || (c->pid = fork()) < 0) {
		snprintf(why, sizeof why, "musterd cannot be started: %s", strerror(errno));
		goto refused;
	}
	if (c->pid == 0)
		become_daemon(config, io[1], errors[1]);
	close(io[1]);
	close(errors[1]);
	io[1] = errors[1] = -1;
	c->fd = io[0];
	c->errors = errors[0];
	if ((c->in = fdopen(c->fd, "r")) == NULL) {
		control_close(c);
		return MST_E_NOMEM;
	}
	*out = c;
	return MST_OK;
refused:
	for (int i = 0; i < 2; i++) {
		if (io[i] >= 0)
			close(io[i]);
		if (errors[i] >= 0)
			close(errors[i]);
	}
	free(c);
	return MST_E_CONTROL;
}

void
control_close(struct control *c)
{
	if (c == NULL)
		return;
	if (c->in != NULL)
		fclose(c->in);
	else
		close(c->fd);
	close(c->errors);
	while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
		;
	free(c);
}

static bool
send_all(int fd, const char *text, size_t n)
{
	while (n != 0) {
		ssize_t w = send(fd, text, n, MSG_NOSIGNAL);

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return false;
		text += w;
		n -= (size_t)w;
	}
	return true;
}

/* A line of its log is for machines: a person wants its message. */
static void
take_message(void)
{
	char *last = strrchr(why, '\n');
	json_t *line = json_loads(last != NULL ? last + 1 : why, 0, NULL);
	const char *message = json_string_value(json_object_get(line, "message"));

	if (message != NULL)
		snprintf(why, sizeof why, "%s", message);
	json_decref(line);
}

/* The daemon ended: its last words say why. */
static mst_err
last_words(struct control *c)
{
	size_t at = 0;
	ssize_t n;

	shutdown(c->fd, SHUT_RDWR); /* it may live and have talked nonsense: so it ends */
	while (at < sizeof why - 1 && (n = read(c->errors, why + at, sizeof why - 1 - at)) > 0)
		at += (size_t)n;
	while (at > 0 && (why[at - 1] == '\n' || why[at - 1] == '\r'))
		at--;
	why[at] = '\0';
	if (at == 0)
		snprintf(why, sizeof why, "musterd ended without a word");
	take_message();
	return MST_E_CONTROL;
}

static mst_err
refusal(const json_t *line)
{
	const char *code = json_string_value(json_object_get(line, "code"));
	const char *detail = json_string_value(json_object_get(line, "detail"));
	const struct mst_err_info *i = code != NULL ? mst_err_find(code) : NULL;

	snprintf(why, sizeof why, "%s", detail != NULL ? detail : "");
	return i != NULL ? i->err : MST_E_CONTROL;
}

/* One line; NULL at the end or when it is no JSON object. */
static json_t *
read_line(struct control *c)
{
	char *text = NULL;
	size_t cap = 0;
	ssize_t n = getline(&text, &cap, c->in);
	json_t *line = n > 0 ? json_loadb(text, (size_t)n, 0, NULL) : NULL;

	free(text);
	if (line != NULL && !json_is_object(line)) {
		json_decref(line);
		line = NULL;
	}
	return line;
}

mst_err
control_call(struct control *c, const char *verb, json_t *args, control_progress progress,
    void *arg, json_t **data)
{
	json_t *request = json_pack("{s:s,s:O?}", "verb", verb, "args", args), *line;
	char *text = request != NULL ? json_dumps(request, JSON_COMPACT) : NULL;
	mst_err e = MST_E_NOMEM;
	bool sent;

	json_decref(request);
	if (text == NULL)
		return e;
	sent = send_all(c->fd, text, strlen(text)) && send_all(c->fd, "\n", 1);
	free(text);
	while (sent && (line = read_line(c)) != NULL) {
		json_t *ok = json_object_get(line, "ok");

		if (ok == NULL) {
			if (progress != NULL)
				progress(arg, json_integer_value(json_object_get(line, "progress")),
				    json_integer_value(json_object_get(line, "of")));
			json_decref(line);
			continue;
		}
		e = json_is_true(ok) ? MST_OK : refusal(line);
		if (e == MST_OK) {
			json_t *d = json_object_get(line, "data");

			*data = d != NULL ? json_incref(d) : json_null();
		}
		json_decref(line);
		return e;
	}
	return last_words(c);
}
