"""Checks a ledger export with nothing but Python's standard library.

This is the second opinion on what `pmctl ledger verify` says: written from
RFC 6962 (the tree), RFC 8032 (the signature), the C2SP texts on signed notes and
checkpoints, and the description of the export in the README, not from the
product's code.

    python3 ledger_verify.py [--key KEY] [--since CHECKPOINT-FILE] FILE...

For every file one line: "GOOD <entries> <file>", or "BAD <index> <file>: why",
where index is that of the first bad entry, -1 when no single entry is to blame.
It ends with 0 when all are good, else with 1.
"""

import argparse
import base64
import hashlib
import json
import re
import sys

# --- Ed25519, RFC 8032 section 5.1 -----------------------------------------

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)


def decode_point(b):
    """Section 5.1.3. A point is (X, Y, Z, T): x = X/Z, y = Y/Z, x*y = T/Z."""
    n = int.from_bytes(b, "little")
    sign, y = n >> 255, n & ((1 << 255) - 1)
    if y >= P:
        return None
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    if (v * x * x - u) % P:
        x = x * SQRT_M1 % P
        if (v * x * x - u) % P:
            return None
    if x == 0 and sign:
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


def encode_point(p):
    inverse = pow(p[2], -1, P)
    x, y = p[0] * inverse % P, p[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def add(p, q):
    """Section 5.1.4."""
    a = (p[1] - p[0]) * (q[1] - q[0]) % P
    b = (p[1] + p[0]) * (q[1] + q[0]) % P
    c = 2 * p[3] * q[3] * D % P
    d = 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(n, p):
    out = (0, 1, 1, 0)
    while n:
        if n & 1:
            out = add(out, p)
        p = add(p, p)
        n >>= 1
    return out


BASE = decode_point((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def ed25519(public, message, signature):
    """Section 5.1.7, without the cofactor: [S]B - [k]A is R."""
    if len(public) != 32 or len(signature) != 64:
        return False
    a = decode_point(public)
    s = int.from_bytes(signature[32:], "little")
    if a is None or s >= L:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    minus = (P - a[0], a[1], a[2], P - a[3])
    return encode_point(add(times(s, BASE), times(k, minus))) == signature[:32]


# --- signed notes and checkpoints --------------------------------------------

NAME = "pricemanager.ledger"


class Bad(Exception):
    """What is wrong, and the index of the entry that is to blame."""

    def __init__(self, index, why):
        super().__init__(why)
        self.index = index


def strict64(text):
    """Base64 of which there is one spelling."""
    try:
        out = base64.b64decode(text, validate=True)
    except ValueError:
        raise Bad(-1, "not base64") from None
    if base64.b64encode(out).decode() != text:
        raise Bad(-1, "base64 in another spelling")
    return out


def open_checkpoint(signed, key):
    """Returns (tenant, size, root) of a signed checkpoint."""
    name, _, rest = key.partition("+")
    stated, _, encoded = rest.partition("+")
    public = strict64(encoded)
    ident = hashlib.sha256(name.encode() + b"\n" + public).digest()[:4]
    if name != NAME or public[:1] != b"\x01" or ident.hex() != stated:
        raise Bad(-1, "not a verifier key of ours")
    text, _, signatures = signed.rpartition("\n\n")
    text += "\n"
    m = re.fullmatch("\u2014 ([^ +\n]+) ([A-Za-z0-9+/=]+)\n", signatures)
    if not m or m[1] != name:
        raise Bad(-1, "not a note with one signature of that key")
    signature = strict64(m[2])
    if signature[:4] != ident or not ed25519(public[1:], text.encode(), signature[4:]):
        raise Bad(-1, "the signature is wrong")
    m = re.fullmatch(re.escape(NAME) + r"/([^\n]+)\n(0|[1-9][0-9]*)\n([^\n]+)\nat [0-9T:-]+Z\n", text)
    if not m:
        raise Bad(-1, "signed, but no checkpoint")
    return m[1], int(m[2]), strict64(m[3])


# --- the tree, RFC 6962 section 2.1 --------------------------------------------


def node(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


class Tree:
    """MTH of a growing list: the roots of the full subtrees, largest first."""

    def __init__(self):
        self.size, self.roots = 0, []

    def append(self, leaf):
        self.roots.append(leaf)
        self.size += 1
        n = self.size
        while n % 2 == 0:
            right, left = self.roots.pop(), self.roots.pop()
            self.roots.append(node(left, right))
            n //= 2

    def root(self):
        if not self.roots:
            return hashlib.sha256(b"").digest()
        h = self.roots[-1]
        for r in reversed(self.roots[:-1]):
            h = node(r, h)
        return h


# --- the export -------------------------------------------------------------------

HEADER = ["format", "tenant", "key", "size", "checkpoint"]
LINE = re.compile(
    rb'\{"index":(0|[1-9][0-9]{0,15}),"salt":"([A-Za-z0-9+/]{43}=)","leaf":"([A-Za-z0-9+/]{43}=)","event":(.*)\}\n',
    re.DOTALL,
)


def leaf_of(salt, event):
    """The leaf commits to salt, field name and value, each after its length."""
    h = hashlib.sha256()
    for part in (salt, b"event", event):
        h.update(len(part).to_bytes(4, "big") + part)
    return hashlib.sha256(b"\x00" + h.digest()).digest()


def header(line, key):
    try:
        h = json.loads(line)
    except ValueError:
        raise Bad(-1, "the header is not JSON") from None
    if not isinstance(h, dict) or list(h) != HEADER or h["format"] != "pricemanager-ledger-1":
        raise Bad(-1, "the header is not that of an export")
    if json.dumps(h, separators=(",", ":"), ensure_ascii=False).encode() + b"\n" != line:
        raise Bad(-1, "the header is in another spelling")
    if key and key != h["key"]:
        raise Bad(-1, "another key")
    tenant, size, root = open_checkpoint(h["checkpoint"], h["key"])
    if tenant != h["tenant"] or size != h["size"]:
        raise Bad(-1, "header and checkpoint differ")
    return h["key"], tenant, size, root


def verify(lines, key=None, since=None):
    """Returns the number of entries, or raises Bad."""
    lines = iter(lines)
    key, tenant, size, root = header(next(lines, b""), key)
    older = open_checkpoint(since, key) if since else None
    if older and (older[0] != tenant or older[1] > size):
        raise Bad(-1, "the older checkpoint is another tenant's, or covers more than the export")
    tree = Tree()

    def as_before():
        if older and tree.size == older[1] and tree.root() != older[2]:
            raise Bad(-1, "not the history of the older checkpoint")

    as_before()
    for line in lines:
        index = tree.size
        m = LINE.fullmatch(line)
        if index >= size or not m or int(m[1]) != index:
            raise Bad(index, "not the entry that belongs here")
        salt, leaf = base64.b64decode(m[2]), base64.b64decode(m[3])
        if base64.b64encode(salt) != m[2] or base64.b64encode(leaf) != m[3]:
            raise Bad(index, "base64 in another spelling")
        if leaf_of(salt, m[4]) != leaf:
            raise Bad(index, "the event does not fit its leaf")
        tree.append(leaf)
        as_before()
    if tree.size != size:
        raise Bad(tree.size, "missing")
    if tree.root() != root:
        raise Bad(-1, "not the entries that were signed")
    return size


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--key")
    args.add_argument("--since")
    args.add_argument("files", nargs="+")
    args = args.parse_args()
    since = None
    if args.since:
        with open(args.since, encoding="utf-8") as f:
            since = f.read()
    good = True
    for name in args.files:
        try:
            with open(name, "rb") as f:
                print("GOOD", verify(f, args.key, since), name)
        except (Bad, UnicodeDecodeError) as e:
            good = False
            print("BAD", getattr(e, "index", -1), f"{name}: {e}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
