"""``gglib key`` with a running server, and the addresses of a server for other machines."""

import http.client
import json
import stat
import sys
from contextlib import closing
from urllib.parse import urlsplit

import pytest
from tests.support.terminal import ENTER, terminal
from tests.support.waiting import wait_until

from gglib.system.network_addresses import network_addresses

from .conftest import AS_STARTED, Home

EVERYWHERE = "0.0.0.0"  # noqa: S104 - what is tested


def status_of(url: str, key: str = "", *, path: str = "/v1/models", host: str = "") -> int:
    """Return the status of a request with a key, and with a name of the server, if given."""
    parts = urlsplit(url)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    with closing(
        http.client.HTTPConnection(host or parts.hostname or "", parts.port, timeout=30)
    ) as connection:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        response.read()
        return response.status


def test_a_running_server_takes_new_and_revoked_keys_over(stocked: Home) -> None:
    """Without a restart; a key without admin rights has none."""
    with stocked.serving() as server:
        assert status_of(server.url) == 200
        done = stocked.run("key", "new", "alice", "--models", "tiny")
        alice = done.stdout.strip()
        assert "The running server has applied it." in done.stderr
        assert "from now on every request needs a key" in done.stderr
        assert status_of(server.url) == 401
        assert status_of(server.url, alice) == 200
        assert status_of(server.url, alice, path="/gglib/status") == 403
        root = stocked.run("key", "new", "root", "--admin").stdout.strip()
        assert status_of(server.url, root, path="/gglib/status") == 200
        done = stocked.run("key", "revoke", "alice", "--yes")
        assert done.stdout == "Revoked the key 'alice'.\n"
        assert done.stderr.startswith("The running server has applied it.\n")
        assert status_of(server.url, alice) == 401
        done = stocked.run("key", "revoke", "root", "-y")
        assert "It was the last key: requests need none from now on." in done.stderr
        assert status_of(server.url) == 200
    log = (stocked.path / "logs" / "gglib.log").read_text()
    assert alice not in log
    assert root not in log


def test_a_key_is_added_below_the_others_and_shown_once(home: Home) -> None:
    """The file keeps its comments, and no command shows the key again."""
    path = home.path / "config.toml"
    before = "# ours\nport = 0\n\n[api_keys]\nold = 'SECRET-of-old'  # admin\n"
    path.write_text(before)
    path.chmod(0o600)
    key = home.ok("key", "new", "jobs", "--models", "chat*", "--models", "x,y", "--priority", "batch").strip()
    assert path.read_text() == (
        f'{before}\n[api_keys.jobs]\nkey = "{key}"\nmodels = ["chat*", "x", "y"]\npriority = "batch"\n'
    )
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    listed = home.ok("key", "list")
    assert [line.split() for line in listed.splitlines()] == [
        ["NAME", "MODELS", "ADMIN", "PRIORITY", "RPM", "TPM", "PARALLEL"],
        ["old", "all", "yes", "-", "-", "-", "-"],
        ["jobs", "chat*,", "x,", "y", "no", "batch", "-", "-", "-"],
    ]
    shown = listed + home.ok("key", "list", "--json") + home.ok("config") + home.ok("config", "--json")
    assert key not in shown
    assert "SECRET" not in shown
    assert "There is a key 'jobs' already: 'gglib key revoke jobs' removes it." in home.refused(
        "key", "new", "jobs"
    )
    assert "'gglib key limit --rpm 5 jobs' changes it, " in home.refused("key", "new", "jobs", "--rpm", "5")
    home.ok("key", "revoke", "old", "-y")
    home.ok("key", "revoke", "jobs", "-y")
    assert path.read_text() == "# ours\nport = 0\n\n[api_keys]\n"
    empty = home.run("key", "list")
    assert (empty.returncode, empty.stdout) == (0, "")
    assert empty.stderr == "No access keys: requests need none. 'gglib key new NAME' makes one.\n"


def test_json_has_the_key_and_its_rights(home: Home) -> None:
    """For scripts."""
    made = json.loads(home.ok("key", "new", "root", "--admin", "--json"))
    assert made == {"name": "root", "key": made["key"], "admin": True}
    assert home.ok("key", "list", "--json").count("root") == 1


def test_revoking_asks_first(home: Home) -> None:
    """A terminal is asked; other programs have to say ``--yes``."""
    home.ok("key", "new", "alice")
    assert "'gglib key revoke --yes alice' revokes the key" in home.refused("key", "revoke", "alice")
    command = [sys.executable, "-m", "gglib", "key", "revoke", "alice"]
    for answer, code in (("n", 1), ("y", 0)):
        with terminal(command, env=home.environment) as screen:
            screen.wait_for("Revoke the key 'alice'? Clients that use it are refused. [y/N]")
            screen.send(answer + ENTER)
            assert screen.wait_for_exit() == code
    assert "There is no key 'alice': config.toml has no keys." in home.refused("key", "revoke", "alice")


def test_keys_of_the_environment_are_not_changed(home: Home) -> None:
    """They override those of the file, and the commands say so."""
    home.variables = {"GGLIB_API_KEY": "laptop=SECRET-of-laptop"}
    done = home.run("key", "new", "alice")
    assert "GGLIB_API_KEY is set in the environment and overrides config.toml." in done.stderr
    assert "GGLIB_API_KEY, which overrides" in home.run("key", "list").stderr
    assert "are from GGLIB_API_KEY" in home.refused("key", "revoke", "laptop")


def test_a_file_that_others_can_read_is_warned_of(home: Home) -> None:
    """At once, with the command that mends it."""
    (home.path / "config.toml").chmod(0o644)
    assert f"run 'chmod 600 {home.path}/config.toml'" in home.run("key", "new", "alice").stderr


def test_a_file_with_a_typo_still_has_its_keys(home: Home) -> None:
    """'No access keys' would be false: a running server requires them."""
    home.ok("key", "new", "alice")
    path = home.path / "config.toml"
    path.write_text(f"max_modles = 3\n{path.read_text()}")
    listed = home.run("key", "list")
    assert "alice" in listed.stdout
    assert "max_modles" in listed.stderr
    doctor = home.run("doctor").stdout
    assert "no access key required" not in doctor
    path.write_text("[api_keys\n")
    assert "is not valid TOML" in home.refused("key", "list")
    path.write_text("port = 0\n")
    home.variables = {"GGLIB_API_KEY": "short"}
    assert "GGLIB_API_KEY cannot be used" in home.refused("key", "list")


def test_a_key_is_not_called_revoked_while_the_server_accepts_it(stocked: Home) -> None:
    """A server does not take an invalid file over, whatever is invalid in it."""
    alice = stocked.ok("key", "new", "alice").strip()
    stocked.ok("key", "new", "bob")
    path = stocked.path / "config.toml"
    with stocked.serving() as server:
        path.write_text(f"max_modles = 3\n{path.read_text()}")
        assert "does not apply it until config.toml is valid" in stocked.run("key", "new", "carol").stderr
        assert "does not apply it until config.toml is valid" in stocked.ok("config", "set", "slots", "2")
        done = stocked.run("key", "revoke", "alice", "--yes")
        assert done.returncode == 1
        assert done.stdout == ""
        assert "still accepts the key 'alice' until config.toml is valid: 'gglib config edit'" in done.stderr
        assert status_of(server.url, alice) == 200
        stocked.ok("config", "unset", "max_modles")
        wait_until(lambda: status_of(server.url, alice) == 401)


@pytest.mark.parametrize("command", ["serve", "up"])
def test_without_a_key_the_refusal_names_the_command(stocked: Home, command: str) -> None:
    """It can be typed as it stands, and then the server starts."""
    done = stocked.process("--home", str(stocked.path), command, "--host", EVERYWHERE)
    assert done.returncode == 1
    assert f"'gglib --home {stocked.path} key new NAME' makes one" in done.stderr


def test_a_server_for_others_shows_its_addresses(stocked: Home) -> None:
    """Each works with a key; a name in ``allowed_hosts`` is listed."""
    key = stocked.ok("key", "new", "alice").strip()
    stocked.ok("config", "set", "allowed_hosts", "box.lan")
    with stocked.foreground("serve", "--host", EVERYWHERE, first_words="Listening on") as server:
        port = urlsplit(server.url).port
        assert server.process.stdout is not None
        lines = []
        while not (line := server.process.stdout.readline()).startswith("Engine:"):
            lines.append(line.split(maxsplit=1)[-1].strip() if line.startswith("Network") else line.strip())
        found = [address for address in network_addresses() if ":" not in address]
        page, *addresses = lines
        assert page == f"Page: http://127.0.0.1:{port}/"
        assert addresses[: len(found)] == [f"http://{address}:{port}" for address in found]
        assert f"http://box.lan:{port}" in lines
        assert any("'gglib key list'" in line or "key list" in line for line in lines)
        for address in found:
            assert status_of(f"http://{address}:{port}", key) == 200
            assert status_of(f"http://{address}:{port}") == 401


def test_up_shows_the_addresses_at_a_terminal(stocked: Home) -> None:
    """Below the address for this machine, with commands as they have to be typed."""
    stocked.ok("key", "new", "alice")
    command = [sys.executable, "-m", "gglib", "up", "--yes", "--host", EVERYWHERE]
    with terminal(command, env=stocked.environment, columns=140, rows=60) as screen:
        text = screen.wait_for("Ctrl-C stops everything")
    assert "Network  http" in text or "no address for other machines" in text
    hint = f"'{AS_STARTED} key new NAME' makes another"
    assert "".join(hint.split()) in "".join(text.split())  # the terminal wraps a long path of the interpreter


def test_an_error_of_the_file_is_printed_once(stocked: Home) -> None:
    """With and without a running server; not as a warning and as an error."""
    path = stocked.path / "config.toml"
    stocked.ok("key", "new", "alice", "--rpm", "5")
    stocked.ok("key", "new", "bob")
    valid = path.read_text()
    words = "key 'alice' must have a whole number"

    def errors_of(*arguments: str, exit_code: int, command: str = "key") -> int:
        path.write_text(valid.replace("rpm = 5", 'rpm = "five"'))
        done = stocked.run(command, *arguments)
        assert done.returncode == exit_code, done
        return (done.stdout + done.stderr).count(words)

    def check() -> None:
        assert errors_of("list", exit_code=1) == 1
        assert errors_of("limit", "alice", exit_code=1) == 1
        assert errors_of("new", "carol", exit_code=0) == 1
        assert errors_of("limit", "bob", "--tpm", "9", exit_code=0) == 1

    check()
    path.write_text(valid)
    with stocked.serving():
        check()
        assert errors_of("set", "ctx", "4096", command="config", exit_code=0) == 1
        assert errors_of(command="reload", exit_code=1) == 1
        path.write_text(valid)
