/* SPDX-License-Identifier: Apache-2.0 */
/* Type=notify of systemd.service(5), without its library. */
#ifndef HOST_NOTIFY_H
#define HOST_NOTIFY_H

/* "READY=1\n", "STOPPING=1\n": to $NOTIFY_SOCKET, if there is one. A failure is logged. */
void notify_service_manager(const char *news);

#endif
