/* SPDX-License-Identifier: Apache-2.0 */
#include "suit/support_rows.h"

static const struct row rows[] = {
#include "suit/rows_form.h"
};

int
main(void)
{
	return rows_run("forgeries: form", rows, sizeof rows / sizeof rows[0]);
}
