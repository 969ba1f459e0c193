"""What nodes say to each other, spoken by a test: frames of length, checksum and bytes, and the few messages of
proto/sluice/peer.proto a connection begins with."""
import socket
import struct

_SECRET = bytes.fromhex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221"
    "b8084674f743248ee03590e6813a264c3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8"
    "a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364")
_WIDE = (1 << 64) - 1
_P1, _P2, _P3 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9


def _u64(data, at):
    return struct.unpack_from("<Q", data, at)[0]


def _fold(a, b):
    product = a * b
    return (product & _WIDE) ^ (product >> 64)


def _avalanche(h):
    h ^= h >> 37
    h = h * 0x165667919E3779F9 & _WIDE
    return h ^ h >> 32


def _mix16(data, at, secret):
    return _fold(_u64(data, at) ^ _u64(_SECRET, secret), _u64(data, at + 8) ^ _u64(_SECRET, secret + 8))


def _hash_few(data):
    """Up to 16 bytes."""
    size = len(data)
    if size > 8:
        low = _u64(data, 0) ^ _u64(_SECRET, 24) ^ _u64(_SECRET, 32)
        high = _u64(data, size - 8) ^ _u64(_SECRET, 40) ^ _u64(_SECRET, 48)
        swapped = int.from_bytes(low.to_bytes(8, "little"), "big")
        return _avalanche(size + swapped + high + _fold(low, high) & _WIDE)
    if size >= 4:
        first, last = struct.unpack_from("<I", data)[0], struct.unpack_from("<I", data, size - 4)[0]
        h = (last + (first << 32)) ^ _u64(_SECRET, 8) ^ _u64(_SECRET, 16)
        h ^= (h << 49 | h >> 15) & _WIDE ^ (h << 24 | h >> 40) & _WIDE
        h = h * 0x9FB21C651E98DF25 & _WIDE
        h ^= (h >> 35) + size
        h = h * 0x9FB21C651E98DF25 & _WIDE
        return h ^ h >> 28
    if size == 0:
        h = _u64(_SECRET, 56) ^ _u64(_SECRET, 64)
    else:
        h = data[0] << 16 | data[size >> 1] << 24 | data[-1] | size << 8
        h ^= struct.unpack_from("<I", _SECRET)[0] ^ struct.unpack_from("<I", _SECRET, 4)[0]
    h ^= h >> 33
    h = h * _P2 & _WIDE
    h ^= h >> 29
    h = h * _P3 & _WIDE
    return h ^ h >> 32


def checksum(data):
    """XXH3 of up to 128 bytes, which is all a test has to say."""
    size = len(data)
    assert size <= 128
    if size <= 16:
        return _hash_few(data)
    h = size * _P1 & _WIDE
    for n in range((size - 1) // 32, -1, -1):
        h += _mix16(data, 16 * n, 32 * n) + _mix16(data, size - 16 * (n + 1), 32 * n + 16)
    return _avalanche(h & _WIDE)


def frame(body, length=None, sum=None):
    return struct.pack(">IQ", len(body) if length is None else length, checksum(body) if sum is None else sum) + body


def read_frame(s):
    """The next frame's body; empty at the end."""
    head = _exactly(s, 12)
    return _exactly(s, struct.unpack_from(">I", head)[0]) if len(head) == 12 else b""


def _exactly(s, size):
    data = b""
    while len(data) < size:
        chunk = s.recv(size - len(data))
        if not chunk:
            break
        data += chunk
    return data


# ---- a little Protobuf ---------------------------------------------------------------------------------------------------


def _varint(n):
    out = b""
    while n >= 0x80:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def number(field, value):
    return _varint(field << 3) + _varint(value)


def fixed(field, value):
    return _varint(field << 3 | 1) + struct.pack("<Q", value)


def text(field, value):
    value = value.encode() if isinstance(value, str) else value
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def fields(data):
    """(field, value) pairs; values are numbers or bytes."""
    at, found = 0, []

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            value |= (data[at] & 0x7F) << shift
            at += 1
            if data[at - 1] < 0x80:
                return value
            shift += 7
    while at < len(data):
        key = varint()
        if key & 7 == 0:
            value = varint()
        elif key & 7 == 1:
            value, at = _u64(data, at), at + 8
        else:
            size = varint()
            value, at = data[at:at + size], at + size
        found.append((key >> 3, value))
    return found


def hello(cluster, node, name, disk, to, epoch=1, incarnation=1 << 62, protocol=1):
    return (number(1, protocol) + text(2, cluster) + number(3, epoch) + number(4, node) + text(5, name) + fixed(6, disk) +
            fixed(7, incarnation) + number(9, to))


def envelope(*items):
    return b"".join(text(1, item) for item in items)


def overhear(host, port, count=1, seconds=20):
    """Stands where a node should be, and returns what others greet it with: dicts of Hello's fields."""
    heard = []
    with socket.create_server((host, port)) as door:
        door.settimeout(seconds)
        while len(heard) < count:
            line, _ = door.accept()
            with line:
                line.settimeout(seconds)
                heard.append(dict(fields(read_frame(line))))
    return heard
