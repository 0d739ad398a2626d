# SPDX-License-Identifier: Apache-2.0
"""Random values between python3-cbor2 and our reader and writer (issue 3 item 8).

What cbor2 wrote we read; what we wrote of it cbor2 reads, and it is the same
value in bytes no longer than cbor2's; what is cut short we refuse. Prints
cmocka's words, so that tools/run-tests counts. Arguments: the tool, a seed.
"""
import math
import random
import struct
import subprocess
import sys

try:
    import cbor2
except ImportError:
    print("SKIP interop/cbor: python3-cbor2 is not installed")
    sys.exit(0)

VALUES = 10_000
rng = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 8949)


def integer():
    edge = rng.choice((0, 23, 24, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**63 - 1))
    n = rng.choice((edge, rng.randrange(2 ** rng.randint(1, 63))))
    return rng.choice((n, -1 - n, n, 2**64 - 1 - n)) if n else rng.choice((0, -1, 2**64 - 1, -(2**63)))


def real():
    return rng.choice((
        0.0, -0.0, 1.5, 65504.0, 65505.0, 5.960464477539063e-08, 1e-45, 3.4028234663852886e38, 1e300,
        math.inf, -math.inf, math.nan, rng.random(), rng.uniform(-1e9, 1e9), float(rng.randrange(1 << 20)),
        struct.unpack("<e", rng.randbytes(2))[0], struct.unpack("<f", rng.randbytes(4))[0],
        struct.unpack("<d", rng.randbytes(8))[0]))


def text():
    return "".join(rng.choice("aé√\U0001F511\0\n\"z") for _ in range(rng.choice((0, 1, 5, 23, 24, 300))))


def blob():
    return rng.randbytes(rng.choice((0, 1, 16, 23, 24, 255, 256)) if rng.random() < 0.2 else 70000 if rng.random() < 0.001 else rng.randrange(40))


def scalar():
    return rng.choice((integer, integer, real, text, blob, lambda: rng.choice((True, False, None, cbor2.undefined)),
                       lambda: cbor2.CBORSimpleValue(rng.choice((0, 19, 32, 255)))))()


def key():
    return rng.choice((integer, text, blob))()


def value(depth):
    if depth == 0 or rng.random() < 0.5:
        return scalar()
    kind = rng.randrange(3)
    n = rng.choice((0, 1, 2, 5, 23, 24)) if depth > 5 else rng.randrange(3)
    if kind == 0:
        return [value(depth - 1) for _ in range(n)]
    if kind == 1:
        return {key(): value(depth - 1) for _ in range(n)}
    return cbor2.CBORTag(rng.choice((23, 24000, 40000, 2**32, 2**63)), value(depth - 1))


def same(a, b):
    if isinstance(a, float) and isinstance(b, float):
        return struct.pack("<d", a) == struct.pack("<d", b) or (a != a and b != b)
    if type(a) is not type(b):
        return False
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, cbor2.CBORTag):
        return a.tag == b.tag and same(a.value, b.value)
    return a == b


def through(items):
    """(refused, bytes) for each."""
    stream = b"".join(struct.pack(">I", len(i)) + i for i in items)
    out = subprocess.run([sys.argv[1]], input=stream, stdout=subprocess.PIPE, check=True).stdout
    answers, at = [], 0
    while at < len(out):
        status, n = struct.unpack_from(">BI", out, at)
        answers.append((status != 0, out[at + 5:at + 5 + n]))
        at += 5 + n
    assert len(answers) == len(items)
    return answers


passed = failed = 0


def test(name, bad):
    global passed, failed
    print(f"[ RUN      ] {name}")
    for words in bad[:5]:
        print(f"[  ERROR   ] {name}: {words}")
    print(f"[  FAILED  ] {name}" if bad else f"[       OK ] {name}")
    failed += bool(bad)
    passed += not bad


values = [value(6) for _ in range(VALUES)]
items = [cbor2.dumps(v) for v in values]
answers = through(items)
test(f"we read {VALUES} values of cbor2", [i.hex()[:200] for i, a in zip(items, answers) if a[0]])
test(f"cbor2 reads what we write of them, and it is the same",
     [i.hex()[:200] for v, i, a in zip(values, items, answers) if not a[0] and not same(v, cbor2.loads(a[1]))])
test("and never longer", [i.hex()[:200] for i, a in zip(items, answers) if len(a[1]) > len(i)])
cuts = [i[:rng.randrange(len(i))] for i in items]
test("cut short we refuse it", [c.hex()[:200] for c, a in zip(cuts, through(cuts)) if not a[0]])
behind = [i + b"\x00" for i in items[:1000]]
test("with a byte behind it we refuse it", [c.hex()[:200] for c, a in zip(behind, through(behind)) if not a[0]])
print(f"[==========] {passed + failed} test(s) run.")
print(f"[  PASSED  ] {passed} test(s).")
if failed:
    print(f"[  FAILED  ] {failed} test(s).")
sys.exit(failed != 0)
