/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_STORE_BACKUP_H
#define SERVER_STORE_BACKUP_H

#include "server/store/store.h"

enum backup_mode { BACKUP_NEW, BACKUP_REPLACE };
/*
 * One snapshot of the database at path, which may be in use, to a file of its
 * own (0600), verified before it gets its name. MST_E_CONFLICT: NEW and to
 * exists; else as store_verify, and MST_E_STORE_FULL, _IO.
 */
MST_MUST_USE mst_err backup_file(const char *path, const char *to, enum backup_mode mode);

#endif
