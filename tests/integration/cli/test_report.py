"""``gglib doctor --report``: nothing that is planted in a home leaves it."""

import json
import platform
import stat
from pathlib import Path

import pytest

from gglib.core.version import __version__
from gglib.testing import write_tiny_gguf

from .conftest import Home

PLANTED = {
    "key": "sk-planted-1aA2bB3cC4",
    "key name": "zaphod-laptop",
    "password": "hunter2-Passw0rd",
    "model name": "Merger-Confidential:Q8_0",
    "alias": "projectx-alias",
    "alias list": "board-meeting",
    "node": "gpubox-zeppelin",
    "node host": "zeppelin.corp.example",
    "node key": "nk-9f8e7d6c5b4a",
    "prompt": "Wie lautet das Rezept meiner Großmutter",
    "log token": "hf_AbCdEfGhIjKlMnOpQrStUvWx",
    "address": "203.0.113.77",
    "environment": "env-0xDEADBEEF-value",
    "path": "/srv/kunden/vertraulich",
    "mail": "zoe.quux@corp.example",
}


@pytest.fixture
def planted(home: Home) -> Home:
    """Return a home with a secret wherever there is text."""
    home.ok(
        *("add", str(write_tiny_gguf(home.path / "secret-weights.gguf")), "--name", PLANTED["model name"]),
        *("--alias", PLANTED["alias"]),
    )
    home.set(
        f"""
engine_dir_is_no_setting = "{PLANTED["path"]}"
record_bodies = ["key:{PLANTED["key name"]}", "model:{PLANTED["model name"]}"]
default_model = "{PLANTED["alias"]}"

[api_keys]
{PLANTED["key name"]} = "{PLANTED["key"]}"

[aliases]
{PLANTED["alias list"]} = ["{PLANTED["model name"]}"]

[nodes.{PLANTED["node"]}]
url = "http://{PLANTED["node host"]}:1"
key_env = "NODE_KEY"
""".replace("engine_dir_is_no_setting", "# comment")
    )
    home.variables = {
        "NODE_KEY": PLANTED["node key"],
        "HF_TOKEN": PLANTED["log token"],
        "GGLIB_HF_ENDPOINT": f"https://zoe:{PLANTED['password']}@{PLANTED['node host']}/{PLANTED['environment']}",
    }
    logs = home.path / "logs"
    logs.mkdir(exist_ok=True)
    lines = [
        f"2026-11-30 13:08:48,123 INFO gglib: POST /v1/chat/completions 200 {secret}"
        for secret in PLANTED.values()
    ]
    lines += [
        f'{{"time": "2026-11-30T13:08:48", "level": "info", "message": "x {secret}"}}'
        for secret in PLANTED.values()
    ]
    lines += [
        f"Bearer {PLANTED['key']}",
        f"http://a:{PLANTED['password']}@{PLANTED['address']}:80/{PLANTED['path']}",
    ]
    (logs / "gglib.log").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return home


def private_words() -> list[str]:
    """Return the secrets and those of their words that say something."""
    parts = (part for secret in PLANTED.values() for part in secret.replace("/", " ").split())
    return [word for word in (*PLANTED.values(), *parts) if len(word) > 4 and word != "meiner"]


@pytest.mark.parametrize("flags", [(), ("--json",)], ids=["text", "JSON"])
def test_nothing_private_is_in_it(planted: Home, flags: tuple[str, ...]) -> None:
    """Neither keys nor names nor prompts nor paths nor hosts; what a bug report needs is."""
    text = planted.ok("doctor", "--report", *flags)
    shown = text.casefold()
    assert [secret for secret in private_words() if secret.casefold() in shown] == []
    assert str(planted.path) not in text
    assert str(Path.home()) not in text or str(Path.home()) == "/"
    assert (platform.node() or "no name") not in text
    for needed in (f"gglib {__version__}", "SQLite ", "llama", "/v1/chat/completions 200", "record_bodies"):
        assert needed in text, needed


def test_names_on_request(planted: Home) -> None:
    """With --names the models have their names; keys and the rest stay out."""
    text = planted.ok("doctor", "--report", "--names")
    assert PLANTED["model name"] in text
    for kind in ("key", "password", "log token", "node key", "path", "address"):
        assert PLANTED[kind] not in text, kind


def test_to_a_file(planted: Home, tmp_path: Path) -> None:
    """A new file for its owner alone; an existing one is not overwritten."""
    file = tmp_path / "report.txt"
    assert planted.ok("doctor", "--report", str(file)) == (
        f"Wrote the report to {file}. Read it before you send it.\n"
    )
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "## Log" in file.read_text(encoding="utf-8")
    assert (
        planted.refused("doctor", "--report", str(file)) == f"{file} exists: name another file, or delete it."
    )
    assert "name another file" in planted.refused("doctor", "--report", str(tmp_path / "none" / "report.txt"))


def test_of_a_running_server(stocked: Home) -> None:
    """The status of the server is in it."""
    with stocked.serving():
        report = json.loads(stocked.ok("doctor", "--report", "--json"))
    assert any(line.startswith("readiness") or "uptime" in line for line in report["status"]), report[
        "status"
    ]


def test_of_a_broken_home(home: Home) -> None:
    """A damaged catalogue, a missing log and invalid settings are reported, not raised."""
    (home.path / "gglib.db").write_bytes(b"no database" * 1000)
    home.set('colour = "planted-0123456789"')
    text = home.ok("doctor", "--report")
    assert "planted-0123456789" not in text
    assert "## Catalogue" in text
    assert "fail config:" in text


def test_only_for_this_machine(home: Home) -> None:
    """A report of a remote server, and --names without a report, are refused."""
    assert home.run("--url", "http://127.0.0.1:9", "doctor", "--report").returncode == 2
    assert home.run("doctor", "--names").returncode == 2
