/* SPDX-License-Identifier: Apache-2.0 */
/* explain: any refusal, by code, name or reason. */
#include <stdio.h>

#include "cli/commands.h"

static json_t *
describe(const struct mst_err_info *i)
{
	return json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:i,s:i}", "code", i->code, "name", i->name,
	    "reason", i->reason, "clause", i->clause, "sentence", i->sentence, "next", i->next,
	    "http", i->http, "coap", i->coap);
}

static int
list_all(struct cli *c)
{
	static const struct cli_column columns[] = { { "code", "CODE" }, { "reason", "REASON" },
		{ "sentence", "WHAT IT MEANS" } };
	size_t count;
	const struct mst_err_info *rows = mst_err_table(&count);
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, describe(&rows[i]));
	if (c->json)
		return cli_print_json(c, list);
	cli_table(c, list, columns, 3);
	json_decref(list);
	return CLI_OK;
}

static int
explain(struct cli *c)
{
	const struct mst_err_info *i;

	if (c->argc == 0)
		return list_all(c);
	if ((i = mst_err_find(c->argv[0])) == NULL)
		return cli_fail(
		    c, CLI_NOT_FOUND, "no refusal \"%s\" (muster explain lists them)", c->argv[0]);
	if (c->json)
		return cli_print_json(c, describe(i));
	printf("%s  %s\n\n%s\n\nWhat to do: %s\n\nReason in logs and metrics: %s\nClause: %s\n"
	       "HTTP %d, CoAP %d.%02d, name %s\n",
	    i->code, i->reason, i->sentence, i->next, i->reason, i->clause, i->http, i->coap / 100,
	    i->coap % 100, i->name);
	return CLI_OK;
}

const struct cli_command cmd_explain[] = {
	{ "explain", NULL, "[CODE]", "what a refusal means and what to do",
	    "CODE is MU-1207, 1207, VOUCHER_NONCE or voucher.nonce; without it, all are listed.",
	    NULL, explain },
	{ NULL, NULL, NULL, NULL, NULL, NULL, NULL },
};
