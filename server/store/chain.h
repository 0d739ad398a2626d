/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hash chains (AUD-7). The hash of a row is
 *	SHA-256(hash of the row before || CBOR array of the row's columns)
 * with 32 zero bytes before the first. Columns stand in the order of the
 * table without `hash`; integers as integers, BLOB and TEXT as byte strings,
 * NULL as null (RFC 8949 4.2.1 encoding), so anyone can recompute it from an
 * export. Rows are numbered 1, 2, 3 ... without gaps; table `chain` keeps
 * number and hash of the last one, which finds rows cut off the end.
 *
 * Three chains: "trail", "masa_log" and "masa_voucher". A MASA's entry is
 * durable before its voucher is signed (design.md 3.4), so the voucher is not
 * a column of the entry but a row of masa_voucher, whose hash also covers the
 * hash of its entry; an entry without a voucher is the trace of a crash.
 *
 * Who can write the file can also recompute a whole chain; against that,
 * compare with a backup or with an exported head kept elsewhere.
 */
#ifndef SERVER_STORE_CHAIN_H
#define SERVER_STORE_CHAIN_H

#include "muster/cbor.h"
#include "server/store/db.h"

#define CHAIN_HASH 32

struct link {
	struct mst_cbor_writer w;
	struct mst_buf buf;
	uint8_t fixed[2048]; /* enough for nearly every row */
	uint8_t *heap; /* else this */
};

/* room: sum of the lengths of the byte columns. prev: CHAIN_HASH bytes. MST_E_NOMEM latches. */
void link_init(struct link *l, mst_span prev, uint64_t columns, size_t room);
void link_int(struct link *l, int64_t v);
void link_int_or_null(struct link *l, int64_t v, int64_t null);
void link_blob(struct link *l, mst_span v); /* absent: null */
void link_text(struct link *l, const char *v); /* NULL: null */
/* The row's hash; frees. */
MST_MUST_USE mst_err link_end(struct link *l, uint8_t hash[CHAIN_HASH]);

/* The last link; seq 0 and zeros when the chain is empty. */
MST_MUST_USE mst_err chain_head(
    struct db *db, const char *name, int64_t *seq, uint8_t hash[CHAIN_HASH]);
MST_MUST_USE mst_err chain_advance(
    struct db *db, const char *name, int64_t seq, const uint8_t hash[CHAIN_HASH]);
/*
 * Walk a table: row() reads the columns of q from the first on, writes them to
 * the link, and leaves `hash` as the next column. MST_E_STORE_CHAIN.
 */
typedef void (*chain_row)(struct query *q, mst_span prev, struct link *l);
MST_MUST_USE mst_err chain_walk(struct db *db, const char *name, const char *sql, chain_row row);

/* The chains of this program. */
MST_MUST_USE mst_err trail_verify(struct db *db);

#endif
