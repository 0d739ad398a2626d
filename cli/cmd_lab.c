/* SPDX-License-Identifier: Apache-2.0 */
/* lab: the demo's world, kept running to play with. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/lab.h"

static void
explain_world(struct lab *l)
{
	printf("The lab runs in %s\n\n"
	       "  MASA       https://127.0.0.1:%d   (factory/muster.conf)\n"
	       "  registrar  https://127.0.0.1:%d   (site/muster.conf)\n"
	       "  proxy      127.0.0.1:%d           (proxy/muster.conf)\n"
	       "  metrics    http://127.0.0.1:%d/metrics (site), http://127.0.0.1:%d/metrics "
	       "(MASA)\n\n"
	       "Ten devices wait in devices/, factory-fresh. In another terminal:\n\n"
	       "  muster-agent --config %s/devices/DEVICE-001/agent.conf --once\n"
	       "  muster device list --config %s/site/muster.conf\n"
	       "  muster device show DEVICE-001 --config %s/site/muster.conf\n"
	       "  muster inventory log DEVICE-001 --config %s/factory/muster.conf\n"
	       "  muster manufacturer trust acme --mode ask --config %s/site/muster.conf\n\n"
	       "Ctrl-C ends it; the folder stays.\n",
	    l->folder, l->masa_port, l->registrar_port, l->proxy_port, l->site_ops_port,
	    l->masa_ops_port, l->folder, l->folder, l->folder, l->folder, l->folder);
	fflush(stdout);
}

static int
up(struct cli *c)
{
	const char *folder = c->argc > 0 ? c->argv[0] : "lab";
	struct lab l;
	sigset_t set;
	int sig;
	char *cwd;

	if (access(folder, F_OK) == 0)
		return cli_fail(
		    c, CLI_CONFLICT, "%s is there already; name another folder", folder);
	cwd = getcwd(NULL, 0);
	folder = folder[0] == '/' ? folder : arena_printf(c->a, "%s/%s", cwd, folder);
	free(cwd);
	cli_say(c, "making a factory, a site and ten devices ...");
	if (!lab_make(&l, c, folder) || !lab_devices(&l, LAB_HTTPS, 1, 10))
		return cli_fail(c, CLI_FAILED, "%s", l.why);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGCHLD);
	if (!lab_start(&l)) {
		lab_stop(&l);
		return cli_fail(c, CLI_FAILED, "%s", l.why);
	}
	sigprocmask(SIG_BLOCK, &set, NULL);
	explain_world(&l);
	sigwait(&set, &sig);
	lab_stop(&l);
	if (sig == SIGCHLD)
		return cli_fail(c, CLI_FAILED, "a daemon ended; see the logs in %s", folder);
	cli_say(c, "\nstopped; everything is still in %s", folder);
	return CLI_OK;
}

const struct cli_command cmd_lab[] = {
	{ "lab", "up", "[FOLDER]", "factory, site, proxy and devices on loopback, to play with",
	    "Needs no privileges. FOLDER (default: lab) is made and stays afterwards.", NULL, up },
	{ NULL, NULL, NULL, NULL, NULL, NULL, NULL },
};
