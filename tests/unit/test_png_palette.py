"""Pictures with a palette: the same pixels for few colours, whatever filters the writer used."""

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripts.png_palette import COLOURS, SIGNATURE, _chunk, _decoded, _paeth, with_palette


def png(rows: list[bytes], channels: int, kinds: list[int], *, depth: int = 8) -> bytes:
    """Return a picture whose rows were filtered as ``kinds`` says, by the definitions of the standard."""
    width = len(rows[0]) // channels
    above = bytes(len(rows[0]))
    body = b""
    for row, kind in zip(rows, kinds, strict=True):
        body += bytes([kind])
        for at, value in enumerate(row):
            left, corner = (row[at - channels], above[at - channels]) if at >= channels else (0, 0)
            up = above[at]
            predictions = (0, left, up, (left + up) // 2, _paeth(left, up, corner))
            body += bytes([value - predictions[kind] & 255])
        above = row
    header = struct.pack(">IIBBBBB", width, len(rows), depth, {3: 2, 4: 6}[channels], 0, 0, 0)
    middle = _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(body))
    return SIGNATURE + middle + _chunk(b"IEND", b"")


def shown(content: bytes) -> list[bytes]:
    """Return the pixels of a picture with a palette and no filters."""
    at, chunks = len(SIGNATURE), {}
    while at < len(content):
        length, name = struct.unpack_from(">I4s", content, at)
        chunks[name] = content[at + 8 : at + 8 + length]
        at += length + 12
    width, _, *kind = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert kind == [8, 3, 0, 0, 0]
    raw, palette = zlib.decompress(chunks[b"IDAT"]), chunks[b"PLTE"]
    indices = [value for position, value in enumerate(raw) if position % (width + 1)]
    return [palette[3 * index : 3 * index + 3] for index in indices]


@given(st.data())
def test_few_colours_stay_as_they_are(data: st.DataObject) -> None:
    """RGB and RGBA, all five filters."""
    channels = data.draw(st.sampled_from((3, 4)))
    width, height = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 5))
    size = width * channels
    rows = data.draw(st.lists(st.binary(min_size=size, max_size=size), min_size=height, max_size=height))
    kinds = data.draw(st.lists(st.integers(0, 4), min_size=height, max_size=height))
    pixels = [row[at : at + 3] for row in rows for at in range(0, size, channels)]
    assert shown(with_palette(png(rows, channels, kinds))) == pixels


def test_a_rare_colour_that_differs_from_all_others_is_kept() -> None:
    """A small mark has few pixels: among many shades of grey it stays green."""
    greys = [
        bytes((shade, shade, blue)) for shade in range(256) for blue in (shade // 2, shade) for _ in range(2)
    ]
    green = bytes((0, 200, 60))
    assert shown(with_palette(png([b"".join([*greys, green])], 3, [0])))[-1] == green


def test_the_prediction_prefers_left_then_up() -> None:
    """As the standard breaks ties; another order would give other pixels."""
    assert _paeth(5, 2, 3) == 5
    assert _paeth(2, 5, 3) == 5
    assert _paeth(1, 3, 2) == 2
    assert _paeth(10, 20, 10) == 20


def test_rare_colours_become_the_nearest_frequent_one() -> None:
    """A palette has no more than 256."""
    frequent = b"".join(bytes([value, value, value]) * 2 for value in range(COLOURS))
    content = with_palette(png([frequent + bytes([7, 7, 8])], 3, [0]))
    assert shown(content)[-1] == bytes([7, 7, 7])


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"GIF89a", "Not a PNG"), (png([bytes(3)], 3, [0], depth=16), "Only 8-bit RGB and RGBA")],
)
def test_other_pictures_are_refused(content: bytes, sentence: str) -> None:
    """They would be decoded wrongly."""
    with pytest.raises(ValueError, match=sentence):
        _decoded(content)
