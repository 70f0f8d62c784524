"""What is pasted into clients must be what those clients read."""

import json
import shlex

from gglib.usecases.client_settings import client_settings

SETTINGS = {
    setting.client: setting.text for setting in client_settings("http://127.0.0.1:8080", "it's", 4096)
}


def test_every_client_is_told_the_address() -> None:
    """Each text holds the real base address."""
    assert set(SETTINGS) == {"Open WebUI", "Cline", "Continue", "Aider", "Zed", "OpenAI SDK", "curl"}
    assert all("http://127.0.0.1:8080/v1" in text for text in SETTINGS.values())


def test_zed_gets_json_with_the_context() -> None:
    """Zed's settings are JSON, and name the model and its context."""
    provider = json.loads(SETTINGS["Zed"])["language_models"]["openai_compatible"]["gglib"]
    assert provider["available_models"] == [{"name": "it's", "display_name": "it's", "max_tokens": 4096}]


def test_the_command_lines_survive_a_shell() -> None:
    """A model's name with a quote in it breaks neither curl nor aider."""
    words = shlex.split(SETTINGS["curl"])
    assert json.loads(words[-1])["model"] == "it's"
    assert shlex.split(SETTINGS["Aider"])[-1] == "openai/it's"


def test_the_python_lines_are_python() -> None:
    """The lines for the SDK compile, whatever the model's name."""
    compile(SETTINGS["OpenAI SDK"], "pasted", "exec")
