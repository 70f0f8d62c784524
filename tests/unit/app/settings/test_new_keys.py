"""Generated access keys, and their entries in ``config.toml``."""

import pytest

from gglib.app.settings.access_keys import parse_keys
from gglib.app.settings.new_keys import KeyRights, changed_entry, generate_key, key_entry, parse_limit
from gglib.core.errors import InvalidSettingError


def test_keys_are_long_different_and_valid() -> None:
    """At least 256 bits, in characters that need no quotes anywhere."""
    keys = {generate_key() for _ in range(20)}
    assert len(keys) == 20
    assert all(key.startswith("sk-") and len(key) == 46 and key.isascii() for key in keys)
    assert parse_keys({f"k{index}": key for index, key in enumerate(keys)})


@pytest.mark.parametrize(
    ("rights", "entry"),
    [
        (KeyRights(), {}),
        (KeyRights(is_admin=True), {"admin": True}),
        (KeyRights(limits={"rpm": 60, "tpm": None}), {"rpm": 60}),
        (KeyRights(models=("chat*", "x"), priority="batch"), {"models": ["chat*", "x"], "priority": "batch"}),
    ],
)
def test_an_entry_has_what_is_not_the_default(rights: KeyRights, entry: dict[str, object]) -> None:
    """And is accepted by the setting's parser."""
    made = key_entry("jobs.1", "12345678", rights, {"alice": "123456789"})
    assert made == {"key": "12345678", **entry}
    assert list(parse_keys({"jobs.1": made})) == ["jobs.1"]


@pytest.mark.parametrize(
    "name", ["", "a b", "local", "admin", "models", "jobs.models", "rpm", "jobs.tpm", "-x", "a" * 65, "a\x1b"]
)
def test_a_name_has_letters_and_digits(name: str) -> None:
    """``models`` would be read as the field of a key, and ``jobs.models`` as that of the key ``jobs``."""
    with pytest.raises(InvalidSettingError, match="cannot be the name of a key"):
        key_entry(name, "12345678", KeyRights(), None)


@pytest.mark.parametrize(
    ("rights", "existing", "message"),
    [
        (KeyRights(), {"jobs": "1"}, "There is a key 'jobs' already: 'gglib key revoke jobs' removes it."),
        (
            KeyRights(limits={"rpm": 5, "tpm": None}, priority="batch"),
            {"jobs": "1"},
            "already: 'gglib key limit --rpm 5 --priority batch jobs' changes it, 'gglib key revoke jobs' removes it.",
        ),
        (KeyRights(), "a=b", "'api_keys' in config.toml is not a table"),
        (KeyRights(is_admin=True, models=("a",)), None, "leave out --admin or --models"),
        (KeyRights(priority="high"), None, "must have one of"),
        (KeyRights(models=("",)), None, "model name or pattern"),
    ],
)
def test_a_contradiction_is_refused(rights: KeyRights, existing: object, message: str) -> None:
    """The key is not in the message."""
    with pytest.raises(InvalidSettingError) as refused:
        key_entry("jobs", "s3cret-key", rights, existing)
    assert message in str(refused.value)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "limit"),
    [("60", 60), (" 1 ", 1), ("20,000", 20_000), ("1_000", 1000), ("none", None), ("None", None)],
)
def test_a_limit_is_a_number_or_none(text: str, limit: int | None) -> None:
    """Numbers may be grouped."""
    assert parse_limit("rpm", text) == limit


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many", "", "1000001", "²"])
def test_another_limit_is_refused(text: str) -> None:
    """With the bounds."""
    with pytest.raises(InvalidSettingError) as refused:
        parse_limit("rpm", text)
    assert (
        str(refused.value) == f"--rpm cannot be '{text}': use a whole number from 1 to 1,000,000, or 'none'."
    )


def test_a_key_that_is_a_string_becomes_an_admin_table() -> None:
    """Which it was before."""
    entry, _ = changed_entry("alice", "s3cret-key", {"rpm": 5, "tpm": None})
    assert entry == {"key": "s3cret-key", "admin": True, "rpm": 5}
    entry, before = changed_entry("alice", {"key": "s3cret-key", "tpm": 9, "rpm": 1}, {"rpm": 5, "tpm": None})
    assert entry == {"key": "s3cret-key", "rpm": 5}
    assert before == {"key": "s3cret-key", "tpm": 9, "rpm": 1}


def test_an_entry_that_is_not_valid_is_not_changed() -> None:
    """The error does not have the key."""
    with pytest.raises(
        InvalidSettingError, match="The key cannot be changed: key 'alice' has an unknown entry"
    ) as error:
        changed_entry("alice", {"key": "s3cret-key", "foo": 1}, {"rpm": 5})
    assert "s3cret" not in str(error.value)
