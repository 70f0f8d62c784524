"""The settings for clients are valid for those clients."""

import json
import shlex

from gglib.cli.client_settings import client_settings, key_hint, key_names_for
from gglib.core.api_keys import ApiKey
from gglib.core.models import ModelSummary

SETTINGS = {
    setting.client: setting.text for setting in client_settings("http://127.0.0.1:8080", "it's", 4096)
}


def test_every_client_gets_the_address() -> None:
    """Each text holds the real base address."""
    assert set(SETTINGS) == {"Open WebUI", "Cline", "Continue", "Aider", "Zed", "OpenAI SDK", "curl"}
    assert all("http://127.0.0.1:8080/v1" in text for text in SETTINGS.values())


def test_zed_gets_json_with_the_context() -> None:
    """Zed's settings are JSON, and name the model and its context."""
    provider = json.loads(SETTINGS["Zed"])["language_models"]["openai_compatible"]["gglib"]
    assert provider["available_models"] == [{"name": "it's", "display_name": "it's", "max_tokens": 4096}]


def test_command_lines_are_quoted_for_a_shell() -> None:
    """A model's name with a quote in it breaks neither curl nor aider."""
    words = shlex.split(SETTINGS["curl"])
    assert json.loads(words[-1])["model"] == "it's"
    assert shlex.split(SETTINGS["Aider"])[-1] == "openai/it's"


def test_python_lines_compile() -> None:
    """The lines for the SDK compile with any model name."""
    compile(SETTINGS["OpenAI SDK"], "pasted", "exec")


def test_without_keys_a_placeholder_key_is_shown() -> None:
    """Clients that require a key get a meaningless one, and curl gets none."""
    assert not any("KEY_OF" in text for text in SETTINGS.values())
    assert "Authorization" not in SETTINGS["curl"]


def test_with_keys_a_placeholder_names_the_key() -> None:
    """Each text with a key names the key to insert, in a form that breaks no text."""
    settings = client_settings("http://box:1", "it's", 4096, key_names=("al-ice.1", "bob"))
    texts = {setting.client: f"{setting.where}\n{setting.text}" for setting in settings}
    assert all("KEY_OF_al-ice.1" in text for text in texts.values())
    words = shlex.split(texts["curl"].partition("\n")[2])
    assert words[words.index("-H") + 1] == "Authorization: Bearer KEY_OF_al-ice.1"
    assert "OPENAI_API_KEY=KEY_OF_al-ice.1" in shlex.split(texts["Aider"])
    compile(texts["OpenAI SDK"].partition("\n")[2], "pasted", "exec")


def test_key_placeholder_is_explained() -> None:
    """The sentence names the key to insert, and the alternatives."""
    assert key_hint(["alice"]) == ("replace KEY_OF_alice with the access key 'alice' from your settings.")
    assert key_hint(["alice", "bob", "key3"]).endswith("from your settings, or with one of: bob, key3.")


def test_keys_that_may_use_the_model_are_named() -> None:
    """Settings with another key would get a 404; without a better one all keys are named."""
    keys = {
        "bob": ApiKey(key="bob-key", models=("embed*",)),
        "carol": ApiKey(key="carol-key", models=("chat*",)),
        "alice": ApiKey.admin("alice-key"),
    }
    assert key_names_for(keys, ModelSummary(id=1, name="chat-4b")) == ("carol", "alice")
    assert key_names_for({"bob": keys["bob"]}, ModelSummary(id=1, name="chat-4b")) == ("bob",)
    assert key_names_for({}, ModelSummary(id=1, name="chat-4b")) == ()
