# SPDX-License-Identifier: Apache-2.0
"""A CoAP responder and a nuisance, written from RFC 7252 alone, for discovery.bash.

answer.py LINK QUERY DOCUMENT    answers multicast /.well-known/core?QUERY on LINK
answer.py --ask LINK GROUP QUERY  asks once; prints the first answer's payload
answer.py --flood LINK COUNT     that many requests for brski-jp; prints how many answers came
answer.py --garbage LINK COUNT   that many random datagrams at CoAP and at GRASP
"""
import random
import socket
import struct
import sys

COAP, GRASP = 5683, 7017


def udp(link):
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, socket.if_nametoindex(link))
    return s


def option(delta, value):
    assert delta < 13
    if len(value) < 13:
        return bytes([delta << 4 | len(value)]) + value
    return bytes([delta << 4 | 13, len(value) - 13]) + value


def request(query, mid):
    return (struct.pack("!BBH", 0x52, 1, mid) + struct.pack("!H", mid) + option(11, b".well-known")
            + option(0, b"core") + option(4, query.encode()))


def answer(link, query, document):
    s = udp(link)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("::", COAP))
    for group in ("ff02::fd", "ff05::fd"):
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP,
                     socket.inet_pton(socket.AF_INET6, group) + struct.pack("@I", socket.if_nametoindex(link)))
    while True:
        data, peer = s.recvfrom(2048)
        if len(data) < 4 or data[0] >> 4 != 5 or data[1] != 1 or query.encode() not in data:
            continue
        if not data.endswith(query.encode()):
            continue  # rt=brski within rt=brski.rjp
        token = data[4:4 + (data[0] & 15)]
        s.sendto(bytes([data[0], 0x45, 1, random.randrange(256)]) + token + b"\xc1\x28\xff" + document.encode(), peer)


def count_answers(s, seconds):
    n = 0
    s.settimeout(seconds)
    try:
        while True:
            s.recvfrom(2048)
            n += 1
    except socket.timeout:
        return n


def ask(link, group, query):
    s = udp(link)
    s.sendto(request(query, 7), (group, COAP))
    s.settimeout(3)
    try:
        print(s.recvfrom(2048)[0].split(b"\xff", 1)[1].decode())
    except socket.timeout:
        pass


def flood(link, count):
    s = udp(link)
    for i in range(count):
        s.sendto(request("brski-jp=*", i & 0xffff), ("ff02::fd", COAP))
    print("answers:", count_answers(s, 2))


def garbage(link, count):
    s = udp(link)
    random.seed(1)
    for i in range(count):
        data = random.randbytes(random.randrange(1, 64 if i % 2 else 1400))
        if i % 3 == 0:
            data = bytes([0x50 | data[0] & 15]) + data[1:]
        s.sendto(data, ("ff02::fd", COAP))
        s.sendto(data, ("ff02::13", GRASP))
    if count_answers(s, 1) != 0:
        sys.exit("garbage was answered")


if sys.argv[1] == "--ask":
    ask(*sys.argv[2:5])
elif sys.argv[1] == "--flood":
    flood(sys.argv[2], int(sys.argv[3]))
elif sys.argv[1] == "--garbage":
    garbage(sys.argv[2], int(sys.argv[3]))
else:
    answer(*sys.argv[1:4])
