"""The head: line ends, request line, versions, header lines and their limits, Host (RFC 9112, sections 2 to 5)."""

from .cases import (
    BODY,
    HOST,
    PATH,
    After,
    Case,
    answered_locally,
    head,
    length_of,
    post,
    refused,
    served,
)

_KIB = 1024


def _get(target: bytes) -> bytes:
    return head(b"GET", target, HOST)


def _line(line: bytes) -> bytes:
    return line + b"\r\n" + HOST + b"\r\n" + length_of(BODY) + b"\r\n\r\n" + BODY


LINES = (
    refused("line ends: LF everywhere", post().replace(b"\r\n", b"\n")),
    refused("line ends: LF after the request line", post().replace(b"\r\n", b"\n", 1)),
    refused("line ends: LF after a header", post().replace(b"127.0.0.1\r\n", b"127.0.0.1\n")),
    refused(
        "line ends: LF as the empty line", head(b"POST", PATH, HOST, length_of(BODY))[:-2] + b"\n" + BODY
    ),
    refused(
        "line ends: CR everywhere, so there is no end to wait for", post().replace(b"\r\n", b"\r"), 400, 408
    ),
    refused("line ends: CR CR LF", post().replace(b"\r\n", b"\r\r\n", 1)),
    refused("line ends: LF CR", post().replace(b"\r\n", b"\n\r", 1)),
    refused("line ends: LF before the request line", b"\n" + post()),
    refused("line ends: CR before the request line", b"\r" + post()),
    refused("line ends: a space before the request line", b" " + post()),
    refused("line ends: a byte order mark before the request line", b"\xef\xbb\xbf" + post()),
    served("empty line before the request line", b"\r\n" + post()),
    served("empty lines before the request line", b"\r\n\r\n\r\n" + post()),
)

REQUEST_LINE = (
    refused("request line: two spaces after the method", _line(b"POST  " + PATH + b" HTTP/1.1")),
    refused("request line: two spaces before the version", _line(b"POST " + PATH + b"  HTTP/1.1")),
    refused("request line: a space at its end", _line(b"POST " + PATH + b" HTTP/1.1 ")),
    refused("request line: a tab for a space", _line(b"POST\t" + PATH + b" HTTP/1.1")),
    refused("request line: a tab before the version", _line(b"POST " + PATH + b"\tHTTP/1.1")),
    refused("request line: a vertical tab for a space", _line(b"POST\x0b" + PATH + b" HTTP/1.1")),
    refused("request line: no target", _line(b"POST HTTP/1.1")),
    refused("request line: an empty target", _line(b"POST  HTTP/1.1")),
    refused("request line: a fourth word", _line(b"POST " + PATH + b" x HTTP/1.1")),
    refused("request line: one word", _line(b"POST")),
    refused("request line: another protocol", _line(b"SSH-2.0-OpenSSH_9.6")),
    refused("request line: the beginning of TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
    refused("method: empty", _line(b" " + PATH + b" HTTP/1.1")),
    refused("method: a parenthesis", _line(b"PO(ST " + PATH + b" HTTP/1.1")),
    refused("method: a NUL", _line(b"PO\x00ST " + PATH + b" HTTP/1.1")),
    refused("method: a letter that is not ASCII", _line("PÖST ".encode() + PATH + b" HTTP/1.1")),
    refused("method: CONNECT to an authority", head(b"CONNECT", b"127.0.0.1:80", HOST)),
    refused("method: without an end", b"A" * 70_000, 400, 414, 431),
    answered_locally(
        "method: in lower case, which is another one", _line(b"post " + PATH + b" HTTP/1.1"), 405
    ),
    answered_locally("method: made up", head(b"BREW", b"/health", HOST), 405),
    answered_locally("method: TRACE", head(b"TRACE", b"/health", HOST), 405),
    answered_locally("method: CONNECT to a path", head(b"CONNECT", b"/health", HOST), 405),
    answered_locally(
        "method: OPTIONS *", head(b"OPTIONS", b"*", HOST), 200, 204, 404, 405, method=b"OPTIONS"
    ),
    answered_locally("method: GET where only POST is", _get(PATH), 405),
    answered_locally("method: HEAD where only POST is", head(b"HEAD", PATH, HOST), 405, method=b"HEAD"),
    answered_locally("method: HEAD where GET is", head(b"HEAD", b"/v1/models", HOST), 200, method=b"HEAD"),
    refused("target: * with GET", _get(b"*"), method=b"GET"),
    refused("target: no slash", _get(b"v1/models")),
    refused("target: a backslash", _get(b"\\v1\\models")),
    refused("target: a fragment", _get(b"/v1/models#x")),
    refused("target: a fragment in the query", _get(b"/v1/models?a#b")),
    refused("target: a letter that is not ASCII", _get("/v1/modèls".encode())),
    refused("target: a NUL", _get(b"/v1/models\x00")),
    refused("target: a DEL", _get(b"/v1/models\x7f")),
    refused("target: an escape character", _get(b"/v1/models?\x1b[2J")),
    refused("target: a space in the query", _get(b"/v1/models?a b")),
    refused("target: 8 KiB and a byte", _get(b"/" + b"a" * 8 * _KIB), 414),
    refused("target: 8 KiB and a byte, by its query", _get(b"/health?" + b"a" * (8 * _KIB - 7)), 414),
    refused("target: 40 KiB", _get(b"/" + b"a" * 40 * _KIB), 414, 431),
    refused("target: without an end", b"GET /" + b"a" * 70_000, 414, 431),
    served("target: 8 KiB", post(target=PATH + b"?" + b"a" * (8 * _KIB - 1 - len(PATH)))),
    served("target: a query with everything in it", post(target=PATH + b"?a=%00%ff/../?&;[]{}|^`\"<>'")),
    answered_locally("target: an escaped letter is another path", _get(b"/v1/%6dodels"), 404),
    answered_locally("target: an escaped slash is another path", _get(b"/v1%2fmodels"), 404),
    answered_locally("target: two slashes are one", _get(b"//v1/models"), 200),
    answered_locally("target: two slashes inside are one", _get(b"/v1//models"), 200),
    answered_locally("target: a slash at the end is none", _get(b"/health/"), 200),
    answered_locally("target: a doubled version counts once", _get(b"/v1/v1/models"), 200),
    answered_locally("target: OpenAI's path without its version", _get(b"/models"), 200),
    served("target: POST without its version", post(target=b"/chat/completions")),
    served("target: POST with slashes around", post(target=b"//v1//chat/completions/?a=/b//c/")),
    answered_locally("target: an authority in the path is a path", _get(b"//evil.example/v1/models"), 404),
    answered_locally("target: dots are another path", _get(b"/v1/../health"), 404),
    answered_locally("target: a semicolon is another path", _get(b"/health;x"), 404),
    answered_locally("target: another case is another path", _get(b"/HEALTH"), 404),
)


def _version(version: bytes) -> bytes:
    return _line(b"POST " + PATH + b" " + version)


VERSIONS = (
    refused("version: none, as in HTTP/0.9", _line(b"GET /health")),
    refused("version: 0.9", _version(b"HTTP/0.9"), 505),
    refused("version: 2.0", _version(b"HTTP/2.0"), 505),
    refused("version: 3.1", _version(b"HTTP/3.1"), 505),
    refused("version: 9.9", _version(b"HTTP/9.9"), 505),
    refused("version: 2", _version(b"HTTP/2")),
    refused("version: 1", _version(b"HTTP/1")),
    refused("version: 1.", _version(b"HTTP/1.")),
    refused("version: 1.10", _version(b"HTTP/1.10")),
    refused("version: 01.1", _version(b"HTTP/01.1")),
    refused("version: 11.1", _version(b"HTTP/11.1")),
    refused("version: 1,1", _version(b"HTTP/1,1")),
    refused("version: 1.1x", _version(b"HTTP/1.1x")),
    refused("version: +1.1", _version(b"HTTP/+1.1")),
    refused("version: a digit that is not ASCII", _version("HTTP/1.\u0661".encode())),
    refused("version: a superscript, which isdigit() takes", _version(b"HTTP/1.\xb9")),
    refused("version: in lower case", _version(b"http/1.1")),
    refused("version: of another protocol", _version(b"ICY/1.1")),
    refused("version: HTTP/2's preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, 505),
    served("version: 1.2, which is served as 1.1", _version(b"HTTP/1.2")),
    served("version: 1.9, which is served as 1.1", _version(b"HTTP/1.9")),
)

HEADERS = (
    refused("header: no colon", post(b"X-A")),
    refused("header: no name", post(b": x")),
    refused("header: a space before the colon", post(b"X-A : x")),
    refused("header: a space in the name", post(b"X A: x")),
    refused("header: a parenthesis in the name", post(b"X(A): x")),
    refused("header: a NUL in the name", post(b"X\x00A: x")),
    refused("header: a letter in the name that is not ASCII", post("X-Ä: x".encode())),
    refused("header: a slash in the name", post(b"X/A: x")),
    refused("header: a NUL in the value", post(b"X-A: a\x00b")),
    refused("header: a bare CR in the value", post(b"X-A: a\rb")),
    refused("header: a bare CR at the value's end", post(b"X-A: a\r")),
    refused("header: a bare LF in the value", post(b"X-A: a\nX-B: b")),
    refused("header: a bell in the value", post(b"X-A: \x07")),
    refused("header: an escape character in the value", post(b"X-A: \x1b[2J")),
    refused("header: a vertical tab in the value", post(b"X-A: a\x0bb")),
    refused("header: a DEL in the value", post(b"X-A: \x7f")),
    refused("header: folded by a space", post(b"X-A: a", b" b")),
    refused("header: folded by a tab", post(b"X-A: a", b"\tb")),
    refused("header: the first line folds the request line", _line(b"POST " + PATH + b" HTTP/1.1\r\n X: 1")),
    refused("header: a line of spaces", post(b"   ")),
    served("header: an empty value", post(b"X-A:")),
    served("header: a tab in the value", post(b"X-A: a\tb")),
    served("header: bytes that are not ASCII in the value", post("X-A: é".encode())),
    served("header: every character that a name may have", post(b"!#$%&'*+-.^_`|~09azAZ: x")),
    served("header: a name twice", post(b"X-A: 1", b"X-A: 2")),
    served("header: colons in the value", post(b"X-A::: :")),
)


def _filled_to(total: int) -> bytes:
    """Return a head of ``total`` bytes, in lines that are no longer than 15 KiB."""
    lines = [b"X: " + b"a" * 15 * _KIB] * 2
    missing = total - len(head(b"POST", PATH, HOST, *lines, length_of(BODY))) - len(b"Y: \r\n")
    return post(*lines, b"Y: " + b"a" * missing)


LIMITS = (
    served("limit: 100 lines", post(*(b"a: b" for _ in range(98)))),
    served("limit: a line of 16 KiB with its end", post(b"X: " + b"a" * (16 * _KIB - 5))),
    served("limit: 32 KiB in all", _filled_to(32 * _KIB)),
    refused("limit: 101 lines", post(*(b"a: b" for _ in range(99))), 431),
    refused("limit: a line of 16 KiB and a byte", post(b"X: " + b"a" * (16 * _KIB - 2)), 431),
    refused("limit: a name of 16 KiB and a byte", post(b"X" * (16 * _KIB - 1) + b": "), 431),
    refused("limit: 32 KiB and a few bytes in all", _filled_to(32 * _KIB + 8), 431),
    refused("limit: three lines of 11 KiB", post(*(b"X: " + b"a" * 11 * _KIB for _ in range(3))), 431),
    refused("limit: a line of 128 KiB", post(b"X: " + b"a" * 128 * _KIB), 431),
    refused("limit: a line without an end", post()[:40] + b"\r\nX: " + b"a" * 70_000, 400, 431),
    refused("limit: 20,000 headers", post(*(b"a: b" for _ in range(20_000))), 431),
    refused("limit: headers without an end", head(b"POST", PATH, HOST)[:-2] + b"a: b\r\n" * 20_000, 431),
)


def _host(*values: bytes) -> bytes:
    lines = tuple(b"Host:" + value for value in values)
    return head(b"POST", PATH, *lines, length_of(BODY)) + BODY


def _absolute(target: bytes, host: bytes = HOST) -> bytes:
    return post(target=target, host=host)


HOSTS = (
    refused("host: none", _host()),
    refused("host: none in HTTP/1.0", head(b"POST", PATH, length_of(BODY), version=b"HTTP/1.0") + BODY),
    refused("host: two that agree", _host(b" 127.0.0.1", b" 127.0.0.1")),
    refused("host: two that differ", _host(b" 127.0.0.1", b" evil.example")),
    refused("host: two that differ, ours last", _host(b" evil.example", b" 127.0.0.1")),
    refused("host: empty", _host(b"")),
    refused("host: a space alone", _host(b" ")),
    refused("host: a port alone", _host(b" :80")),
    refused("host: a list", _host(b" 127.0.0.1, 127.0.0.1")),
    refused("host: a list without a space", _host(b" 127.0.0.1,evil.example"), 400, 403),
    refused("host: a space inside", _host(b" 127.0.0.1 evil.example")),
    refused("host: a tab inside", _host(b" 127.0.0.1\tevil.example")),
    refused("host: userinfo", _host(b" user@127.0.0.1")),
    refused("host: userinfo with a password", _host(b" 127.0.0.1:80@evil.example")),
    refused("host: a scheme", _host(b" http://127.0.0.1")),
    refused("host: a path", _host(b" 127.0.0.1/")),
    refused("host: a query", _host(b" 127.0.0.1?x")),
    refused("host: a fragment", _host(b" 127.0.0.1#x")),
    refused("host: a backslash", _host(b" 127.0.0.1\\evil.example")),
    refused("host: a port that is no number", _host(b" 127.0.0.1:8a")),
    refused("host: a port with a sign", _host(b" 127.0.0.1:+80")),
    refused("host: two ports", _host(b" 127.0.0.1:80:80")),
    refused("host: a bracket that is not closed", _host(b" [::1")),
    refused("host: a bracket that is not opened", _host(b" ::1]")),
    refused("host: an IPv6 address without brackets", _host(b" ::1")),
    refused("host: something behind the bracket", _host(b" [::1]x")),
    refused("host: no address in the brackets", _host(b" [evil.example]"), 400, 403),
    refused("host: escaped", _host(b" %6cocalhost"), 400, 403),
    refused("host: a letter that is not ASCII", _host(" \uff4cocalhost".encode())),
    refused("host: a NUL", _host(b" localhost\x00.evil.example")),
    refused(
        "host: a space before the colon", head(b"POST", PATH, b"Host : 127.0.0.1", length_of(BODY)) + BODY
    ),
    refused("host: folded", head(b"POST", PATH, b"Host:", b" 127.0.0.1", length_of(BODY)) + BODY),
    refused("host: of somebody else", _host(b" evil.example"), 403),
    refused("host: begins like ours", _host(b" 127.0.0.1.evil.example"), 403),
    refused("host: ends like ours", _host(b" evil-localhost"), 403),
    refused("host: any address", _host(b" 0.0.0.0"), 403),
    refused("host: an address as one number", _host(b" 2130706433"), 400, 403),
    refused("host: an address in hexadecimal", _host(b" 0x7f.0.0.1"), 400, 403),
    refused("host: an address with a part left out", _host(b" 127.1"), 400, 403),
    refused(
        "host: somebody else's, in HTTP/1.0",
        head(b"GET", b"/v1/models", b"Host: evil.example", version=b"HTTP/1.0"),
        403,
    ),
    answered_locally(
        "host: of another server, for the health answer",
        head(b"GET", b"/health", b"Host: evil.example", version=b"HTTP/1.0"),
        200,
        after=After.CLOSED,
    ),
    answered_locally(
        "host: none, for the health answer in HTTP/1.0",
        b"GET /health HTTP/1.0\r\n\r\n",
        200,
        after=After.CLOSED,
    ),
    refused("host: none, for the health answer in HTTP/1.1", b"GET /health HTTP/1.1\r\n\r\n"),
    served("host: a name of this machine", _host(b" localhost")),
    served("host: in capitals, with a port", _host(b" LOCALHOST:8080")),
    served("host: an IPv6 address with a port", _host(b" [::1]:8080")),
    served("host: no space, tabs behind", _host(b"127.0.0.1:1\t\t")),
    served("target: absolute, and Host agrees", _absolute(b"http://127.0.0.1" + PATH)),
    served(
        "target: absolute with a port, and Host agrees",
        _absolute(b"http://127.0.0.1:81" + PATH, b"Host: 127.0.0.1:81"),
    ),
    refused("target: absolute, and Host disagrees", _absolute(b"http://evil.example" + PATH)),
    refused(
        "target: absolute, ours, and Host disagrees",
        _absolute(b"http://127.0.0.1" + PATH, b"Host: evil.example"),
        400,
        403,
    ),
    refused("target: absolute, and only the port disagrees", _absolute(b"http://127.0.0.1:81" + PATH)),
    refused("target: absolute, and no Host", head(b"GET", b"http://127.0.0.1/health")),
    refused("target: absolute with userinfo", _absolute(b"http://user@127.0.0.1" + PATH)),
    refused("target: absolute with a fragment", _absolute(b"http://127.0.0.1" + PATH + b"#x")),
    refused("target: absolute without an authority", _absolute(b"http://" + PATH)),
    refused("target: absolute of https, which is not spoken here", _absolute(b"https://127.0.0.1" + PATH)),
    refused("target: absolute of another scheme", _absolute(b"ftp://127.0.0.1" + PATH)),
    refused(
        "target: absolute, both of somebody else",
        _absolute(b"http://evil.example" + PATH, b"Host: evil.example"),
        403,
    ),
)


def _twice(name: bytes, one: bytes, other: bytes) -> bytes:
    return post(name + b": " + one, b"X-A: between", name.lower() + b": " + other)


REPEAT_RULES = (
    refused("repeated: Content-Type", _twice(b"Content-Type", b"application/json", b"application/json")),
    refused("repeated: X-Request-Id", _twice(b"X-Request-Id", b"a", b"b")),
    refused("repeated: Sec-Fetch-Site", _twice(b"Sec-Fetch-Site", b"cross-site", b"same-origin")),
    refused("repeated: Origin", _twice(b"Origin", b"http://localhost", b"http://localhost")),
    refused(
        "repeated: Access-Control-Request-Method",
        _twice(b"Access-Control-Request-Method", b"POST", b"GET"),
    ),
    refused(
        "repeated: Access-Control-Request-Private-Network",
        _twice(b"Access-Control-Request-Private-Network", b"true", b"false"),
    ),
    answered_locally(
        "repeated: Content-Encoding, the last one is none",
        _twice(b"Content-Encoding", b"gzip", b"identity"),
        415,
    ),
    answered_locally(
        "repeated: Content-Encoding, the first one is none",
        _twice(b"Content-Encoding", b"identity", b"gzip"),
        415,
    ),
    answered_locally("Content-Encoding: a list", post(b"Content-Encoding: identity, gzip"), 415),
    served(
        "repeated: Content-Encoding, both are none", _twice(b"Content-Encoding", b"identity", b"Identity")
    ),
    served("repeated: Prefer", _twice(b"Prefer", b"wait=5", b"respond-async")),
    served("repeated: Connection", _twice(b"Connection", b"keep-alive", b"x-a")),
    served("repeated: Accept, which is passed on", _twice(b"Accept", b"a/b", b"c/d")),
)

_MODELS = b"/v1/models/"

CONTROLS = (
    answered_locally("path: a line feed in a name", _get(_MODELS + b"a/b:Q4%0AX"), 400),
    answered_locally("path: a carriage return in a name", _get(_MODELS + b"a%0dX"), 400),
    answered_locally("path: a NUL in a name", _get(_MODELS + b"a%00"), 400),
    answered_locally("path: an escape character in a name", _get(_MODELS + b"a%1B]52;c;x"), 400),
    answered_locally("path: a DEL in a name", _get(_MODELS + b"a%7F"), 400),
    answered_locally("path: a C1 control in a name", _get(_MODELS + b"a%C2%9BX"), 400),
    answered_locally("path: Unicode's line separator in a name", _get(_MODELS + b"a%E2%80%A8X"), 400),
    answered_locally("path: a space in a name that is not there", _get(_MODELS + b"a%20b"), 404),
    refused("path: a raw line feed in a name", _get(_MODELS + b"a/b:Q4\nX")),
    refused("path: a raw carriage return in a name", _get(_MODELS + b"a/b:Q4\rX")),
)

HEAD: tuple[Case, ...] = LINES + REQUEST_LINE + VERSIONS + HEADERS + LIMITS + HOSTS + REPEAT_RULES + CONTROLS
