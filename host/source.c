/* SPDX-License-Identifier: Apache-2.0 */
#include "host/source.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define PREFIX 8 /* bytes: 64 bits */

struct in6_addr
source_of(const struct in6_addr *peer, const struct in6_addr *own)
{
	struct in6_addr a = *peer;

	if (IN6_IS_ADDR_V4MAPPED(peer) || IN6_IS_ADDR_LINKLOCAL(peer) ||
	    IN6_IS_ADDR_LOOPBACK(peer) ||
	    (own != NULL && !IN6_IS_ADDR_UNSPECIFIED(own) && memcmp(peer, own, PREFIX) == 0))
		return a;
	memset(a.s6_addr + PREFIX, 0, sizeof a.s6_addr - PREFIX);
	return a;
}

static struct in6_addr
address_of(const struct sockaddr *sa)
{
	struct in6_addr a = { .s6_addr = { [10] = 0xff, [11] = 0xff } };

	if (sa->sa_family == AF_INET6)
		return ((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;
	if (sa->sa_family == AF_INET)
		memcpy(
		    a.s6_addr + 12, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
	return a;
}

void
source_text(const struct sockaddr *peer, const struct sockaddr *own, char out[SOURCE_TEXT])
{
	struct in6_addr from = address_of(peer), to, a;
	char text[INET6_ADDRSTRLEN] = "";

	if (own != NULL)
		to = address_of(own);
	a = source_of(&from, own != NULL ? &to : NULL);
	if (IN6_IS_ADDR_V4MAPPED(&a)) {
		inet_ntop(AF_INET, a.s6_addr + 12, text, sizeof text);
		snprintf(out, SOURCE_TEXT, "%s", text);
		return;
	}
	inet_ntop(AF_INET6, &a, text, sizeof text);
	if (IN6_IS_ADDR_LINKLOCAL(&a))
		snprintf(out, SOURCE_TEXT, "%s%%%u", text,
		    (unsigned)((const struct sockaddr_in6 *)(const void *)peer)->sin6_scope_id);
	else
		snprintf(out, SOURCE_TEXT, memcmp(&a, &from, sizeof a) == 0 ? "%s" : "%s/64", text);
}
