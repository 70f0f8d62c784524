"""Keys on the command line: who has to set one, who needs none, and that none is ever shown."""

import json
import stat
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from gglib.app.instance import lock_instance
from gglib.cli.onboarding import smoke_test
from gglib.core.addresses import Endpoint
from gglib.core.errors import GglibError
from gglib.core.models import ModelCapabilities, ModelSummary

from .conftest import Home
from .demanding_server import Demanding, demanding_server

KEYS = '[api_keys]\nalice = "SECRET-of-alice"\nbob = "SECRET-of-bob"'
EVERYWHERE = "0.0.0.0"  # noqa: S104 - that is the case


@contextmanager
def demanding_gglib(home: Home, *, published_key: str | None = "SECRET-of-local") -> Iterator[Demanding]:
    """Hold the home as a gglib that demands a key, and tell ``told`` in its note."""
    keys = {"alice": "SECRET-of-alice", "local": "SECRET-of-local"}
    with demanding_server(keys) as server, lock_instance(home.path / "run") as held:
        held.publish(server.url, key=published_key)
        yield server


def test_the_commands_need_no_key_of_their_user(stocked: Home) -> None:
    """ps, list, stop and run show a server that demands a key the one that it made for them."""
    with demanding_gglib(stocked) as server:
        assert json.loads(stocked.ok("ps", "--json"))["version"] == "0"
        assert "tiny" in stocked.ok("list")
        assert "Unloaded tiny" in stocked.ok("stop")
        assert stocked.ok("run", "tiny", "Hello").strip() == "Hello there"
        assert len(server.used) >= 4
        assert set(server.used) == {"local"}


@pytest.mark.parametrize("published_key", [None, "SECRET-of-another"])
def test_without_the_key_the_commands_say_so(stocked: Home, published_key: str | None) -> None:
    """The server's own sentence, and no traceback; the key that was tried is not in it."""
    with demanding_gglib(stocked, published_key=published_key) as server:
        for command in (["ps"], ["stop"], ["run", "tiny", "Hello"]):
            sentence = stocked.refused(*command)
            assert "requires an API key" in sentence
            assert "SECRET" not in sentence
        assert set(server.used) == {None}


async def test_the_proof_of_up_shows_the_key(capsys: pytest.CaptureFixture[str]) -> None:
    """``up`` asks through the proxy like any client, and is let in by its own key alone."""
    model = ModelSummary(id=1, name="tiny", capabilities=ModelCapabilities(chat=True))
    with demanding_server({"local": "SECRET-of-local"}) as server:
        await smoke_test(Endpoint(server.url, "SECRET-of-local"), model)
        assert "Answer   Hello there" in capsys.readouterr().out
        with pytest.raises(GglibError, match="requires an API key"):
            await smoke_test(Endpoint(server.url), model)


def test_a_server_with_keys_makes_one_for_the_commands(stocked: Home) -> None:
    """Each start makes another key, in a file for the user alone; none of the keys is in a log or in any output."""
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


def test_a_server_without_keys_makes_none(stocked: Home) -> None:
    """Where nothing is required nothing changes: the note is what it was."""
    with stocked.serving():
        assert "key" not in json.loads((stocked.path / "run" / "instance.json").read_text())


def test_a_chat_without_a_server_works_with_keys_set(stocked: Home) -> None:
    """The private server of ``run`` has a key of its own, too."""
    stocked.set(KEYS)
    assert stocked.ok("run", "tiny", "Hello").strip() == "t0 t1 t2"


@pytest.mark.parametrize("command", ["serve", "up"])
def test_serving_beyond_loopback_requires_a_key(home: Home, command: str) -> None:
    """On an address that others reach both refuse to start without a key, before anything is asked or fetched."""
    sentence = home.refused(command, "--host", EVERYWHERE)
    assert all(word in sentence for word in (EVERYWHERE, "GGLIB_API_KEY", "[api_keys]", "--insecure"))


def test_who_insists_is_warned_loudly(stocked: Home) -> None:
    """``--insecure`` starts, and says in three lines what that means; with keys there is nothing to say."""
    errors = stocked.path / "stderr.txt"
    with stocked.foreground("serve", "--host", EVERYWHERE, "--insecure", first_words="Listening") as server:
        assert server.process.stdout is not None
        server.process.stdout.readline()
        assert f"INSECURE: anyone who can reach {EVERYWHERE} can use your models" in errors.read_text()
    stocked.set(KEYS)
    with stocked.foreground("serve", "--host", EVERYWHERE, first_words="Listening") as server:
        assert server.process.stdout is not None
        server.process.stdout.readline()
        assert "INSECURE" not in errors.read_text()
        assert "readable by other users" in errors.read_text()


def test_up_names_the_key_for_clients(stocked: Home) -> None:
    """What is pasted has a place for the key and says which one goes there."""
    stocked.set(KEYS)
    with stocked.foreground("up", "--port", "0", first_words="Serving  http") as running:
        assert running.process.stdout is not None
        shown = []
        for line in running.process.stdout:
            shown.append(line)
            if "Ctrl-C" in line:
                break
    text = "".join(shown)
    assert "the access key 'alice' from your settings, or with one of: bob" in text
    assert "Authorization: Bearer KEY_OF_alice" in text
    assert "SECRET" not in text + (stocked.path / "stderr.txt").read_text()


def test_doctor_says_whether_keys_are_needed_and_set(stocked: Home) -> None:
    """By name, never the key; open to others without one it keeps gglib from serving."""

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
