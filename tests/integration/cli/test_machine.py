"""What a running server shows of its machine over HTTP: logs, system, checks, settings and clients."""

import json
from typing import Any

from tests.support.waiting import wait_until

from gglib.cli.server.client import get_json
from gglib.core.addresses import Endpoint

from .conftest import Home

SECRET = "SECRET-of-alice"


def get(url: str, path: str) -> Any:
    """Return the JSON of a path."""
    return get_json(Endpoint(url, SECRET), path)


def test_a_server_shows_its_machine(stocked: Home) -> None:
    """The same as the commands on this machine show, with the settings in use; never a key."""
    stocked.set(f'slots = 3\n[api_keys]\nalice = "{SECRET}"')
    with stocked.serving() as server:
        stocked.ok("run", "tiny", "Hello")
        logs = get(server.url, "/gglib/logs")["logs"]
        assert [(log["name"], log["model"]) for log in logs] == [("gglib", None), ("engine:tiny", "tiny")]
        texts = [line["text"] for line in get(server.url, "/gglib/logs/gglib?lines=5000")["lines"]]
        assert any("POST /v1/chat/completions" in text for text in texts)
        engine = get(server.url, "/gglib/logs/engine%3Atiny")
        assert [line["text"] for line in engine["lines"]] == stocked.ok("logs", "tiny").splitlines()

        system = get(server.url, "/gglib/system")
        assert (system["url"], system["home"], system["keys_required"]) == (
            server.url,
            str(stocked.path),
            True,
        )
        assert system["engine"]["path"] == str(stocked.path / "bin" / "llama-server")

        checks = get(server.url, "/gglib/doctor")["checks"]
        printed = json.loads(stocked.ok("doctor", "--json"))
        names = [check["name"] for check in checks]
        assert names == [check["name"] for check in printed]
        by_name = {check["name"]: check for check in checks}
        assert by_name["models"]["verdict"] == "ok"
        assert server.url in by_name["address"]["message"]
        assert by_name["config"]["verdict"] == "ok"

        clients = get(server.url, "/gglib/clients")
        assert (clients["model"], clients["url"], clients["key"]["name"]) == ("tiny", server.url, "alice")

        settings = get(server.url, "/gglib/settings")
        by_setting = {setting["setting"]: setting for setting in settings["settings"]}
        assert settings["path"] == str(stocked.path / "config.toml")
        assert (by_setting["slots"]["value"], by_setting["slots"]["source"]) == (3, "config.toml")
        shown = json.dumps([logs, texts, engine, system, checks, clients, settings])
        assert SECRET not in shown


def test_settings_and_checks_are_those_of_now(stocked: Home) -> None:
    """A reload changes the settings; a file that became invalid is a failed check, and the settings stay."""
    with stocked.serving() as server:
        config = stocked.path / "config.toml"
        valid = config.read_text()
        config.write_text(f"{valid}max_wait_s = 7\n")

        def max_wait() -> Any:
            settings = get(server.url, "/gglib/settings")["settings"]
            return next(one["value"] for one in settings if one["setting"] == "max_wait_s")

        wait_until(lambda: max_wait() == 7)
        config.write_text(f"{valid}max_wait = 7\n")
        checks = {check["name"]: check for check in get(server.url, "/gglib/doctor")["checks"]}
        assert checks["config"]["verdict"] == "fail"
        assert "max_wait" in checks["config"]["message"]
        assert checks["access"]["verdict"] == "ok"
        assert max_wait() == 7
