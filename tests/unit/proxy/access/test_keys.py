"""API keys: which requests carry one, and that keys never appear in output."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.core.api_keys import ApiKey
from gglib.core.priority import Priority
from gglib.http.headers import Headers
from gglib.proxy.access.grants import Grant
from gglib.proxy.access.keys import AccessKeys
from gglib.proxy.errors import ErrorResponse, UnauthorizedError, to_error_response

ALICE, BOB = "alice-key-0123456789", "bob-key-0123456789=="
KEYS = AccessKeys({"alice": ALICE, "bob": BOB})

RIGHT: list[tuple[Headers, str]] = [
    ([(b"authorization", f"Bearer {ALICE}".encode())], "alice"),
    ([(b"authorization", f"bearer {BOB}".encode())], "bob"),
    ([(b"authorization", f"BEARER   {BOB}".encode())], "bob"),
    ([(b"x-api-key", ALICE.encode())], "alice"),
    ([(b"accept", b"*/*"), (b"x-api-key", BOB.encode()), (b"cookie", b"a=b")], "bob"),
    ([(b"x-api-key", ALICE.encode()), (b"authorization", f"Bearer {ALICE}".encode())], "alice"),
    ([(b"x-api-key", ALICE.encode()), (b"x-api-key", ALICE.encode())], "alice"),
]

WRONG: list[Headers] = [
    [],
    [(b"accept", b"*/*")],
    [(b"authorization", b"")],
    [(b"authorization", b"Bearer")],
    [(b"authorization", b"Bearer ")],
    [(b"authorization", b"Bearer wrong-key-0123456789")],
    [(b"authorization", f"Bearer {ALICE[:-1]}".encode())],
    [(b"authorization", f"Bearer {ALICE}x".encode())],
    [(b"authorization", f"Bearer {ALICE.upper()}".encode())],
    [(b"authorization", f"Bearer {ALICE} {ALICE}".encode())],
    [(b"authorization", f"Bearer\t{ALICE}".encode())],
    [(b"authorization", f" Bearer {ALICE}".encode())],
    [(b"authorization", f"Bearer{ALICE}".encode())],
    [(b"authorization", f"Basic {ALICE}".encode())],
    [(b"authorization", ALICE.encode())],
    [(b"authorization", b"Bearer alice")],
    [(b"authorization", b"\xff\xfe")],
    [(b"x-api-key", b"")],
    [(b"x-api-key", f"Bearer {ALICE}".encode())],
    [(b"x-api-key", b"\xff" * 10_000)],
    [(b"api-key", ALICE.encode())],
    [(b"cookie", ALICE.encode())],
    [(b"proxy-authorization", f"Bearer {ALICE}".encode())],
    # Two credentials that do not say the same.
    [(b"x-api-key", ALICE.encode()), (b"authorization", f"Bearer {BOB}".encode())],
    [(b"x-api-key", ALICE.encode()), (b"x-api-key", BOB.encode())],
    [(b"x-api-key", ALICE.encode()), (b"authorization", b"Basic abc")],
    [(b"x-api-key", ALICE.encode()), (b"authorization", b"")],
    [(b"authorization", b"Bearer nonsense"), (b"authorization", f"Bearer {ALICE}".encode())],
    [(b"authorization", f"Bearer {ALICE}".encode()), (b"x-api-key", b"nonsense")],
]


def name_of(keys: AccessKeys, headers: Headers) -> str | None:
    """Return the name of the key that a request carries."""
    grant = keys.check(headers)
    return None if grant is None else grant.key_name


def refusal(headers: Headers, keys: AccessKeys = KEYS) -> ErrorResponse:
    """Return the error response to a request without a good key."""
    with pytest.raises(UnauthorizedError) as refused:
        keys.check(headers)
    return to_error_response(refused.value)


@pytest.mark.parametrize(("headers", "name"), RIGHT)
def test_good_key_gives_its_name(headers: Headers, name: str) -> None:
    """The key may be in either header, the scheme in any case; several headers with the same key count as one."""
    assert name_of(KEYS, headers) == name


def test_refusals_do_not_differ() -> None:
    """Status, headers and body do not say whether a key was missing, malformed, wrong or contradicted."""
    responses = {refusal(headers) for headers in WRONG}
    assert len(responses) == 1
    (error_response,) = responses
    assert (error_response.status, error_response.headers) == (401, ((b"www-authenticate", b"Bearer"),))
    assert b'"code":"invalid_api_key"' in error_response.body


@given(st.binary(max_size=60), st.sampled_from([b"authorization", b"x-api-key"]))
def test_random_credentials_are_refused(value: bytes, header: bytes) -> None:
    """Random credentials get the same response as no credentials."""
    assert refusal([(header, value)]) == refusal([])


def test_ten_thousand_wrong_keys_get_the_same_response() -> None:
    """Keys that differ from a good one in one place only, or in length, are all refused alike."""
    near = [ALICE[:at] + chr(33 + n % 94) + ALICE[at + 1 :] for n in range(500) for at in range(len(ALICE))]
    wrong = [key for key in near if key != ALICE]
    assert len(wrong) > 9_000
    assert {refusal([(b"x-api-key", key.encode())]) for key in wrong} == {refusal([])}


@pytest.mark.parametrize("headers", [headers for headers, _ in RIGHT] + WRONG)
def test_without_keys_any_credentials_pass(headers: Headers) -> None:
    """Without configured keys any credentials are accepted, because most clients insist on sending a key."""
    keys = AccessKeys({})
    assert keys.check(headers) is None
    assert not keys
    assert KEYS


def test_position_of_a_key_does_not_matter() -> None:
    """The first and the last of many keys are found; a key under two names has the first."""
    many = AccessKeys({f"n{n}": f"key-{n:020}" for n in range(50)} | {"again": f"key-{7:020}"})
    names = [name_of(many, [(b"x-api-key", f"key-{n:020}".encode())]) for n in (0, 49, 7)]
    assert names == ["n0", "n49", "n7"]


@pytest.mark.parametrize("key", [f"key-{0:020}", f"key-{49:020}", f"key-{50:020}"])
def test_every_key_is_compared(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    """The first key, the last one and an unknown one cost the same comparisons, each of whole digests."""
    compared: list[tuple[int, int]] = []

    def compare_digest(left: bytes, right: bytes) -> bool:
        compared.append((len(left), len(right)))
        return left == right

    monkeypatch.setattr("gglib.proxy.access.keys.hmac.compare_digest", compare_digest)
    with contextlib.suppress(UnauthorizedError):
        AccessKeys({f"n{n}": f"key-{n:020}" for n in range(50)}).check([(b"x-api-key", key.encode())])
    assert compared == [(32, 32)] * 51


def test_text_is_an_admin_key_and_a_value_has_its_rights() -> None:
    """The old form of a key has all rights; an ``ApiKey`` only those that it names."""
    limited = ApiKey(key=BOB, models=("chat*",), priority=Priority.BATCH)
    keys = AccessKeys({"alice": ALICE, "bob": limited, "carol": ApiKey(key="carol-key")})
    alice, bob, carol = (
        keys.check([(b"x-api-key", key)]) for key in (ALICE.encode(), BOB.encode(), b"carol-key")
    )
    assert alice == Grant("alice", is_admin=True, models=None, priority=None)
    assert bob is not None
    assert bob.models is not None
    assert (bob.is_admin, bob.priority) == (False, Priority.BATCH)
    assert carol == Grant("carol", is_admin=False, models=None, priority=None)


def test_empty_key_is_rejected() -> None:
    """An empty key would accept every client that sends an empty header."""
    with pytest.raises(ValueError, match="empty"):
        AccessKeys({"alice": ALICE, "nobody": ""})


def test_keys_are_never_shown() -> None:
    """Neither the repr of the keys nor an error contains a key."""
    assert ALICE not in repr(KEYS)
    assert ALICE.encode() not in refusal([(b"x-api-key", f"{ALICE}x".encode())]).body
