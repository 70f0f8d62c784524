"""API keys on the command line: when they are required, and that they never appear in output."""

import json
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.support.preloaded import GGLIB, PreloadedProcess

from gglib.app.serving.instance import lock_instance
from gglib.cli.server.client import get_json, post_json
from gglib.cli.serving.onboarding import smoke_test
from gglib.core.addresses import Endpoint
from gglib.core.errors import GglibError
from gglib.core.models import ModelCapabilities, ModelSummary

from .conftest import Home
from .demanding_server import Demanding, demanding_server

KEYS = '[api_keys]\nalice = "SECRET-of-alice"\nbob = "SECRET-of-bob"'
LIMITED_KEYS = """
[api_keys]
alice = "SECRET-of-alice"
[api_keys.bob]
key = "SECRET-of-bob"
models = ["TIN*"]
[api_keys.carol]
key = "SECRET-of-carol"
models = ["other*"]
"""
EVERYWHERE = "0.0.0.0"  # noqa: S104 - the case under test


@contextmanager
def demanding_gglib(home: Home, *, published_key: str | None = "SECRET-of-local") -> Iterator[Demanding]:
    """Hold the instance lock as a gglib that requires keys, and publish ``published_key`` in its instance file."""
    keys = {"alice": "SECRET-of-alice", "local": "SECRET-of-local"}
    with demanding_server(keys) as server, lock_instance(home.path / "run") as held:
        held.publish(server.url, key=published_key)
        yield server


def test_the_commands_need_no_key_of_their_user(stocked: Home) -> None:
    """ps, list, stop and run authenticate with the key that the server generated for local commands."""
    with demanding_gglib(stocked) as server:
        assert json.loads(stocked.ok("ps", "--json"))["version"] == "0"
        assert "tiny" in stocked.ok("list")
        assert "Unloaded tiny" in stocked.ok("stop")
        assert stocked.ok("run", "tiny", "Hello").strip() == "Hello there"
        assert len(server.used) >= 4
        assert set(server.used) == {"local"}


@pytest.mark.parametrize("published_key", [None, "SECRET-of-another"])
def test_without_the_key_the_commands_say_so(stocked: Home, published_key: str | None) -> None:
    """Without the key the commands print the server's error, without a traceback and without the key that was sent."""
    with demanding_gglib(stocked, published_key=published_key) as server:
        for command in (["ps"], ["stop"], ["run", "tiny", "Hello"]):
            sentence = stocked.refused(*command)
            assert "requires a valid API key" in sentence
            assert "SECRET" not in sentence
        assert set(server.used) == {None}


async def test_the_proof_of_up_shows_the_key(capsys: pytest.CaptureFixture[str]) -> None:
    """The test prompt of ``up`` passes through the proxy like any client's request and uses the generated key."""
    model = ModelSummary(id=1, name="tiny", capabilities=ModelCapabilities(chat=True))
    with demanding_server({"local": "SECRET-of-local"}) as server:
        await smoke_test(Endpoint(server.url, "SECRET-of-local"), model)
        assert "Answer   Hello there" in capsys.readouterr().out
        with pytest.raises(GglibError, match="requires a valid API key"):
            await smoke_test(Endpoint(server.url), model)


def test_a_server_with_keys_makes_one_for_the_commands(stocked: Home) -> None:
    """Each start generates a new key in a file with mode 0600; no key appears in a log or in any output."""
    stocked.set(KEYS)
    (stocked.path / "config.toml").chmod(0o600)
    made = set()
    for _ in range(2):
        with stocked.serving():
            instance_file = stocked.path / "run" / "instance.json"
            assert stat.S_IMODE(instance_file.stat().st_mode) == 0o600
            made.add(json.loads(instance_file.read_text())["key"])
            assert stocked.ok("run", "tiny", "Hello").strip() == "t0 t1 t2"
            shown = stocked.ok("ps") + stocked.ok("ps", "--json") + stocked.ok("stop")
    assert len(made) == 2
    assert all(len(key) >= 32 for key in made)
    shown += stocked.ok("logs") + (stocked.path / "stderr.txt").read_text()
    assert not [key for key in (*made, "SECRET") if key in shown]


def test_a_key_in_a_table_has_the_rights_of_the_table(stocked: Home) -> None:
    """Bob and Carol use their models and not the admin API; Alice and the commands of the user have all rights."""
    stocked.set(LIMITED_KEYS)
    prompt = {"model": "tiny", "messages": [{"role": "user", "content": "Hello"}]}
    with stocked.serving() as server:
        alice, bob, carol = (Endpoint(server.url, f"SECRET-of-{name}") for name in ("alice", "bob", "carol"))
        names = [
            [model["id"] for model in get_json(key, "/v1/models")["data"]] for key in (alice, bob, carol)
        ]
        assert names == [["tiny"], ["tiny"], []]
        for key in (alice, bob):
            assert post_json(key, "/v1/chat/completions", prompt)["object"] == "chat.completion"
        with pytest.raises(GglibError, match="not among the models that this API key may use"):
            post_json(carol, "/v1/chat/completions", prompt)
        for key in (bob, carol):
            with pytest.raises(GglibError, match="an API key with admin rights"):
                get_json(key, "/gglib/status")
        assert get_json(alice, "/gglib/status")["residents"][0]["model_name"] == "tiny"
        assert "Unloaded tiny" in stocked.ok("stop")


def test_a_watch_ends_when_its_key_is_removed(stocked: Home) -> None:
    """A reload ends the stream of the removed key, and the command says why; the watch of the user's own goes on."""
    config = stocked.path / "config.toml"
    before = config.read_text()
    stocked.set(KEYS)
    config.chmod(0o600)
    with stocked.serving() as server:
        watching = [
            PreloadedProcess(
                [*GGLIB, *options, "ps", "--watch"],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=stocked.environment | {"GGLIB_REMOTE_KEY": "SECRET-of-alice"},
            )
            for options in ((), ("--url", server.url))
        ]
        own, remote = watching
        try:
            for process in watching:
                assert process.stdout is not None
                assert process.stdout.readline() == "No model is loaded; the next request loads one.\n"
            config.write_text(f"{before}{KEYS.replace('alice', 'ada')}\n")
            stocked.ok("reload")
            _, errors = remote.communicate(timeout=5)
            assert remote.returncode == 1
            assert errors.startswith("Error: The API key of this request was revoked")
            assert own.poll() is None
        finally:
            for process in watching:
                process.kill()
                process.communicate()


def test_a_server_without_keys_makes_none(stocked: Home) -> None:
    """Without configured keys the instance file contains no key."""
    with stocked.serving():
        assert "key" not in json.loads((stocked.path / "run" / "instance.json").read_text())


def test_a_chat_without_a_server_works_with_keys_set(stocked: Home) -> None:
    """The private server of ``run`` generates a key, too."""
    stocked.set(KEYS)
    assert stocked.ok("run", "tiny", "Hello").strip() == "t0 t1 t2"


@pytest.mark.parametrize("command", ["serve", "up"])
def test_serving_beyond_loopback_requires_a_key(home: Home, command: str) -> None:
    """On a non-loopback address both commands refuse to start without a key, before any prompt or download."""
    sentence = home.refused(command, "--host", EVERYWHERE)
    assert all(word in sentence for word in (EVERYWHERE, "gglib key new NAME", "--insecure"))


def test_who_insists_is_warned_loudly(stocked: Home) -> None:
    """``--insecure`` starts the server and prints a warning of three lines; with keys there is no warning."""
    errors = stocked.path / "stderr.txt"
    with stocked.foreground("serve", "--host", EVERYWHERE, "--insecure", first_words="Page:") as server:
        assert server.process.stdout is not None
        server.process.stdout.readline()
        assert f"INSECURE: anyone who can reach {EVERYWHERE} can use your models" in errors.read_text()
    stocked.set(KEYS)
    with stocked.foreground("serve", "--host", EVERYWHERE, first_words="Page:") as server:
        assert server.process.stdout is not None
        server.process.stdout.readline()
        assert "INSECURE" not in errors.read_text()
        assert "readable by other users" in errors.read_text()


def test_up_names_the_key_for_clients(stocked: Home) -> None:
    """The request to paste contains a variable for the key, and a line names the key."""
    stocked.set(KEYS)
    with stocked.foreground("up", "--port", "0", first_words="Serving  http") as running:
        assert running.process.stdout is not None
        shown = []
        for line in running.process.stdout:
            shown.append(line)
            if "Ctrl-C" in line:
                break
    text = "".join(shown)
    assert "$GGLIB_CLIENT_KEY stands for the access key 'alice' from your settings, or for one" in text
    assert "Authorization: Bearer $GGLIB_CLIENT_KEY" in text
    assert "SECRET" not in text + (stocked.path / "stderr.txt").read_text()


def test_doctor_says_whether_keys_are_needed_and_set(stocked: Home) -> None:
    """``doctor`` prints key names, never keys; a non-loopback address without keys is reported as a failure."""

    def finding() -> dict[str, str]:
        results = json.loads(stocked.run("doctor", "--json").stdout)
        return next(result for result in results if result["name"] == "access")

    assert finding()["verdict"] == "ok"
    stocked.set(f'host = "{EVERYWHERE}"')
    assert finding()["verdict"] == "fail"
    assert stocked.run("doctor").returncode == 1
    stocked.set(KEYS)
    (stocked.path / "config.toml").chmod(0o600)
    found = finding()
    assert found["verdict"] == "ok"
    assert "access keys: alice, bob" in found["detail"]
    assert "SECRET" not in stocked.run("doctor").stdout
