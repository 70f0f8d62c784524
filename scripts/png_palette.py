"""Write a screenshot as a PNG with a palette of at most 256 colours: a third of the size, with the standard library.

Pictures of a page have few colours; where antialiased text has more, the rare ones become the nearest that is kept.
"""

import struct
import zlib
from collections import Counter
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOURS = 256
EXACT = 160
"""The most frequent colours, which are kept as they are."""
_DISTINCT = 300
"""Squared distance to all others of a rarer colour that is kept, too: a small mark has few pixels."""
_CHANNELS = {2: 3, 6: 4}
"""Samples of a pixel by colour type: RGB and RGBA, the types that browsers write (PNG, third edition, 11.2.1)."""


def with_palette(content: bytes) -> bytes:
    """Return an opaque 8-bit RGB or RGBA picture with a palette. Raises ``ValueError`` for other PNGs."""
    width, height, pixels = _decoded(content)
    counts = Counter(pixels)
    palette = _palette([colour for colour, _ in counts.most_common()])
    indices = {colour: index for index, colour in enumerate(palette)}
    for colour in counts:
        if colour not in indices:
            indices[colour] = indices[min(palette, key=lambda known: _distance(known, colour))]
    flat = bytes(indices[pixel] for pixel in pixels)
    rows = b"".join(b"\0" + flat[start : start + width] for start in range(0, len(flat), width))
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    chunks = (
        (b"IHDR", header),
        (b"PLTE", b"".join(palette)),
        (b"IDAT", zlib.compress(rows, 9)),
        (b"IEND", b""),
    )
    return SIGNATURE + b"".join(_chunk(name, data) for name, data in chunks)


def _palette(colours: list[bytes]) -> list[bytes]:
    """Choose from colours in the order of their frequency: the most frequent, then what differs from all before."""
    if len(colours) <= COLOURS:
        return colours
    chosen = colours[:EXACT]
    for colour in colours[EXACT:]:
        if len(chosen) < COLOURS and all(_distance(known, colour) > _DISTINCT for known in chosen):
            chosen.append(colour)
    return chosen


def _distance(left: bytes, right: bytes) -> int:
    return sum((one - other) ** 2 for one, other in zip(left, right, strict=True))


def _decoded(content: bytes) -> tuple[int, int, list[bytes]]:
    """Return width, height and the pixels as three bytes each, row by row."""
    chunks = list(_chunks(content))
    width, height, depth, colour_type, _, _, interlaced = struct.unpack(">IIBBBBB", dict(chunks)[b"IHDR"])
    if depth != 8 or colour_type not in _CHANNELS or interlaced:
        raise ValueError("Only 8-bit RGB and RGBA pictures without interlacing can get a palette.")
    channels = _CHANNELS[colour_type]
    raw = zlib.decompress(b"".join(data for name, data in chunks if name == b"IDAT"))
    stride = width * channels
    above = bytearray(stride)
    pixels: list[bytes] = []
    for row in range(height):
        start = row * (stride + 1)
        above = _unfiltered(raw[start], raw[start + 1 : start + 1 + stride], above, channels)
        pixels += [bytes(above[at : at + 3]) for at in range(0, stride, channels)]
    return width, height, pixels


def _unfiltered(kind: int, data: bytes, above: bytearray, channels: int) -> bytearray:
    """Return a scanline without its filter (PNG, third edition, 9.2): each byte was stored less a prediction."""
    row = bytearray(data)
    if kind == 1:
        for at in range(channels, len(row)):
            row[at] = row[at] + row[at - channels] & 255
    elif kind == 2:
        row = bytearray(one + up & 255 for one, up in zip(row, above, strict=True))
    elif kind in {3, 4}:
        for at in range(len(row)):
            left, corner = (row[at - channels], above[at - channels]) if at >= channels else (0, 0)
            up = above[at]
            row[at] = row[at] + ((left + up) // 2 if kind == 3 else _paeth(left, up, corner)) & 255
    return row


def _paeth(left: int, up: int, corner: int) -> int:
    estimate = left + up - corner
    return min((left, up, corner), key=lambda value: abs(estimate - value))


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    if not content.startswith(SIGNATURE):
        raise ValueError("Not a PNG.")
    at = len(SIGNATURE)
    while at < len(content):
        length, name = struct.unpack_from(">I4s", content, at)
        yield name, content[at + 8 : at + 8 + length]
        at += length + 12


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
