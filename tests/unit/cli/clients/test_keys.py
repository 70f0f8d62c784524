"""The key for a client is named, and never shown."""

import pytest

from gglib.app.clients.client import Key
from gglib.app.clients.keys import client_key, key_names_for
from gglib.cli.clients.keys import checked_variable, key_hint, require_variable
from gglib.core.api_keys import ApiKey
from gglib.core.errors import InvalidSettingError
from gglib.core.models import ModelSummary

ALICE = Key(variable="GGLIB_CLIENT_KEY", name="alice")
CHAT = ModelSummary(id=1, name="chat-4b")


def test_keys_that_may_use_the_model_are_named() -> None:
    """Settings with another key would get a 404; without a better one all keys are named. Admin keys come last."""
    keys = {
        "alice": ApiKey.admin("alice-key"),
        "bob": ApiKey(key="bob-key", models=("embed*",)),
        "carol": ApiKey(key="carol-key", models=("chat*",)),
    }
    assert key_names_for(keys, CHAT) == ("carol", "alice")
    assert key_names_for({"bob": keys["bob"]}, CHAT) == ("bob",)
    assert key_names_for({}, CHAT) == ()


def test_the_first_key_is_used() -> None:
    """In the variable of the user, else in gglib's own; a server without keys needs none."""
    assert client_key(("alice", "bob")) == ALICE
    assert client_key(("alice",), "MINE") == Key(variable="MINE", name="alice")
    assert client_key(()) is None


def test_what_stands_for_the_key_is_explained() -> None:
    """Only what the text has."""
    assert key_hint(ALICE, ["alice"], "Key: KEY_OF_alice") == (
        "KEY_OF_alice stands for the access key 'alice' from your settings."
    )
    assert key_hint(ALICE, ["alice", "bob", "key3"], "$GGLIB_CLIENT_KEY KEY_OF_alice") == (
        "$GGLIB_CLIENT_KEY and KEY_OF_alice stand for the access key 'alice' from your settings, or for one of: bob, "
        "key3. Set it where the client is started: export GGLIB_CLIENT_KEY=..."
    )
    unnamed = Key(variable="BOX_KEY")
    assert key_hint(unnamed, (), "{env:BOX_KEY}") == (
        "$BOX_KEY stands for your access key. Set it where the client is started: export BOX_KEY=..."
    )
    assert key_hint(unnamed, (), "nothing") is None


def test_a_key_in_the_place_of_a_variable_is_not_shown() -> None:
    """The user may have passed the key itself."""
    assert checked_variable(None) is None
    assert checked_variable("MY_KEY1") == "MY_KEY1"
    with pytest.raises(InvalidSettingError) as caught:
        checked_variable("sk-secret")
    assert "sk-secret" not in str(caught.value)


def test_a_named_variable_has_to_be_set() -> None:
    """A launch needs the key itself."""
    require_variable(None, {})
    require_variable("MINE", {"MINE": "k"})
    with pytest.raises(InvalidSettingError, match="MINE"):
        require_variable("MINE", {"MINE": ""})
