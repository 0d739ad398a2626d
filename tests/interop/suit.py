# SPDX-License-Identifier: Apache-2.0
"""What `muster fw` writes, read by others (issue 4 item 8).

python3-cbor2 decodes it, python3-cryptography recomputes every digest,
signature, MAC and ciphertext; LMS is computed here, from RFC 8554 alone. None
of our code is asked whether ours is right. Prints cmocka's words, so that
tools/run-tests counts. Argument: the program muster.
"""
import hashlib
import hmac
import io
import json
import os
import subprocess
import sys
import tempfile
import uuid

try:
    import cbor2
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, x25519
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF
    from cryptography.hazmat.primitives.keywrap import aes_key_unwrap
except ImportError as why:
    print(f"SKIP interop/suit: python3-cbor2 and python3-cryptography: {why}")
    sys.exit(0)

MUSTER = os.path.abspath(sys.argv[1])
VECTORS = os.path.abspath(os.environ.get("MUSTER_VECTORS") or
                          os.path.join(os.path.dirname(__file__), "../../../shared/vectors"))
os.environ.setdefault("ASAN_OPTIONS", "detect_leaks=0")
DIR = tempfile.TemporaryDirectory(prefix="muster-suit.")
os.chdir(DIR.name)
HASHES = {-16: hashlib.sha256, -43: hashlib.sha384, -44: hashlib.sha512}
XOFS = {-18: (hashlib.shake_128, 32), -45: (hashlib.shake_256, 64)}


# --- CBOR: deterministic, told from the bytes and not from cbor2's values ---

def head(major, n):
    if n < 24:
        return bytes([major << 5 | n])
    for size, info in ((1, 24), (2, 25), (4, 26), (8, 27)):
        if n < 1 << 8 * size:
            return bytes([major << 5 | info]) + n.to_bytes(size, "big")
    raise ValueError(n)


def enc(v):
    if v is None:
        return b"\xf6"
    if v is True or v is False:
        return b"\xf5" if v else b"\xf4"
    if isinstance(v, int):
        return head(0, v) if v >= 0 else head(1, -1 - v)
    if isinstance(v, bytes):
        return head(2, len(v)) + v
    if isinstance(v, str):
        return head(3, len(v.encode())) + v.encode()
    if isinstance(v, (list, tuple)):
        return head(4, len(v)) + b"".join(map(enc, v))
    if isinstance(v, dict):
        pairs = sorted((enc(k), enc(x)) for k, x in v.items())
        return head(5, len(pairs)) + b"".join(k + x for k, x in pairs)
    if isinstance(v, cbor2.CBORTag):
        return head(6, v.tag) + enc(v.value)
    raise TypeError(v)


def strict(data, what):
    """One item, all of it, in the one deterministic encoding."""
    stream = io.BytesIO(data)
    value = cbor2.CBORDecoder(stream).decode()
    assert stream.read() == b"", f"{what}: bytes behind"
    assert enc(value) == data, f"{what}: not deterministic"
    return value


def digest(alg, data):
    if alg in XOFS:
        f, n = XOFS[alg]
        return f(data).digest(n)
    return HASHES[alg](data).digest()


def wrapped(alg, content):
    return digest(alg, head(2, len(content)) + content)


# --- RFC 8554 ---

LMS_HEIGHT = {5: 5, 6: 10, 7: 15, 8: 20, 9: 25}
OTS = {1: (1, 265, 7), 2: (2, 133, 6), 3: (4, 67, 4), 4: (8, 34, 0)}


def u16(n):
    return n.to_bytes(2, "big")


def u32(n):
    return n.to_bytes(4, "big")


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def coef(s, i, w):
    return s[i * w // 8] >> (8 - w * (i % (8 // w)) - w) & (1 << w) - 1


def ots_public(kind, i, q, sig, message):
    w, p, ls = OTS[kind]
    assert int.from_bytes(sig[:4], "big") == kind
    c, y = sig[4:36], sig[36:]
    assert len(y) == p * 32
    d = sha(i, u32(q), u16(0x8181), c, message)
    total = sum((1 << w) - 1 - coef(d, k, w) for k in range(256 // w))
    d += u16(total << ls)
    z = []
    for k in range(p):
        t = y[32 * k:32 * k + 32]
        for j in range(coef(d, k, w), (1 << w) - 1):
            t = sha(i, u32(q), u16(k), bytes([j]), t)
        z.append(t)
    return sha(i, u32(q), u16(0x8080), *z)


def lms_split(sig):
    """The length of the LMS signature at the front."""
    kind = int.from_bytes(sig[4:8], "big")
    n = 36 + 32 * OTS[kind][1]
    height = LMS_HEIGHT[int.from_bytes(sig[4 + n:8 + n], "big")]
    return 4 + n + 4 + 32 * height


def lms_verify(pub, message, sig):
    kind, ots = int.from_bytes(pub[:4], "big"), int.from_bytes(pub[4:8], "big")
    i, root = pub[8:24], pub[24:56]
    q = int.from_bytes(sig[:4], "big")
    n = 36 + 32 * OTS[ots][1]
    h = LMS_HEIGHT[kind]
    assert int.from_bytes(sig[4 + n:8 + n], "big") == kind and q < 1 << h
    path = sig[8 + n:]
    assert len(path) == 32 * h
    node = (1 << h) + q
    tmp = sha(i, u32(node), u16(0x8282), ots_public(ots, i, q, sig[4:4 + n], message))
    for k in range(h):
        pair = (path[32 * k:32 * k + 32], tmp) if node & 1 else (tmp, path[32 * k:32 * k + 32])
        node >>= 1
        tmp = sha(i, u32(node), u16(0x8383), *pair)
    assert tmp == root, "LMS root"


def hss_verify(pub, message, sig):
    levels = int.from_bytes(pub[:4], "big")
    assert int.from_bytes(sig[:4], "big") == levels - 1
    key, sig = pub[4:], sig[4:]
    for _ in range(levels - 1):
        n = lms_split(sig)
        below = sig[n:n + 56]
        lms_verify(key, below, sig[:n])
        key, sig = below, sig[n + 56:]
    assert len(sig) == lms_split(sig)
    lms_verify(key, message, sig)


# --- COSE ---

CURVES = {-7: (ec.SECP256R1, hashes.SHA256, 32), -9: (ec.SECP256R1, hashes.SHA256, 32),
          -35: (ec.SECP384R1, hashes.SHA384, 48), -51: (ec.SECP384R1, hashes.SHA384, 48),
          -36: (ec.SECP521R1, hashes.SHA512, 66), -52: (ec.SECP521R1, hashes.SHA512, 66)}
MACS = {5: ("sha256", 32), 6: ("sha384", 48), 7: ("sha512", 64)}


def verify_one(alg, key, tbs, sig):
    if alg in CURVES:
        curve, h, n = CURVES[alg]
        assert len(sig) == 2 * n and isinstance(key.curve, curve)
        der = encode_dss_signature(int.from_bytes(sig[:n], "big"), int.from_bytes(sig[n:], "big"))
        key.verify(der, tbs, ec.ECDSA(h()))
    elif alg in (-8, -19):
        key.verify(sig, tbs)
    elif alg == -46:
        hss_verify(key, tbs, sig)
    elif alg in MACS:
        name, n = MACS[alg]
        assert len(sig) == n and hmac.compare_digest(hmac.new(key, tbs, name).digest(), sig), "MAC"
    else:
        raise AssertionError(f"algorithm {alg}")


def verify_block(block, payload, keys):
    """(tag, algorithms); keys: for each signature or recipient, in order."""
    m = strict(block, "block")
    assert isinstance(m, cbor2.CBORTag) and m.value[2] is None, "detached"
    if m.tag == 98:
        algs = []
        body, _, _, sigs = m.value
        assert len(sigs) == len(keys)
        for (p, _, sig), key in zip(sigs, keys):
            alg = strict(p, "protected")[1]
            verify_one(alg, key, enc(["Signature", body, p, b"", payload]), sig)
            algs.append(alg)
        return 98, algs
    p = m.value[0]
    alg = strict(p, "protected")[1]
    if m.tag == 18:
        verify_one(alg, keys[0], enc(["Signature1", p, b"", payload]), m.value[3])
    elif m.tag == 17:
        verify_one(alg, keys[0], enc(["MAC0", p, b"", payload]), m.value[3])
    elif m.tag == 97:
        cek = unwrap(m.value[4][0], keys[0], "mac")
        verify_one(alg, cek, enc(["MAC", p, b"", payload]), m.value[3])
    else:
        raise AssertionError(f"tag {m.tag}")
    return m.tag, [alg]


def kek_by_ecdh(recipient, key):
    p, u, _ = recipient
    alg = strict(p, "recipient")[1]
    bits, wrap = {-29: (128, -3), -30: (192, -4), -31: (256, -5)}[alg]
    e = u[-1]
    if e[1] == 2:
        assert e[-1] == 1
        y = e[-3]
        assert isinstance(y, bytes)
        peer = ec.EllipticCurvePublicNumbers(int.from_bytes(e[-2], "big"), int.from_bytes(y, "big"),
                                             ec.SECP256R1()).public_key()
        z = key.exchange(ec.ECDH(), peer)
    else:
        assert e[1] == 1 and e[-1] == 4
        z = key.exchange(x25519.X25519PublicKey.from_public_bytes(e[-2]))
    info = enc([wrap, [None, None, None], [None, None, None], [bits, p, b"SUIT Payload Encryption"]])
    return HKDF(hashes.SHA256(), bits // 8, u.get(-20), info).derive(z)


def unwrap(recipient, key, _why):
    p, u, wrapped_key = recipient
    if p == b"":
        assert u[1] in (-3, -4, -5)
        return aes_key_unwrap(key, wrapped_key)
    return aes_key_unwrap(kek_by_ecdh(recipient, key), wrapped_key)


def decrypt(info, ciphertext, which, key):
    m = strict(info, "encryption-info")
    assert m.tag == 96
    p, u, nothing, recipients = m.value
    assert nothing is None
    alg = strict(p, "layer 0")[1] if p else u[1]
    cek, iv = unwrap(recipients[which], key, "cek"), u[5]
    if alg in (-65534, -65533, -65532):
        assert p == b"" and len(iv) == 16
        return Cipher(algorithms.AES(cek), modes.CTR(iv)).decryptor().update(ciphertext)
    assert 1 not in u and len(iv) == 12
    cipher = ChaCha20Poly1305(cek) if alg == 24 else AESGCM(cek)
    assert len(cek) == {1: 16, 3: 32, 24: 32}[alg]
    return cipher.decrypt(iv, ciphertext, enc(["Encrypt", p, b""]))


# --- SUIT ---

SEVERABLE = (14, 15, 16, 18, 20, 23)
SECTIONS = (7, 8, 9, 15, 16, 18, 20, 24)


def sequence(data):
    items = strict(data, "sequence")
    assert items and len(items) % 2 == 0
    out = []
    for code, arg in zip(items[::2], items[1::2]):
        if code == 15:
            arg = [s if s is None else sequence(s) for s in arg]
        elif code == 32:
            arg = sequence(arg)
        elif code in (19, 20) and 3 in arg:
            arg = {**arg, 3: strict(arg[3], "image-digest")}
        out.append((code, arg))
    return out


class Envelope:
    def __init__(self, path):
        with open(path, "rb") as f:
            self.bytes = f.read()
        value = strict(self.bytes, "envelope")
        assert value.tag == 107
        self.members = value.value
        auth = strict(self.members[2], "authentication wrapper")
        self.payload, self.blocks = auth[0], auth[1:]
        self.alg, self.digest = strict(self.payload, "digest")
        self.raw = self.members[3]
        assert wrapped(self.alg, self.raw) == self.digest, "the manifest's digest"
        self.manifest = strict(self.raw, "manifest")
        assert self.manifest[1] == 1
        self.common = strict(self.manifest[3], "common")
        self.sections = {}
        for key, v in self.manifest.items():
            content = v if isinstance(v, bytes) else None
            if key in SEVERABLE and isinstance(v, list):
                content = self.members.get(key)
                assert content is None or wrapped(v[0], content) == v[1], f"severed {key}"
            if key in SECTIONS and content is not None:
                self.sections[key] = sequence(content)
        for key in self.members:
            assert key in (2, 3) or isinstance(key, str) or isinstance(self.manifest.get(key), list)
        self.shared = sequence(self.common[4]) if 4 in self.common else []

    def parameters(self, where):
        for code, arg in where:
            if code in (19, 20):
                yield arg
            elif code == 15:
                for s in arg:
                    yield from self.parameters(s or [])
            elif code == 32:
                yield from self.parameters(arg)


# --- running muster ---

def muster(*words, code=0):
    r = subprocess.run([MUSTER, "fw", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert r.returncode == code, f"muster fw {' '.join(words)}: exit {r.returncode}: {r.stderr.decode()[:500]}"
    return r.stdout


def write(name, data):
    with open(name, "wb") as f:
        f.write(data)
    return name


def read(name):
    with open(name, "rb") as f:
        return f.read()


def private(name):
    return serialization.load_pem_private_key(read(name), None)


def public(name):
    return serialization.load_pem_public_key(read(name))


IMAGE, OTHER = os.urandom(70001), os.urandom(4097)
VENDOR = uuid.uuid5(uuid.NAMESPACE_DNS, "example.com")
CLASS = uuid.uuid5(VENDOR, "lamp")
ID = ("--vendor", "dns:example.com", "--class", "class:example.com/lamp")


def create(out, template, *more):
    muster("create", "--template", template, "--sequence-number", "7", "--out", out, "--quiet", *ID, *more)
    return Envelope(out)


def image(name, uri):
    return ("--image", name, "--uri", uri)


passed = failed = 0


def test(f):
    global passed, failed
    name = f.__name__
    print(f"[ RUN      ] {name}")
    try:
        f()
        print(f"[       OK ] {name}")
        passed += 1
    except (AssertionError, InvalidSignature, ValueError, KeyError, TypeError, OSError) as why:
        print(f"[  ERROR   ] {name}: {type(why).__name__}: {why}")
        print(f"[  FAILED  ] {name}")
        failed += 1


def keys():
    for a in ("es256", "es384", "es512", "ed25519", "ecdh", "x25519"):
        muster("keygen", "--algorithm", a, "--out", a, "--public", a + ".pub")
    for a in ("hmac-256", "a128kw", "a256kw"):
        muster("keygen", "--algorithm", a, "--out", a)
    muster("keygen", "--algorithm", "hss-lms", "--height", "5,5", "--out", "hss", "--public", "hss.pub")
    assert len(read("a128kw")) == 16 and len(read("a256kw")) == 32 and len(read("hmac-256")) == 32
    assert os.stat("es256").st_mode & 0o77 == 0 and os.stat("hmac-256").st_mode & 0o77 == 0
    for a in ("es256", "es384", "es512", "ed25519"):
        assert private(a).public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo) == \
            public(a + ".pub").public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    write("image", IMAGE)
    write("other", OTHER)


def one_image():
    e = create("one", "image", "--component", "slot/hex:00", *image("image", "https://example.com/a"))
    assert e.manifest[2] == 7 and e.common[2] == [[b"slot", b"\0"]] and not e.blocks
    (p,) = list(e.parameters(e.shared))
    assert p[1] == VENDOR.bytes and p[2] == CLASS.bytes
    assert p[3] == [-16, hashlib.sha256(IMAGE).digest()] and p[14] == len(IMAGE)
    assert [c for c, _ in e.sections[20]] == [20, 21, 3] and e.sections[20][0][1] == {21: "https://example.com/a"}
    assert e.sections[7] == [(3, 15)]


def two_slots():
    e = create("ab", "ab", "--component", "slot", *image("image", "https://example.com/a"),
               *image("other", "https://example.com/b"))
    (alternatives,) = [a for c, a in e.shared if c == 15]
    assert [list(e.parameters(s)) for s in alternatives] == [
        [{5: i}, {3: [-16, hashlib.sha256(b).digest()], 14: len(b)}] for i, b in enumerate((IMAGE, OTHER))]
    (uris,) = [a for c, a in e.sections[20] if c == 15]
    assert [list(e.parameters(s))[1][21] for s in uris] == ["https://example.com/a", "https://example.com/b"]


def several_components():
    e = create("many", "components", "--component", "app", "--component", "boot",
               *image("image", "https://example.com/a"), *image("other", "https://example.com/b"))
    assert e.common[2] == [[b"app"], [b"boot"]]
    assert [p[3][1] for p in e.parameters(e.shared)] == [hashlib.sha256(b).digest() for b in (IMAGE, OTHER)]
    assert e.sections[7] == [(12, 0), (3, 15), (12, 1), (3, 15)]


def integrated_payload():
    e = create("int", "integrated", "--component", "app", *image("other", "#app"))
    assert e.members["#app"] == OTHER
    assert muster("extract", "int", "#app") == OTHER
    muster("sever", "int", "--drop", "#app", "--out", "int-less")
    less = Envelope("int-less")
    assert "#app" not in less.members and less.raw == e.raw
    muster("integrate", "int-less", "--payload", "#app=other", "--out", "int-again")
    assert read("int-again") == read("int")


def dependency_of_another_authority():
    create("lib", "image", "--component", "lib", *image("other", "https://example.com/lib"))
    muster("sign", "lib", "--key", "ed25519", "--out", "lib-signed")
    lib = Envelope("lib-signed")
    e = create("dep", "dependency", "--component", "app", *image("image", "https://example.com/a"),
               "--dependency", "lib-signed", "--dependency-uri", "#lib", "--dependency-id", "lib.suit")
    assert e.common[1] == {1: {1: [b"lib.suit"]}} and e.members["#lib"] == lib.bytes
    assert [lib.alg, lib.digest] in [p.get(3) for p in e.parameters(e.shared)]
    assert len(lib.bytes) in [p.get(14) for p in e.parameters(e.sections[15])]
    for key in (20, 7):
        codes = [c for c, _ in e.sections[key]]
        assert codes.index(7) < codes.index(11)


def severed_and_texts():
    write("d.fw", b'sequence-number = 9\ndigest = "sha-512"\ncomponent "app" { id = { "app" } }\n'
          b'shared = { "override-parameters vendor-id=dns:example.com class-id=class:example.com/lamp '
          b'image-digest=file:image image-size=file:image", "vendor-identifier", "class-identifier" }\n'
          b'install = { "override-parameters uri=https://example.com/a", "fetch", "image-match" }\n'
          b'validate = { "image-match" }\n'
          b'text "en" { manifest-description = "a lamp" component "app" { vendor-name = "Example" } }\n'
          b'text "de-CH" { update-description = "Zwei L\xc3\xb6cher weniger" }\n'
          b'set-version = "2.1-rc.3"\nsever = { text, install }\n')
    muster("create", "d.fw", "--out", "sev", "--quiet")
    e = Envelope("sev")
    assert e.alg == -44 and e.manifest[20][0] == -44 and strict(e.manifest[6], "set-version") == [2, 1, -1, 3]
    text = strict(e.members[23], "text")
    assert text["de-CH"][2] == "Zwei Löcher weniger" and text["en"][(b"app",)] == {1: "Example"}
    muster("sever", "sev", "--all", "--out", "sev-less")
    less = Envelope("sev-less")
    assert set(less.members) == {2, 3} and less.raw == e.raw and less.payload == e.payload
    assert muster("extract", "sev", "install") == e.members[20]
    assert list(e.parameters(e.shared))[0][3] == [-44, hashlib.sha512(IMAGE).digest()]


def every_digest():
    for name, alg in (("sha-256", -16), ("shake128", -18), ("sha-384", -43), ("sha-512", -44), ("shake256", -45)):
        write("g.fw", read("d.fw").replace(b"sha-512", name.encode()))
        muster("create", "g.fw", "--out", "g", "--quiet")
        e = Envelope("g")
        assert e.alg == alg and list(e.parameters(e.shared))[0][3] == [alg, digest(alg, IMAGE)]


def every_signature():
    for name, key, alg in (("es256", public("es256.pub"), -7), ("es384", public("es384.pub"), -35),
                           ("es512", public("es512.pub"), -36), ("ed25519", public("ed25519.pub"), -8)):
        muster("sign", "one", "--key", name, "--out", "s")
        e = Envelope("s")
        assert verify_block(e.blocks[0], e.payload, [key]) == (18, [alg])
    for word, key, alg in (("esp256", "es256", -9), ("ed25519", "ed25519", -19), ("esp384", "es384", -51), ("esp512", "es512", -52)):
        muster("sign", "one", "--key", "who=" + key, "--algorithm", word, "--out", "s")
        e = Envelope("s")
        assert verify_block(e.blocks[0], e.payload, [public(key + ".pub")]) == (18, [alg])
        assert cbor2.loads(e.blocks[0]).value[1] == {4: b"who"}


def hss_lms():
    key = strict(read("hss.pub"), "COSE_Key")
    assert key[1] == 5 and len(key[-1]) == 60
    seen = set()
    for _ in range(3):
        muster("sign", "one", "--key", "hss:hss", "--out", "s")
        e = Envelope("s")
        assert verify_block(e.blocks[0], e.payload, [key[-1]]) == (18, [-46])
        sig = cbor2.loads(e.blocks[0]).value[3]
        leaf = sig[-lms_split_last(sig):][:4]
        assert leaf not in seen, "a leaf twice"
        seen.add(leaf)


def lms_split_last(sig):
    sig = sig[4:]
    n = lms_split(sig)
    return len(sig) - n - 56


def several_authorities():
    muster("sign", "one", "--key", "es256", "--key", "hss:hss", "--out", "s")
    muster("countersign", "s", "--key", "site=es384", "--out", "s2")
    muster("countersign", "s2", "--key", "secret:hmac-256", "--out", "s3")
    e = Envelope("s3")
    hss = cbor2.loads(read("hss.pub"))[-1]
    assert [verify_block(b, e.payload, [k])[1][0] for b, k in
            zip(e.blocks, (public("es256.pub"), hss, public("es384.pub"), read("hmac-256")))] == [-7, -46, -35, 5]
    muster("countersign", "s3", "--key", "es256", "--out", "s4", code=4)
    assert not os.path.exists("s4")


def cose_sign_and_mac():
    muster("sign", "one", "--key", "a=es256", "--key", "b=ed25519", "--form", "sign", "--out", "s")
    e = Envelope("s")
    assert verify_block(e.blocks[0], e.payload, [public("es256.pub"), public("ed25519.pub")]) == (98, [-7, -8])
    for name in ("a128kw", "a256kw"):
        muster("sign", "one", "--key", f"dev=secret:{name}", "--form", "mac", "--out", "s")
        e = Envelope("s")
        assert verify_block(e.blocks[0], e.payload, [read(name)]) == (97, [5])


def offline():
    muster("digest", "one", "--algorithm", "es256", "--out", "tbs")
    e = Envelope("one")
    assert read("tbs") == enc(["Signature1", enc({1: -7}), b"", e.payload])
    write("sig", private("es256").sign(read("tbs"), ec.ECDSA(hashes.SHA256())))
    muster("attach", "one", "--signature", "sig", "--anchor", "es256.pub", "--out", "s")
    e = Envelope("s")
    assert verify_block(e.blocks[0], e.payload, [public("es256.pub")]) == (18, [-7])
    r, s = decode_dss_signature(read("sig"))
    write("sig.raw", r.to_bytes(32, "big") + s.to_bytes(32, "big"))
    muster("attach", "one", "--signature", "sig.raw", "--anchor", "es256.pub", "--out", "s2")
    assert read("s2") == read("s")
    muster("digest", "one", "--algorithm", "ed25519", "--out", "tbs")
    write("sig", private("ed25519").sign(read("tbs")))
    muster("attach", "one", "--signature", "sig", "--anchor", "ed25519.pub", "--algorithm", "ed25519", "--out", "s")
    e = Envelope("s")
    assert verify_block(e.blocks[0], e.payload, [public("ed25519.pub")]) == (18, [-19])
    muster("attach", "one", "--signature", "sig", "--anchor", "es256.pub", "--out", "s5", code=4)
    assert not os.path.exists("s5")


def every_cipher_and_recipient():
    for cipher, extra in (("a128gcm", 16), ("a256gcm", 16), ("chacha20-poly1305", 16), ("a128ctr", 0), ("a256ctr", 0)):
        muster("encrypt", "image", "--for", "k1=secret:a128kw", "--for", "k2=secret:a256kw", "--for", "k3=ecdh.pub",
               "--for", "k4=x25519.pub", "--algorithm", cipher, "--out", "c", "--info", "i")
        info, ciphertext = read("i"), read("c")
        assert len(ciphertext) == len(IMAGE) + extra and ciphertext[:64] != IMAGE[:64]
        for n, key in enumerate((read("a128kw"), read("a256kw"), private("ecdh"), private("x25519"))):
            assert decrypt(info, ciphertext, n, key) == IMAGE
            assert cbor2.loads(info).value[3][n][1][4] == b"k%d" % (n + 1)
    first = cbor2.loads(info).value[1][5]
    muster("encrypt", "image", "--for", "secret:a128kw", "--algorithm", "a128ctr", "--out", "c2", "--info", "i2")
    assert cbor2.loads(read("i2")).value[1][5] != first, "an IV twice"


def encrypted_template():
    muster("encrypt", "image", "--for", "ecdh.pub", "--out", "c", "--info", "i")
    e = create("enc", "encrypted", "--component", "app", *image("image", "https://example.com/c"),
               "--ciphertext", "c", "--encryption-info", "i")
    digests = [p[3][1] for p in e.parameters(e.shared)]
    assert digests == [hashlib.sha256(IMAGE).digest(), hashlib.sha256(read("c")).digest()]
    (info,) = [p[19] for p in e.parameters(e.sections[20]) if 19 in p]
    assert decrypt(info, read("c"), 0, private("ecdh")) == IMAGE


def report_of_a_device():
    muster("sign", "one", "--key", "es256", "--out", "s")
    out = json.loads(muster("dry-run", "s", "--anchor", "es256.pub", "--payload", "https://example.com/a=image",
                            "--report", "r", "--report-key", "dev=ed25519", "--nonce", "hex:00112233", "--json"))
    assert out["accepted"] is True
    m = cbor2.loads(read("r"))
    assert m.tag == 18 and m.value[1] == {4: b"dev"}
    verify_one(-8, public("ed25519.pub"), enc(["Signature1", m.value[0], b"", m.value[2]]), m.value[3])
    report = cbor2.loads(m.value[2])
    e = Envelope("s")
    assert report[99] == ["", [e.alg, e.digest]] and report[2] == bytes.fromhex("00112233") and report[4] is True
    (install,) = [r for r in report[3] if isinstance(r, list) and r[1] == 20]
    assert strict(install[4][3], "measured") == [-16, hashlib.sha256(IMAGE).digest()]
    whole = e.manifest[20]
    assert whole[install[2]] == 3, "the offset is that of image-match"


def published_examples_by_the_same_checks():
    base = os.path.join(VECTORS, "suit")
    if not os.path.isdir(base):
        print("SKIP published_examples: no vectors at MUSTER_VECTORS or beside the checkout")
        return
    for name in sorted(os.listdir(base)):
        if name.startswith(("manifest-ex", "td-")):
            Envelope(os.path.join(base, name))


def these_checks_tell_a_flipped_bit():
    data = bytearray(read("s"))
    told = 0
    for at in range(0, len(data), 7):
        write("flip", bytes(data[:at]) + bytes([data[at] ^ 1]) + bytes(data[at + 1:]))
        try:
            e = Envelope("flip")
            verify_block(e.blocks[0], e.payload, [public("es256.pub")])
        except Exception:
            told += 1
    assert told == len(range(0, len(data), 7)), f"{told} flips told"


for f in (keys, one_image, two_slots, several_components, integrated_payload, dependency_of_another_authority,
          severed_and_texts, every_digest, every_signature, hss_lms, several_authorities, cose_sign_and_mac, offline,
          every_cipher_and_recipient, encrypted_template, report_of_a_device, published_examples_by_the_same_checks,
          these_checks_tell_a_flipped_bit):
    test(f)
print(f"[==========] {passed + failed} test(s) run.")
print(f"[  PASSED  ] {passed} test(s).")
if failed:
    print(f"[  FAILED  ] {failed} test(s).")
sys.exit(failed != 0)
