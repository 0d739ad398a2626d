/* SPDX-License-Identifier: Apache-2.0 */
/* Network links that come up: RFC 8995 4.1.1, a change of link state starts every back-off anew. */
#ifndef AGENT_LINK_H
#define AGENT_LINK_H

#include <stdbool.h>

#define LINK_MAX 32

struct link_watch {
	int fd; /* to be polled; -1: there is no watch, and link_came_up is false */
	struct {
		int index; /* of the interface; 0: free */
		bool running;
	} links[LINK_MAX];
};

/* rtnetlink; without it the watch is off. */
void link_open(struct link_watch *w);
void link_close(struct link_watch *w);
/* Reads what has happened; true when an interface has a carrier that had none. Never blocks. */
bool link_came_up(struct link_watch *w);

#endif
