/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fault_proxy LISTEN TARGET SEED [LOSS DUPLICATE REORDER TRUNCATE]: fault.h as
 * a program. Addresses are "127.0.0.1:5684" or "[::1]:5684", port 0 is picked;
 * rates are of a thousand. Prints "port N", and at SIGTERM what it did.
 */
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/net/fault.h"

static struct fault_link link_;

static void
on_signal(int number)
{
	(void)number;
	atomic_store(&link_.stop, true);
}

static bool
address(const char *text, struct sockaddr_in6 *out)
{
	struct addrinfo hints = { .ai_family = AF_INET6,
		.ai_socktype = SOCK_DGRAM,
		.ai_flags = AI_NUMERICHOST | AI_V4MAPPED },
	                *found;
	const char *colon = strrchr(text, ':');
	char host[128];
	int n = colon != NULL ? (int)(colon - text) : 0;

	if (n == 0 || n > 100)
		return false;
	if (text[0] == '[')
		snprintf(host, sizeof host, "%.*s", n - 2, text + 1);
	else
		snprintf(host, sizeof host, "::ffff:%.*s", n, text);
	if (getaddrinfo(host, colon + 1, &hints, &found) != 0)
		return false;
	memcpy(out, found->ai_addr, sizeof *out);
	freeaddrinfo(found);
	return true;
}

int
main(int argc, char **argv)
{
	static const char *const words[FAULT_COUNT] = { "passed", "lost", "doubled", "reordered",
		"cut" };
	unsigned *rates[] = { &link_.rates.loss, &link_.rates.duplicate, &link_.rates.reorder,
		&link_.rates.truncate };

	if (argc < 4 || !address(argv[1], &link_.listen) || !address(argv[2], &link_.target)) {
		fprintf(
		    stderr, "fault_proxy LISTEN TARGET SEED [LOSS DUPLICATE REORDER TRUNCATE]\n");
		return 2;
	}
	link_.seed = strtoull(argv[3], NULL, 10);
	for (int i = 0; i < 4 && i + 4 < argc; i++)
		*rates[i] = (unsigned)strtoul(argv[i + 4], NULL, 10);
	if (!fault_open(&link_)) {
		perror(argv[1]);
		return 1;
	}
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	printf("port %u\n", (unsigned)ntohs(link_.listen.sin6_port));
	fflush(stdout);
	fault_run(&link_);
	for (unsigned d = 0; d < 2; d++)
		for (unsigned i = 0; i < FAULT_COUNT; i++)
			printf("%s%s %lu", i == 0 ? (d == 0 ? "up: " : "\ndown: ") : ", ", words[i],
			    link_.count[d][i]);
	printf("\n");
	return 0;
}
