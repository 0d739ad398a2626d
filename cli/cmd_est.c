/* SPDX-License-Identifier: Apache-2.0 */
/* est: what the EST role's files hold. */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "host/file.h"
#include "host/password.h"

#define PASSWORD_BYTES 2048

static int
password(struct cli *c)
{
	const char *path = cli_option(c, "password-file"), *user = c->argv[0], *hash;
	const char *names = cli_option(c, "names");
	mst_span bytes;
	mst_err e;

	if (path == NULL)
		return cli_fail(
		    c, CLI_USAGE, "the password? give --password-file FILE (- is stdin)");
	if (strpbrk(user, ":\r\n") != NULL)
		return cli_fail(
		    c, CLI_USAGE, "a user's name has no colon and no line end (RFC 7617)");
	if (names != NULL && (names[0] == '\0' || strpbrk(names, ":\r\n") != NULL))
		return cli_fail(c, CLI_USAGE, "names are comma-separated, without colon");
	if ((e = file_read(c->a, path, PASSWORD_BYTES, &bytes)) != MST_OK)
		return cli_refuse(c, e, file_why());
	while (bytes.len != 0 && strchr("\r\n", bytes.ptr[bytes.len - 1]) != NULL)
		bytes.len--;
	if ((e = password_hash(c->a, bytes, &hash)) != MST_OK)
		return cli_refuse(c, e, "a password has 1 to 1024 bytes");
	if (c->json)
		return cli_print_json(
		    c, json_pack("{s:s,s:s,s:s?}", "user", user, "hash", hash, "names", names));
	printf("%s:%s%s%s\n", user, hash, names != NULL ? ":" : "", names != NULL ? names : "");
	return CLI_OK;
}

static const struct cli_option password_options[] = {
	{ "password-file", "FILE", "the file that holds the password; - is standard input" },
	{ "names", "NAME,NAME",
	    "what certificates of this user may be called (default: the user's own name)" },
	{ NULL, NULL, NULL },
};

const struct cli_command cmd_est[] = {
	{ "est", "password", "USER", "print a line for the file that est { basic_file } names",
	    "Append it: muster est password alice --password-file - >> est-users", password_options,
	    password },
	{ NULL, NULL, NULL, NULL, NULL, NULL, NULL },
};
