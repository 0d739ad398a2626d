/* SPDX-License-Identifier: Apache-2.0 */
/* Anything at a join port: what may pass is as short and as versioned as DTLS is. */
#include <stdlib.h>
#include <string.h>

#include "server/proxy/udp_room.h"

#define MUST(condition) ((condition) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size + 1);

	MUST(copy != NULL);
	memcpy(copy, data, size);
	copy = realloc(copy, size > 0 ? size : 1); /* of exact size for the sanitizer */
	switch (udp_record_of(mst_span_of(copy, size))) {
	case UDP_NO_RECORD: break;
	case UDP_UNIFIED: MUST(size > 0 && (data[0] & 0xe0) == 0x20); break;
	case UDP_BEGINS:
		MUST(data[0] == 25 || (size > 13 && data[0] == 22 && data[13] == 1));
		/* fall through */
	case UDP_RECORD:
		MUST(size >= 13 && data[0] >= 20 && data[0] <= 26 && data[1] == 254);
		MUST(data[2] == 255 || data[2] == 253);
		MUST(data[0] == 25 || 13u + (unsigned)(data[11] << 8 | data[12]) <= size);
		break;
	}
	free(copy);
	return 0;
}
