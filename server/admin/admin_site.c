/* SPDX-License-Identifier: Apache-2.0 */
/* status, backup.*: the daemon itself. */
#include "server/admin/room.h"

#include <string.h>

#include "host/clock.h"

static mst_err
status(struct admin_call *call)
{
	struct db *db = store_reader(call->c->store);
	json_t *devices = json_object();

	for (int s = 0; s < DEVICE_STATE_COUNT; s++) {
		int64_t n;

		if (device_count(db, (enum device_state)s, &n) == MST_OK)
			json_object_set_new(
			    devices, device_state_word((enum device_state)s), json_integer(n));
	}
	call->data =
	    json_pack("{s:s,s:s,s:I,s:o}", "version", MUSTER_VERSION, "roles", call->c->roles,
	        "backlog", (json_int_t)store_backlog(call->c->store), "devices", devices);
	json_object_set_new(call->data, "now", admin_json_time(call->a, clock_wall()));
	return MST_OK;
}

static mst_err
create_backup(struct admin_call *call)
{
	const char *path;
	mst_err e = admin_need(call, "path", &path);

	if (e != MST_OK)
		return e;
	if (path[0] != '/')
		return admin_refuse(call, MST_E_USAGE, "the path must be absolute");
	if ((e = store_backup(call->c->store, path)) != MST_OK)
		return admin_refuse(call, e, "%s", store_why());
	call->data = json_pack("{s:s}", "path", path);
	return MST_OK;
}

static mst_err
verify_backup(struct admin_call *call)
{
	const char *path;
	mst_err e = admin_need(call, "path", &path);

	if (e != MST_OK)
		return e;
	if ((e = store_verify(path)) != MST_OK)
		return admin_refuse(call, e, "%s", store_why());
	call->data = json_pack("{s:s,s:b}", "path", path, "good", 1);
	return MST_OK;
}

const struct admin_word admin_site_verbs[] = {
	{ "status", status },
	{ "backup.create", create_backup },
	{ "backup.verify", verify_backup },
	{ NULL, NULL },
};
