/* SPDX-License-Identifier: Apache-2.0 */
/* Files read whole with a bound, and written so that a crash leaves the old or the new one. */
#ifndef HOST_FILE_H
#define HOST_FILE_H

#include "host/arena.h"

/*
 * MST_E_NOT_FOUND, MST_E_IO, MST_E_SPACE when larger than limit. A NUL stands
 * behind the bytes. "-" is standard input.
 */
MST_MUST_USE mst_err file_read(struct arena *a, const char *path, size_t limit, mst_span *out);
/*
 * Temporary file in the same folder (".NAME.HEX", left over only by a crash),
 * write, fsync, rename, fsync of the folder. mode as of open(2). A symbolic
 * link in the last place is replaced, not followed.
 */
MST_MUST_USE mst_err file_write_atomic(const char *path, mst_span bytes, unsigned mode);
/* The same, but MST_E_CONFLICT when it exists: whole or not at all. */
MST_MUST_USE mst_err file_write_new(const char *path, mst_span bytes, unsigned mode);
/* mkdir -p with mode for the last part; what exists keeps its mode. */
MST_MUST_USE mst_err file_make_dir(const char *path, unsigned mode);
/* The words of the last failure of this thread: "open /x: Permission denied". */
const char *file_why(void);

#endif
