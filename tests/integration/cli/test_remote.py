"""Commands on a remote server: --url, GGLIB_HOST and --key-env, against a server with another home."""

import http.server
import json
import re
import shutil
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gglib.cli.command_names import COMMANDS, REMOTE_COMMANDS
from gglib.testing import write_tiny_encoder, write_tiny_gguf
from gglib.testing.local_hub import LocalHub

from .conftest import Home

KEY = "SECRET-of-alice"
REPO = "ada/tiny-GGUF"


@pytest.fixture
def here() -> Iterator[Home]:
    """Yield the home of the machine that the commands run on; it has no model and no server."""
    path = Path(tempfile.mkdtemp(prefix="gg-"))
    world = Home(path)
    world.variables = {"GGLIB_REMOTE_KEY": KEY}
    yield world
    assert not (path / "gglib.db").exists(), "the catalogue of this machine is not opened"
    shutil.rmtree(path)


@pytest.fixture
def there(stocked: Home) -> Iterator[str]:
    """Yield the URL of the other server, which requires a key and uses a local hub."""
    with LocalHub() as hub:
        hub.add_repository(
            REPO, {"tiny-Q4_K_M.gguf": (write_tiny_gguf(stocked.path / "x.gguf")).read_bytes()}
        )
        stocked.variables = {
            "HF_ENDPOINT": hub.url,
            "NO_PROXY": "127.0.0.1,localhost",
            "HF_HOME": str(stocked.path),
        }
        stocked.set(f'[api_keys]\nalice = "{KEY}"')
        (stocked.path / "config.toml").chmod(0o600)
        with stocked.serving() as server:
            yield server.url


def parsed(output: str) -> Any:
    """Parse JSON, without what differs between two moments."""

    def steady(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: steady(item)
                for key, item in value.items()
                if key
                not in {"uptime_s", "idle_s", "ago_s", "available_bytes", "free_bytes", "server", "slots"}
            }
        return [steady(item) for item in value] if isinstance(value, list) else value

    return steady(json.loads(output))


@pytest.mark.parametrize(
    "command", [("list",), ("show", "tiny"), ("ps",), ("search", "tiny"), ("show", REPO)], ids=" ".join
)
def test_json_is_the_same_here_and_there(
    stocked: Home, here: Home, there: str, command: tuple[str, ...]
) -> None:
    """The machine-readable output does not depend on where a command runs."""
    stocked.ok("run", "tiny", "Hello")
    assert parsed(here.ok("--url", there, *command, "--json")) == parsed(stocked.ok(*command, "--json"))


def without_free_memory(text: str) -> str:
    """Return the text without the free memory, which changes from one command to the next."""
    return re.sub(r"[0-9.]+ [MG]B of free", "free", text)


def test_texts_show_the_models_of_the_other_machine(stocked: Home, here: Home, there: str) -> None:
    """The tables and details are those of the local commands, without what needs the server's disk."""
    assert here.ok("--url", there, "list").splitlines() == stocked.ok("list").splitlines()[:2]
    local, remote = (
        stocked.ok("show", "tiny").splitlines(),
        here.ok("--url", there, "show", "tiny").splitlines(),
    )
    assert [line for line in local if line not in remote] == []
    for command in (("show", REPO), ("search", "tiny")):
        shown = here.ok("--url", there, *command)
        assert f"gglib --url {there} pull" in shown  # the hints are for that server, too
        shown = shown.replace(f"gglib --url {there} ", "gglib ")
        assert without_free_memory(shown) == without_free_memory(stocked.ok(*command))
    assert f"gglib at {there}" in here.ok("--url", there, "ps")
    assert "1 in the catalogue" in here.ok("--url", there, "doctor")


def test_models_are_used_and_changed_there(stocked: Home, here: Home, there: str) -> None:
    """Chat, unload, reload, pull, add and remove, with the server named by the variable."""
    here.variables["GGLIB_HOST"] = there.removeprefix("http://")
    assert here.ok("run", "tiny", "Hello").strip() == "t0 t1 t2"
    assert here.ok("stop") == "Unloaded tiny.\n"
    assert here.ok("reload") == "The server already uses the current settings.\n"
    events = [json.loads(line) for line in here.ok("pull", REPO, "--json").splitlines()]
    assert events[-1]["event"] == "done"
    pulled = events[-1]["model"]["name"]
    assert f"'{pulled}'" in here.ok("pull", REPO)
    assert pulled in stocked.ok("list")
    assert "disk are freed" in here.ok("rm", pulled, "--files")
    assert pulled not in stocked.ok("list")
    other = write_tiny_gguf(stocked.path / "other.gguf", seed=3)
    assert "Added 'mine'" in here.ok("add", str(other), "--name", "mine", "--alias", "my")
    assert "Removed 'mine'" in here.ok("rm", "my")


def test_models_are_loaded_pinned_and_set_there(stocked: Home, here: Home, there: str) -> None:
    """With the texts of this machine; what is set is what the server has."""
    here.variables["GGLIB_HOST"] = there.removeprefix("http://")
    assert here.ok("load", "tiny", "--ctx", "1024") == "Loaded 'tiny' with a context of 1024 tokens.\n"
    assert here.ok("unload", "tiny") == "Unloaded tiny.\n"
    assert here.ok("unload", "tiny") == "'tiny' was not loaded.\n"
    assert json.loads(here.ok("load", "tiny", "--json"))["model_name"] == "tiny"
    assert json.loads(here.ok("stop", "tiny", "--json")) == {"stopped": ["tiny"], "node": None}
    assert here.ok("pin", "tiny").startswith(
        "Pinned 'tiny': it stays in memory once it is loaded, and models"
    )
    here.ok("load", "tiny")
    for words in (
        ("--alias", "small", "--alias", "s"),
        ("--idle-ttl", "10m", "--priority", "batch", "--keep-conversations", "off"),
        ("--idle-ttl", "off"),
    ):
        assert here.ok("set", "tiny", *words) == "Changed 'tiny'.\n"
    assert "It is in memory" in here.ok("set", "small", "--ctx", "max", "--chat")
    local, remote = (home.ok("show", "tiny").splitlines() for home in (stocked, here))
    for line in ("Pinned:       yes", "Priority:     batch", "Kept prompts: no", "Aliases:      small, s"):
        assert line in remote
        assert line in local
    assert json.loads(here.ok("show", "tiny", "--json"))["context"] == 2**31 - 1
    here.ok("set", "tiny", "--no-alias", "--ctx", "default", "--auto", "--priority", "default")
    shown = json.loads(stocked.ok("show", "tiny", "--json"))
    assert [shown[name] for name in ("aliases", "context", "kind", "priority")] == [[], None, None, None]
    assert here.ok("unpin", "tiny") == "Unpinned 'tiny'.\n"
    for command in ("load", "unload", "stop", "pin", "unpin"):
        assert "Did you mean tiny?" in here.refused(command, "tinny")
    assert "'tinny'" in here.refused("set", "tinny", "--chat")


def test_a_chat_with_an_alias_list_of_the_server(stocked: Home, here: Home, there: str) -> None:
    """The server chooses the first model that chats, as for the server's own machine."""
    stocked.ok("add", str(write_tiny_encoder(stocked.path / "vectors.gguf")))
    with (stocked.path / "config.toml").open("a") as config:
        config.write('\n[aliases]\nfast = ["none", "vectors", "tiny"]\nonly = ["vectors"]\n')
    assert "'none'" in here.run("--url", there, "reload").stderr
    assert here.ok("--url", there, "run", "fast", "Hello").strip() == "t0 t1 t2"
    assert stocked.ok("run", "fast", "Hello").strip() == "t0 t1 t2"
    assert "No model of the alias list 'only' can chat: it has vectors." in here.refused(
        "--url", there, "run", "only", "Hello"
    )
    assert "'fast' is an alias list: use one of its models, vectors, tiny." in here.refused(
        "--url", there, "pin", "fast"
    )


def test_a_chat_with_a_profile_of_the_server(stocked: Home, here: Home, there: str) -> None:
    """Its model is loaded by the same name; an unknown profile is an error that names those that exist."""
    stocked.ok("profile", "set", "precise", "--model", "tiny", "--temperature", "0")
    assert here.ok("--url", there, "run", "tiny:precise", "Hello").strip() == "t0 t1 t2"
    assert "Loaded 'tiny'" in here.ok("--url", there, "load", "tiny:precise")
    assert "It has precise." in here.run("--url", there, "run", "tiny:none", "Hello").stderr


def test_a_pull_that_fails_there_is_an_error_here(here: Home, there: str) -> None:
    """With the server's sentence, and as an event for programs."""
    assert "ada/none" in here.refused("--url", there, "pull", "ada/none")
    done = here.run("--url", there, "pull", "ada/none", "--json")
    assert json.loads(done.stdout.splitlines()[-1])["event"] == "error"


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - REMOTE_COMMANDS))
def test_other_commands_say_that_they_are_local(here: Home, command: str) -> None:
    """They use the files of this machine, so they refuse before they read their arguments."""
    sentence = here.refused("--url", "http://box", command, *_ARGUMENTS.get(command, ()))
    assert f"'gglib {command}' works only on the server's own machine" in sentence


_ARGUMENTS = {"backup": ("f",), "restore": ("f",)}


def test_options_that_a_remote_server_does_not_take_are_refused(here: Home) -> None:
    """Instead of being ignored."""
    for words in (
        ("pull", "a/b", "--name", "x"),
        ("pull",),
        ("add", "relative.gguf"),
        ("add", "/f", "--ctx", "1"),
        ("set", "m", "--engine-args", "-t 1"),
        ("set", "m", "--mmproj", "none"),
        ("set", "m", "--add-alias", "a"),
        ("set", "m", "--remove-alias", "a"),
    ):
        done = here.run("--url", "http://box", *words)
        assert done.returncode == 2
        assert "On a remote server" in done.stderr
    assert "--server" in here.refused("--url", "http://box", "stop", "--server")


def test_the_key_is_read_from_the_named_variable(here: Home, there: str) -> None:
    """Never from the command line; the errors show no key."""
    here.variables = {"BOX_KEY": KEY}
    assert "tiny" in here.ok("--url", there, "--key-env", "BOX_KEY", "list")
    assert "requires an API key" in here.refused("--url", there, "list")
    sentence = here.refused("--url", there, "--key-env", KEY, "list")
    assert "--key-env must be the name of an environment variable" in sentence
    assert KEY not in sentence, "a user may type the key instead of the name"
    here.variables = {"GGLIB_REMOTE_KEY": "SECRET-but-wrong"}
    sentence = here.refused("--url", there, "list")
    assert "refused the API key" in sentence
    assert "SECRET" not in sentence
    assert "--url" in here.refused("--key-env", "BOX_KEY", "reload")


def test_a_key_without_admin_rights_may_list_and_show(stocked: Home, here: Home) -> None:
    """The models without paths; other commands are refused with the rights that they need."""
    stocked.set(f'[api_keys.bob]\nkey = "{KEY}"\nmodels = ["ti*"]')
    (stocked.path / "config.toml").chmod(0o600)
    with stocked.serving() as server:
        assert "tiny" in here.ok("--url", server.url, "list")
        shown = here.ok("--url", server.url, "show", "tiny")
        assert "Name:         tiny" in shown
        assert str(stocked.path) not in shown
        assert json.loads(here.ok("--url", server.url, "show", "tiny", "--json"))["paths"] is None
        for command in (
            ("ps",),
            ("load", "tiny"),
            ("reload",),
            ("ps", "--watch"),
            ("set", "tiny", "--ctx", "9"),
        ):
            assert "admin rights" in here.refused("--url", server.url, *command)


def test_a_key_over_http_is_warned_of_once(here: Home) -> None:
    """On stderr, before the request; not for a loopback address, nor for a host whose network the user trusts."""
    done = here.run("--url", "http://box.invalid", "list", "--json")
    first, *rest = done.stderr.splitlines()
    assert first.startswith("Warning: the API key is sent to http://box.invalid without encryption")
    assert len(rest) == 1
    assert done.stdout == ""
    assert first.endswith("set GGLIB_PLAIN_HTTP_HOSTS=box.invalid.")
    assert "Warning" not in here.run("--url", "http://127.0.0.1:9", "list").stderr
    here.variables["GGLIB_PLAIN_HTTP_HOSTS"] = "box.invalid"
    assert "Warning" not in here.run("--url", "http://box.invalid", "list", "--json").stderr


def test_an_unreachable_server_is_one_sentence(here: Home) -> None:
    """Nothing listens on the port, or the name is unknown."""
    assert "http://127.0.0.1:9 cannot be reached" in here.refused("--url", "127.0.0.1:9", "list")
    assert "box.invalid:8080 cannot be reached" in here.refused("--url", "box.invalid", "ps")


class _Other(http.server.BaseHTTPRequestHandler):
    """A server that is no gglib, or one without some routes."""

    status, body, location = 404, b"404 page not found", ""

    def do_GET(self) -> None:
        """Send the prepared response."""
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(self.body)))
        if self.location:
            self.send_header("Location", self.location)
        self.end_headers()
        self.wfile.write(self.body)

    do_POST = do_GET  # noqa: N815 - as http.server has it

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def other_server(
    status: int, body: bytes, *, location: str = "", tls: ssl.SSLContext | None = None
) -> Iterator[str]:
    """Run a server that sends this response to each request, and yield its address."""
    handler = type("Prepared", (_Other,), {"status": status, "body": body, "location": location})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"{'https' if tls else 'http'}://localhost:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def gglib_error(code: str, message: str) -> bytes:
    """Return the body of an error of gglib."""
    return json.dumps({"error": {"message": message, "type": "t", "param": None, "code": code}}).encode()


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (404, b"404 page not found", "is not a gglib server"),
        (
            404,
            b'{"error":{"code":404,"message":"File Not Found","type":"not_found_error"}}',
            "is not a gglib",
        ),
        (200, b"<html>", "is not a gglib server"),
        (404, gglib_error("not_found", "No route."), "has no POST /gglib/reload: update it"),
        (405, gglib_error("method_not_allowed", "No."), "has no POST /gglib/reload: update it"),
        (403, gglib_error("forbidden", "Not with this key."), "Not with this key."),
        (500, gglib_error("invalid_setting", "max_models is 0."), "max_models is 0."),
    ],
)
def test_other_servers_are_explained(here: Home, status: int, body: bytes, words: str) -> None:
    """One sentence each, for another program, an older gglib, and gglib's own errors."""
    with other_server(status, body) as url:
        assert words in here.refused("--url", url, "reload")


def test_a_redirect_names_the_other_address(here: Home) -> None:
    """It is not followed: the key is for the named server."""
    with other_server(301, b"", location="https://box/") as url:
        assert "redirects to https://box/" in here.refused("--url", url, "list")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with a self-signed certificate for ``localhost``, and its key."""
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    subprocess.run(
        [
            *(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-days",
                "2",
                "-subj",
                "/CN=localhost",
            ),
            *("-addext", "subjectAltName=DNS:localhost", "-keyout", str(path), "-out", f"{path}.crt"),
        ],
        check=True,
        capture_output=True,
    )
    path.write_text(path.read_text() + Path(f"{path}.crt").read_text())
    return path


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make a certificate")
def test_https_verifies_the_certificate(
    here: Home, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A certificate that the trust store does not know is refused; a trusted one is used."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    with other_server(200, b'{"models": []}', tls=tls) as url:
        assert "certificate" in here.refused("--url", url, "list")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert here.ok("--url", url, "list", "--json") == "[]\n"
    with other_server(200, b'{"models": []}') as url:
        assert "does not speak TLS" in here.refused("--url", url.replace("http:", "https:"), "list")
