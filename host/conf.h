/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libconfuse, read strictly: an unknown word, a value outside its range or its
 * set of words, a section or string that is never closed are refused with
 * file, line and words. Daemon and agent each have a table of options and a
 * table of rules; this is what they share.
 */
#ifndef HOST_CONF_H
#define HOST_CONF_H

#include <confuse.h>

#include "host/arena.h"

#define CONF_BYTES (1 << 20) /* of a file */
/*
 * libconfuse takes the end of the file for the end of every open section. This
 * option is set behind the text and is only known outside of all sections: it
 * must be the last of the outermost table, before CFG_END().
 */
#define CONF_SENTINEL "end-of-file"
#define CONF_LAST CFG_INT(CONF_SENTINEL, 0, CFGF_NONE)

struct conf_range { /* of a whole or a broken number, wherever the option stands */
	const char *name;
	double least, most;
};
struct conf_words { /* that a text option may be, space-separated */
	const char *name, *allowed;
};
struct conf_rules {
	const struct conf_range *ranges;
	size_t range_count;
	const struct conf_words *words;
	size_t word_count;
};

/* The whole file; MST_E_CONFIG_SYNTAX for a NUL byte in it, else as file_read. */
MST_MUST_USE mst_err conf_load(struct arena *a, const char *path, mst_span *text);
/*
 * Parse text; name is what messages call it. Caller frees with cfg_free.
 * MST_E_CONFIG_SYNTAX, MST_E_NOMEM.
 */
MST_MUST_USE mst_err conf_parse(cfg_opt_t *options, const struct conf_rules *rules,
    const char *name, const char *text, cfg_t **out);
/* The words of this thread's last refusal: "file:line: words". */
const char *conf_why(void);
/* A refusal of the caller's own, at a section (NULL: at the file's first line). */
void conf_say(const char *name, cfg_t *at, const char *words);

/*
 * A path as the file means it: relative to its folder. NULL and absolute ones
 * as they are; NULL too when out of memory.
 */
const char *conf_path(struct arena *a, const char *folder, const char *path);
/* The same for a key URI: only file paths are relative. */
const char *conf_key_uri(struct arena *a, const char *folder, const char *uri);

#endif
