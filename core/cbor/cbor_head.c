/* SPDX-License-Identifier: Apache-2.0 */
#include "core/cbor/cbor_head.h"

/* One item takes a byte at least: a count beyond what is left is cut short already. */
static bool
fits(const struct mst_cbor_head *h, size_t left)
{
	if (h->major == MAJOR_OTHER)
		return h->info != INFO_1 || h->arg >= 32; /* RFC 8949 3.3 */
	if (h->major < MAJOR_BYTES || h->major > MAJOR_MAP)
		return true;
	return h->arg <= (h->major == MAJOR_MAP ? left / 2 : left);
}

static bool
may_be_open(enum mst_cbor_major major)
{
	return major != MAJOR_UINT && major != MAJOR_NINT && major != MAJOR_TAG;
}

bool
mst_cbor_head_at(mst_span in, size_t at, struct mst_cbor_head *h)
{
	size_t left, n;

	if (at >= in.len)
		return false;
	left = in.len - at - 1;
	h->major = (enum mst_cbor_major)(in.ptr[at] >> 5);
	h->info = in.ptr[at] & 31U;
	h->arg = 0;
	h->size = 1;
	if (h->info == INFO_OPEN)
		return may_be_open(h->major);
	if (h->info > INFO_8) /* RFC 8949 3: 28 to 30 are reserved */
		return false;
	if (h->info < INFO_1) {
		h->arg = h->info;
		return fits(h, left);
	}
	n = (size_t)1 << (h->info - INFO_1);
	if (n > left)
		return false;
	for (size_t i = 1; i <= n; i++)
		h->arg = h->arg << 8 | in.ptr[at + i];
	h->size += n;
	return fits(h, left - n);
}

uint64_t
mst_float_widen(uint64_t bits, struct mst_float_form from)
{
	uint64_t top = ((uint64_t)1 << from.exponent) - 1;
	uint64_t mask = ((uint64_t)1 << from.mantissa) - 1;
	uint64_t sign = bits >> (from.exponent + from.mantissa) << 63;
	uint64_t exponent = bits >> from.mantissa & top;
	uint64_t mantissa = bits & mask;
	uint64_t rebias = 1023 - (top >> 1);

	if (exponent == top) /* infinite, not a number */
		exponent = 2047;
	else if (exponent != 0)
		exponent += rebias;
	else if (mantissa != 0) { /* subnormal there, normal in a double */
		for (exponent = rebias + 1; mantissa <= mask; exponent--)
			mantissa <<= 1;
		mantissa &= mask;
	}
	return sign | exponent << 52 | mantissa << (52 - from.mantissa);
}
