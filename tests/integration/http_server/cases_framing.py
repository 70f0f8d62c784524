"""Where a body ends: Content-Length, Transfer-Encoding, chunks and trailers (RFC 9112, sections 6 and 7)."""

from .cases import (
    BODY,
    CHUNKED,
    CHUNKED_BODY,
    FOLLOWER,
    HOST,
    LAST_CHUNK,
    PATH,
    Case,
    answered_locally,
    chunk,
    head,
    length_of,
    post,
    post_raw,
    refused,
    served,
    unfinished,
)

_LENGTH = length_of(BODY)
_N = b"%d" % len(BODY)


def _length(value: bytes) -> bytes:
    return post_raw(b"Content-Length:" + value)


def _coding(value: bytes) -> bytes:
    return post_raw(b"Transfer-Encoding:" + value, data=CHUNKED_BODY)


def _chunks(data: bytes) -> bytes:
    return post_raw(CHUNKED, data=data)


_SMUGGLED = b"0\r\n\r\n" + FOLLOWER
"""Parsed as chunks: an empty body and a second request. Parsed by length: a body."""

LENGTHS = (
    refused("length: two that agree", post_raw(_LENGTH, _LENGTH)),
    refused("length: two that differ", post_raw(_LENGTH, b"Content-Length: 5")),
    refused("length: two that differ, the short one first", post_raw(b"Content-Length: 5", _LENGTH)),
    refused("length: a list that agrees", _length(b" %b, %b" % (_N, _N))),
    refused("length: a list that differs", _length(b" %b,5" % _N)),
    refused("length: a list with an empty member", _length(b" %b," % _N)),
    refused("length: plus", _length(b" +" + _N)),
    refused("length: minus", _length(b" -" + _N)),
    refused("length: minus one", _length(b" -1")),
    refused("length: hexadecimal", _length(b" 0x%x" % len(BODY))),
    refused("length: hexadecimal digits alone", _length(b" 4a")),
    refused("length: a fraction", _length(b" %b.0" % _N)),
    refused("length: an exponent", _length(b" 1e2")),
    refused("length: an underscore, which int() takes", _length(b" 1_0")),
    refused("length: digits of another script, which int() takes", _length(" \u0661\u0660".encode())),
    refused("length: a superscript, which isdigit() takes in Latin-1", _length(b" \xb2")),
    refused("length: quoted", _length(b' "%b"' % _N)),
    refused("length: a space inside", _length(b" 1 0")),
    refused("length: a parameter", _length(b" %b;x" % _N)),
    refused("length: empty", _length(b"")),
    refused("length: a space alone", _length(b" ")),
    refused("length: a vertical tab before it", _length(b" \x0b" + _N)),
    refused("length: a form feed after it", _length(b" %b\x0c" % _N)),
    refused("length: a NUL after it", _length(b" %b\x00" % _N)),
    refused("length: 19 digits", _length(b" " + b"0" * (19 - len(_N)) + _N)),
    refused("length: 2^64 + n, which overflows", _length(b" %d" % (2**64 + len(BODY)))),
    refused("length: 4,400 digits, more than int() takes", _length(b" " + b"9" * 4400)),
    refused("length: 18 digits, more than we take", _length(b" " + b"9" * 18), 413),
    refused("length: one byte more than we take", _length(b" %d" % (64 * 1024 * 1024 + 1)), 413),
    refused("length: a space before the colon", post_raw(b"Content-Length : " + _N)),
    refused("length: a tab before the colon", post_raw(b"Content-Length\t: " + _N)),
    refused("length: folded", post_raw(b"Content-Length:", b" " + _N)),
    refused("length: hidden in a fold", post_raw(b"X-A: 1", b" Content-Length: " + _N)),
    served("length: leading zeros", _length(b" 0000" + _N)),
    served("length: no space", _length(_N)),
    served("length: a tab before it, spaces after it", _length(b"\t%b  " % _N)),
    served("length: in capitals", post_raw(b"CONTENT-LENGTH: " + _N)),
    served("length: a header that only looks like it", post(b"Content_Length: 5", b"X-Content-Length: 5")),
    answered_locally("length: none, so there is no body", head(b"POST", PATH, HOST), 400, method=b"POST"),
    answered_locally("length: zero", head(b"POST", PATH, HOST, b"Content-Length: 0"), 400, method=b"POST"),
    unfinished("length: more than comes", post_raw(b"Content-Length: %d" % (len(BODY) + 4096))),
)

SMUGGLING = (
    refused("CL.TE", post_raw(b"Content-Length: %d" % len(_SMUGGLED), CHUNKED, data=_SMUGGLED)),
    refused("TE.CL", post_raw(CHUNKED, b"Content-Length: 4", data=chunk(FOLLOWER) + LAST_CHUNK)),
    refused("CL.TE with agreeing ends", post_raw(length_of(CHUNKED_BODY), CHUNKED, data=CHUNKED_BODY)),
    refused("CL.TE with a length of zero", post_raw(b"Content-Length: 0", CHUNKED, data=CHUNKED_BODY)),
    refused("CL.identity", post_raw(_LENGTH, b"Transfer-Encoding: identity"), 400, 501),
    refused("CL and an empty TE", post_raw(_LENGTH, b"Transfer-Encoding:")),
    refused("TE.TE: twice chunked", post_raw(CHUNKED, CHUNKED, data=CHUNKED_BODY)),
    refused(
        "TE.TE: chunked, then identity",
        post_raw(CHUNKED, b"Transfer-Encoding: identity", data=CHUNKED_BODY),
        400,
        501,
    ),
    refused(
        "TE.TE: x, then chunked", post_raw(b"Transfer-Encoding: x", CHUNKED, data=CHUNKED_BODY), 400, 501
    ),
    refused("coding: identity", _coding(b" identity"), 501),
    refused("coding: gzip", _coding(b" gzip"), 501),
    refused("coding: gzip, chunked", _coding(b" gzip, chunked"), 501),
    refused("coding: chunked, gzip", _coding(b" chunked, gzip"), 400, 501),
    refused("coding: chunked, chunked", _coding(b" chunked, chunked"), 400, 501),
    refused("coding: identity, chunked", _coding(b" identity, chunked"), 501),
    refused("coding: xchunked", _coding(b" xchunked"), 501),
    refused("coding: chunkedx", _coding(b" chunkedx"), 501),
    refused("coding: x chunked", _coding(b" x chunked"), 400, 501),
    refused("coding: chunked with a parameter", _coding(b" chunked;q=1"), 400, 501),
    refused("coding: quoted", _coding(b' "chunked"'), 400, 501),
    refused("coding: an empty member first", _coding(b" ,chunked"), 400, 501),
    refused("coding: an empty member last", _coding(b" chunked,"), 400, 501),
    refused("coding: empty", _coding(b""), 400, 501),
    refused("coding: a vertical tab before it", _coding(b"\x0bchunked")),
    refused("coding: a NUL after it", _coding(b" chunked\x00")),
    refused("coding: a non-breaking space before it", _coding(b" \xa0chunked"), 400, 501),
    refused("coding: a Kelvin sign, which lower() makes a k", _coding(" chun\u212aed".encode()), 400, 501),
    refused("coding: a space before the colon", post_raw(b"Transfer-Encoding : chunked", data=CHUNKED_BODY)),
    refused("coding: a tab before the colon", post_raw(b"Transfer-Encoding\t: chunked", data=CHUNKED_BODY)),
    refused("coding: folded", post_raw(b"Transfer-Encoding:", b" chunked", data=CHUNKED_BODY)),
    refused("coding: hidden in a fold", post_raw(b"X: 1", b" Transfer-Encoding: chunked", data=CHUNKED_BODY)),
    refused("coding: behind a bare LF", post_raw(b"X: 1\nTransfer-Encoding: chunked", _LENGTH)),
    refused("coding: behind a bare CR", post_raw(b"X: 1\rTransfer-Encoding: chunked", _LENGTH)),
    refused(
        "coding: the first line is indented",
        head(b"POST", PATH, b" " + CHUNKED, HOST) + CHUNKED_BODY,
    ),
    refused("coding: in HTTP/1.0", post_raw(CHUNKED, data=CHUNKED_BODY, version=b"HTTP/1.0")),
    refused(
        "coding: in HTTP/1.0 with keep-alive",
        post_raw(b"Connection: keep-alive", CHUNKED, data=CHUNKED_BODY, version=b"HTTP/1.0"),
    ),
    served("coding: in capitals", _coding(b" CHUNKED")),
    served("coding: a tab before it", _coding(b"\tchunked")),
    served("coding: a tab after it", _coding(b" chunked\t")),
    served("coding: a header that only looks like it", post(b"Transfer_Encoding: chunked", b"TE: chunked")),
    answered_locally(
        "body on GET, by length", head(b"GET", b"/health", HOST, length_of(FOLLOWER)) + FOLLOWER, 200
    ),
    answered_locally(
        "body on GET, in chunks", head(b"GET", b"/health", HOST, CHUNKED) + chunk(FOLLOWER) + LAST_CHUNK, 200
    ),
    answered_locally(
        "body on an unknown path",
        head(b"POST", b"/nowhere", HOST, length_of(FOLLOWER)) + FOLLOWER,
        404,
        method=b"POST",
    ),
)

_EXTENSION_FITS = b";" + b"a" * (250 - len(b"%x" % len(BODY)))
_SPLIT = chunk(BODY[:7]), chunk(BODY[7:])

CHUNKS = (
    refused("chunk: plus", _chunks(b"+" + CHUNKED_BODY)),
    refused("chunk: minus", _chunks(b"-" + CHUNKED_BODY)),
    refused("chunk: 0x", _chunks(b"0x" + CHUNKED_BODY)),
    refused("chunk: a space before the size", _chunks(b" " + CHUNKED_BODY)),
    refused("chunk: a space after the size", _chunks(chunk(BODY, b" ") + LAST_CHUNK)),
    refused("chunk: a tab after the size", _chunks(chunk(BODY, b"\t") + LAST_CHUNK)),
    refused("chunk: a space before the extension", _chunks(chunk(BODY, b" ;a=b") + LAST_CHUNK)),
    refused("chunk: an underscore, which int() takes", _chunks(b"0_" + CHUNKED_BODY)),
    refused("chunk: an empty size", _chunks(b"\r\n" + CHUNKED_BODY)),
    refused("chunk: an extension alone", _chunks(b";a\r\n" + CHUNKED_BODY)),
    refused("chunk: a size that is no number", _chunks(b"xyz\r\n" + CHUNKED_BODY)),
    refused("chunk: no size at all", _chunks(BODY + b"\r\n")),
    refused("chunk: 17 digits", _chunks(b"%017x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY))),
    refused(
        "chunk: 17 digits that overflow to the right size",
        _chunks(b"1%016x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)),
    ),
    refused("chunk: the largest size there is", _chunks(b"ffffffffffffffff\r\n" + BODY), 400, 413),
    refused("chunk: 2^63", _chunks(b"8000000000000000\r\n" + BODY), 400, 413),
    refused("chunk: larger than we take", _chunks(b"4000001\r\n" + BODY), 413),
    refused("chunk: the second one is too much", _chunks(chunk(BODY) + b"4000000\r\n" + BODY), 413),
    refused("chunk: 400 zeros", _chunks(b"0" * 400 + CHUNKED_BODY)),
    refused("chunk: data longer than told", _chunks(b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY) - 2, BODY))),
    refused("chunk: data shorter than told", _chunks(b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY) + 2, BODY))),
    refused("chunk: no line end after the data", _chunks(b"%x\r\n%b0\r\n\r\n" % (len(BODY), BODY))),
    refused("chunk: LF after the data", _chunks(b"%x\r\n%b\n0\r\n\r\n" % (len(BODY), BODY))),
    refused("chunk: CR and no LF after the data", _chunks(b"%x\r\n%b\r0\r\n\r\n" % (len(BODY), BODY))),
    refused("chunk: LF after the size", _chunks(b"%x\n%b\r\n0\r\n\r\n" % (len(BODY), BODY))),
    refused("chunk: CR and no LF after the size", _chunks(b"%x\r%b\r\n0\r\n\r\n" % (len(BODY), BODY))),
    refused("chunk: LF after the last size", _chunks(chunk(BODY) + b"0\n\r\n")),
    refused("chunk: LF at the very end", _chunks(chunk(BODY) + b"0\r\n\n")),
    refused("chunk: LF in the extension", _chunks(chunk(BODY, b";a\nb") + LAST_CHUNK)),
    refused("chunk: CR in the extension", _chunks(chunk(BODY, b";a\rb") + LAST_CHUNK)),
    refused("chunk: NUL in the extension", _chunks(chunk(BODY, b";a\x00b") + LAST_CHUNK)),
    refused(
        "chunk: a line of 257 bytes",
        _chunks(chunk(BODY, b";" + b"a" * (256 - len(b"%x" % len(BODY)))) + LAST_CHUNK),
    ),
    refused("chunk: an extension of 64 KiB", _chunks(chunk(BODY, b";" + b"a" * 65536) + LAST_CHUNK)),
    refused("chunk: an extension without an end", _chunks(b"5;" + b"a" * 65536)),
    refused("chunk: the last size has a sign", _chunks(chunk(BODY) + b"-0\r\n\r\n")),
    served("chunk: in two", _chunks(b"".join(_SPLIT) + LAST_CHUNK)),
    served("chunk: a byte each", _chunks(b"".join(chunk(bytes([byte])) for byte in BODY) + LAST_CHUNK)),
    served(
        "chunk: 2,000 with a byte each",
        _chunks(chunk(b" ") * 2_000 + chunk(BODY) + LAST_CHUNK),
        b" " * 2_000 + BODY,
    ),
    refused("chunk: 20,000 with a byte each", _chunks(chunk(b" ") * 20_000 + chunk(BODY) + LAST_CHUNK)),
    refused(
        "chunk: 20,000 with a byte and an extension each",
        _chunks(chunk(b" ", b";a=b") * 20_000 + chunk(BODY) + LAST_CHUNK),
    ),
    served("chunk: in two writes", (_chunks(_SPLIT[0]), _SPLIT[1] + LAST_CHUNK)),
    served("chunk: 16 digits", _chunks(b"%016X\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY))),
    served("chunk: a long last size", _chunks(chunk(BODY) + b"0000000000000000\r\n\r\n")),
    served("chunk: an extension", _chunks(chunk(BODY, b';a=b;c="d e"') + b"0;end\r\n\r\n")),
    served("chunk: the longest extension", _chunks(chunk(BODY, _EXTENSION_FITS) + LAST_CHUNK)),
    answered_locally("chunk: none but the last one", _chunks(LAST_CHUNK), 400, method=b"POST"),
    unfinished("chunk: no last one", _chunks(chunk(BODY))),
    unfinished("chunk: no empty line after the last one", _chunks(chunk(BODY) + b"0\r\n")),
    unfinished("chunk: ends in the middle", _chunks(chunk(BODY)[:-9])),
)


def _trailers(*lines: bytes) -> bytes:
    return _chunks(chunk(BODY) + b"0\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n")


TRAILERS = (
    served("trailer: dropped", _trailers(b"X-Checksum: 1", b"X-Other:")),
    served("trailer: Host, dropped", _trailers(b"Host: evil.example")),
    served("trailer: Content-Length, dropped", _trailers(b"Content-Length: 5")),
    served("trailer: Transfer-Encoding, dropped", _trailers(b"Transfer-Encoding: gzip")),
    served("trailer: Connection, dropped", _trailers(b"Connection: close")),
    served("trailer: as many as fit", _trailers(*(b"a: b" for _ in range(98)))),
    refused("trailer: no colon", _trailers(b"X-Checksum")),
    refused("trailer: a space before the colon", _trailers(b"X-Checksum : 1")),
    refused("trailer: folded", _trailers(b"X-Checksum: 1", b" 2")),
    refused("trailer: a NUL", _trailers(b"X-Checksum: \x00")),
    refused("trailer: LF as its end", _trailers(b"X: 1\nY: 2")),
    refused("trailer: a request in its place", _chunks(chunk(BODY) + b"0\r\n" + FOLLOWER)),
    refused("trailer: 101 of them", _trailers(*(b"a: b" for _ in range(101))), 431),
    refused("trailer: 20,000 of them", _trailers(*(b"a: b" for _ in range(20_000))), 431),
    refused("trailer: a line of 17 KiB", _trailers(b"X: " + b"a" * 17 * 1024), 431),
    refused("trailer: three lines of 11 KiB", _trailers(*(b"X: " + b"a" * 11 * 1024 for _ in range(3))), 431),
)

FRAMING: tuple[Case, ...] = LENGTHS + SMUGGLING + CHUNKS + TRAILERS
