/* SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>

#include "muster/err.h"

static const struct mst_err_info rows[] = {
#define MST_ERR(name, code, http, coap, reason, clause, sentence, next)                            \
	{ MST_E_##name, http, coap, "MU-" #code, "MST_E_" #name, reason, clause, sentence, next },
#include "muster/err.def"
#undef MST_ERR
};

#define ROWS (sizeof rows / sizeof rows[0])

/* err.def opens with INTERNAL: what mst_err_info() answers for a value without a row. */
_Static_assert(MST_E_INTERNAL == 1000, "the first row of err.def is INTERNAL");

const struct mst_err_info *
mst_err_info(mst_err e)
{
	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].err == e)
			return &rows[i];
	return &rows[0];
}

static char
lower(char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

/* People type "mu-1207" too: ASCII letters are equal in either case. */
static bool
same_word(const char *a, const char *b)
{
	while (*a != '\0' && lower(*a) == lower(*b)) {
		a++;
		b++;
	}
	return *a == '\0' && *b == '\0';
}

static bool
row_is(const struct mst_err_info *row, const char *word)
{
	return same_word(row->code, word) || same_word(row->code + sizeof "MU-" - 1, word) ||
	       same_word(row->name, word) || same_word(row->name + sizeof "MST_E_" - 1, word) ||
	       same_word(row->reason, word);
}

const struct mst_err_info *
mst_err_find(const char *word)
{
	if (word == NULL)
		return NULL;
	for (size_t i = 0; i < ROWS; i++)
		if (row_is(&rows[i], word))
			return &rows[i];
	return NULL;
}

const struct mst_err_info *
mst_err_table(size_t *count)
{
	*count = ROWS;
	return rows;
}
