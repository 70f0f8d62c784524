"""Parsing of configured API keys."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.app.settings.access_keys import KEY_FIELDS, parse_keys
from gglib.core.api_keys import ApiKey, KeyLimits
from gglib.core.priority import Priority

VISIBLE = "".join(chr(code) for code in range(33, 127))
NAMES = st.text(string.ascii_letters + string.digits, min_size=1, max_size=64).filter(
    lambda name: name not in {"local", *KEY_FIELDS}
)
KEYS = st.text(VISIBLE, min_size=8, max_size=512)


@given(st.lists(st.tuples(NAMES, KEYS), unique_by=(lambda entry: entry[0], lambda entry: entry[1])))
def test_table_is_accepted_unchanged(entries: list[tuple[str, str]]) -> None:
    """Valid names and keys are returned in their order, as admin keys."""
    assert list(parse_keys(dict(entries)).items()) == [(name, ApiKey.admin(key)) for name, key in entries]


@pytest.mark.parametrize(
    ("line", "keys"),
    [
        ("a-long-key", {"key1": "a-long-key"}),
        (" a-long-key , another-key ", {"key1": "a-long-key", "key2": "another-key"}),
        ("alice=a-long-key,another-key", {"alice": "a-long-key", "key2": "another-key"}),
        ("alice = a-long-key", {"alice": "a-long-key"}),
        ("alice=YWxpY2VhbGljZQ==", {"alice": "YWxpY2VhbGljZQ=="}),
        ("YWxpY2VhbGljZQ==", {"key1": "YWxpY2VhbGljZQ=="}),
        ("YWxpY2VhbGljZTE=", {"key1": "YWxpY2VhbGljZTE="}),
    ],
)
def test_line_has_keys_with_or_without_names(line: str, keys: dict[str, str]) -> None:
    """The text before ``=`` is a name, unless only base64 padding follows."""
    assert parse_keys(line) == {name: ApiKey.admin(key) for name, key in keys.items()}


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (None, "table"),
        (True, "table"),
        (["a-long-key"], "table"),
        ("", "key 1 must be 8 to 512"),
        ("a-long-key,", "key 2 must be 8 to 512"),
        ("alice=", "key 1 must be 8 to 512"),
        ("alice=short", "key 1 must be 8 to 512"),
        ("=a-long-key", "the name of key 1"),
        ("al ice=a-long-key", "the name of key 1"),
        ("key2=a-long-key,another-key", "key 2 has the name"),
        ({"alice": 12345678}, "key 1 must be 8 to 512"),
        ({"alice": {}}, "key 1 has no 'key'"),
        ({"alice": {"key": "a-long-key", "model": []}}, "did you mean 'models'?"),
        ({"alice": {"key": 1}}, "key 1 must be 8 to 512"),
        ({"alice": {"key": "a-long-key", "scope": "a-long-key"}}, "key 'alice' has an unknown entry"),
        ({"alice": {"key": "a-long-key", "admin": 1}}, "key 'alice' must have 'admin = true'"),
        ({"alice": {"key": "a-long-key", "models": "a-long-name"}}, "key 'alice' must have a list"),
        ({"alice": {"key": "a-long-key", "models": []}}, "key 'alice' must have a list"),
        ({"alice": {"key": "a-long-key", "models": [1]}}, "key 'alice' must have a list"),
        ({"alice": {"key": "a-long-key", "models": [""]}}, "key 'alice' must have a list"),
        (
            {"alice": {"key": "a-long-key", "models": ["x"], "admin": True}},
            "key 'alice' has 'admin = true' and 'models'",
        ),
        (
            {"alice": {"key": "a-long-key", "priority": "a-long-word"}},
            "key 'alice' must have one of interactive, batch",
        ),
        ({"alice": {"key": "a-long-key", "rpm": 0}}, "must have a whole number from 1 to 1,000,000 as 'rpm'"),
        ({"alice": {"key": "a-long-key", "rpm": 1_000_001}}, "from 1 to 1,000,000 as 'rpm'"),
        ({"alice": {"key": "a-long-key", "tpm": 1.5}}, "from 1 to 1,000,000,000 as 'tpm'"),
        ({"alice": {"key": "a-long-key", "parallel": True}}, "from 1 to 10,000 as 'parallel'"),
        ({"alice": {"key": "a-long-key", "parallel": "4"}}, "from 1 to 10,000 as 'parallel'"),
        ({"alice": {"key": "a-long-key", "rmp": 4}}, "did you mean 'rpm'"),
        ({"alice": {"key": "a-long-key", "priority": 1}}, "key 'alice' must have one of interactive, batch"),
        ({"bob": "a-long-key", "alice": {"key": "a-long-key"}}, "key 2 is the same"),
        ({"alice": "1234567"}, "key 1 must be 8 to 512"),
        ({"alice": "x" * 513}, "key 1 must be 8 to 512"),
        ({"alice": "a long key"}, "key 1 must be 8 to 512"),
        ({"alice": "a-l\u00f6ng-key"}, "key 1 must be 8 to 512"),
        ({"alice": "a-long-key\n"}, "key 1 must be 8 to 512"),
        ({"": "a-long-key"}, "the name of key 1"),
        ({"x" * 65: "a-long-key"}, "the name of key 1"),
        ({"-alice": "a-long-key"}, "the name of key 1"),
        ({"local": "a-long-key"}, "gglib's own"),
        ({"alice": "a-long-key", "bob": "a-long-key"}, "key 2 is the same"),
    ],
)
def test_invalid_key_is_named_by_its_position(value: object, why: str) -> None:
    """The sentence has the position and the reason, and no part of the key."""
    with pytest.raises(ValueError, match=why) as refused:
        parse_keys(value)
    assert "long" not in str(refused.value)


@pytest.mark.parametrize("key", ["12345678", "x" * 512, VISIBLE])
def test_key_length_limits_are_inclusive(key: str) -> None:
    """8 and 512 characters, and each visible one."""
    assert parse_keys({"alice": key}) == {"alice": ApiKey.admin(key)}


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ({}, ApiKey(key="a-long-key")),
        ({"admin": False, "models": ["*"]}, ApiKey(key="a-long-key")),
        ({"admin": True}, ApiKey(key="a-long-key", is_admin=True)),
        (
            {"admin": True, "models": ["chat*", "*"]},
            ApiKey(key="a-long-key", models=("chat*", "*"), is_admin=True),
        ),
        ({"models": ["chat*", "embed"]}, ApiKey(key="a-long-key", models=("chat*", "embed"))),
        ({"priority": "batch"}, ApiKey(key="a-long-key", priority=Priority.BATCH)),
        ({"priority": "interactive"}, ApiKey(key="a-long-key", priority=Priority.INTERACTIVE)),
        ({"rpm": 1}, ApiKey(key="a-long-key", limits=KeyLimits(rpm=1))),
        (
            {"rpm": 1_000_000, "tpm": 1_000_000_000, "parallel": 10_000},
            ApiKey(key="a-long-key", limits=KeyLimits(rpm=1_000_000, tpm=1_000_000_000, parallel=10_000)),
        ),
    ],
)
def test_table_of_a_key_has_its_rights(table: dict[str, object], key: ApiKey) -> None:
    """A table without further entries is a key for all models without admin rights."""
    assert parse_keys({"alice": {"key": "a-long-key", **table}}) == {"alice": key}


@pytest.mark.parametrize("name", KEY_FIELDS)
def test_an_entry_without_the_name_of_its_key_is_refused(name: str) -> None:
    """``priority = "interactive"`` right below ``[api_keys]`` would be a key with all rights."""
    with pytest.raises(ValueError, match=r"begin its table with \[api_keys.NAME\]"):
        parse_keys({name: "interactive"})
