/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this room share about a store; and the doors that only tests use. */
#ifndef SERVER_STORE_IMPL_H
#define SERVER_STORE_IMPL_H

#include <pthread.h>
#include <stdatomic.h>

#include "server/store/db.h"
#include "server/store/schema.h"

#define STORE_BATCH 256 /* jobs in one transaction at most */
#define STORE_WAL_FRAMES 4096 /* 16 MiB of WAL, then a checkpoint */

struct job {
	struct job *next;
	store_job run;
	store_done done;
	void *arg;
	store_post post;
	void *post_arg;
	mst_err err;
};

struct reader {
	struct store *store;
	struct reader *next, *prev;
	struct db *db;
};

struct store {
	char *path;
	int lock_fd;
	struct db *db; /* this and the next two are the writer's, once its thread runs */
	int wal_seen, checkpoint_at;
	pthread_t thread;
	bool running;
	pthread_key_t reader_key;
	bool has_key;
	atomic_size_t backlog;

	pthread_mutex_t mutex; /* guards what follows */
	pthread_cond_t wake;
	struct job *head, **tail;
	bool stop;
	struct reader *readers;
};

/* The writer's thread: arg is the store. Ends when told to stop and its queue is empty. */
void *writer_main(void *arg);

/* store_open with other tables: for tests of migration. */
MST_MUST_USE mst_err store_open_schema(
    const char *path, const struct schema *schema, struct store **out);

#endif
