/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_STORE_SUPPORT_H
#define TESTS_STORE_SUPPORT_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "server/store/db.h"
#include "server/store/schema.h"

/* A fresh folder, and in it a database with the current tables. */
struct world {
	char dir[64];
	char path[96];
	struct arena *a;
	struct db *db; /* a writing connection without a thread; NULL with world_dir */
};
int world_dir(void **state); /* folder and arena only */
int world_db(void **state);
int world_gone(void **state);

/* dir + "/" + name, in the arena. */
const char *world_file(struct world *w, const char *name);
/* 32 bytes that n determines. */
mst_span hash_of(struct world *w, int n);
mst_span serial_of(struct world *w, int n);
/* A manufacturer with just what it must have, and its id; a device of it. */
int64_t some_manufacturer(struct db *db, const char *name);
int64_t some_device(struct world *w, struct db *db, const char *serial);
/* A file with the tables of that version, frozen as text, and rows of its time. */
void world_at(struct world *w, const char *path, size_t version);
/* SQL behind everyone's back. */
void tamper(const char *path, const char *sql);
int64_t ask(struct db *db, const char *sql);

#endif
