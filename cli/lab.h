/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small world on this machine's loopback: a factory with its MASA, a site
 * with registrar and CA, a join proxy, devices. Everything lies in one folder;
 * `muster demo` tells a story in it and removes it, `muster lab up` keeps it.
 */
#ifndef CLI_LAB_H
#define CLI_LAB_H

#include <sys/types.h>

#include "cli/cli.h"

#define LAB_PROCESSES 8

struct lab {
	struct cli *c;
	const char *folder; /* absolute */
	int masa_port, registrar_port, proxy_port, site_ops_port, masa_ops_port;
	int coaps_port, jpy_port, join_port; /* UDP; join: of the stateless proxy */
	pid_t running[LAB_PROCESSES];
	int count;
	char why[512]; /* words of the last failure */
};

/* Make factory, site and proxy in the folder (created). False with lab->why. */
bool lab_make(struct lab *l, struct cli *c, const char *folder);
/* Start the three daemons and wait until they listen. */
bool lab_start(struct lab *l);
/* End what was started, and wait for it. */
void lab_stop(struct lab *l);

enum lab_way { LAB_HTTPS, LAB_COAPS }; /* through which of the two join proxies */

/* Issue IDevIDs for first..last as DEVICE-nnn by one batch, each with an agent configuration. */
bool lab_devices(struct lab *l, enum lab_way way, int first, int last);
/* Configuration for a device whose IDevID lies in folder/devices/NAME already. */
bool lab_agent_config(struct lab *l, enum lab_way way, const char *name, int port);

/* Run a program of ours to its end; its output goes to the file (NULL: to lab.log). The exit code,
 * -1 on trouble. */
int lab_run(struct lab *l, const char *output, const char *const *argv);
/* Start it; NULL output as above. -1 on trouble. */
pid_t lab_spawn(struct lab *l, const char *output, const char *const *argv);
int lab_wait(pid_t pid);
/* The whole of a file in the lab's folder, or "". */
const char *lab_read(struct lab *l, const char *name);
const char *lab_path(struct lab *l, const char *name);
/* A TCP port of loopback that is free now. */
int lab_port(void);

#endif
