/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a join port carries looks like DTLS, both ways. constrained-join-proxy
 * 7 lets a proxy relay without looking; but where its registrar was found, the
 * one that said so may have named anybody's UDP port.
 */
#include <string.h>

#include "server/proxy/udp_room.h"

#define HEADER 13 /* RFC 6347 4.1, RFC 9147 4: type, version, epoch, sequence number, length */

enum { CHANGE_CIPHER_SPEC = 20, HANDSHAKE = 22, TLS12_CID = 25, ACK = 26, CLIENT_HELLO = 1 };

static bool
is_versioned(mst_span d)
{
	if (d.len < HEADER || d.ptr[0] < CHANGE_CIPHER_SPEC || d.ptr[0] > ACK || d.ptr[1] != 254 ||
	    (d.ptr[2] != 255 && d.ptr[2] != 253))
		return false;
	/* RFC 9146 4: behind a connection id, whose length only the ends know, stands the length */
	return d.ptr[0] == TLS12_CID || HEADER + ((size_t)d.ptr[11] << 8 | d.ptr[12]) <= d.len;
}

enum udp_record
udp_record_of(mst_span d)
{
	static const uint8_t epoch0[2] = { 0, 0 };

	if (d.len > 0 && d.ptr[0] >> 5 == 1) /* RFC 9147 4: 001CSLEE */
		return UDP_UNIFIED;
	if (!is_versioned(d))
		return UDP_NO_RECORD;
	if (d.ptr[0] == TLS12_CID || (d.ptr[0] == HANDSHAKE && memcmp(d.ptr + 3, epoch0, 2) == 0 &&
	                                 d.len > HEADER && d.ptr[HEADER] == CLIENT_HELLO))
		return UDP_BEGINS;
	return UDP_RECORD;
}
