"""Models that a command or a server elsewhere serves: added, changed and shown, beside a model of llama.cpp."""

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from .conftest import Home

COMMAND = f"{sys.executable} -m some.server --port {{port}}"
CLOSED = "http://127.0.0.1:9/v1"


@contextmanager
def server_of(
    *names: str, status: int = 200, body: bytes | None = None
) -> Iterator[tuple[str, list[str | None]]]:
    """Run a server with models of these names; yield its base URL and the keys that it got."""
    keys: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            keys.append(self.headers["authorization"])
            listed = {"object": "list", "data": [{"id": name} for name in names]}
            content = json.dumps(listed).encode() if body is None else body
            self.send_response(status if self.path == "/api/v1/models" else 404)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/api/v1", keys
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def backend_of(home: Home, name: str) -> dict[str, Any]:
    """Return the backend of a model as ``show --json`` prints it."""
    backend: dict[str, Any] = json.loads(home.ok("show", name, "--json"))["backend"]
    return backend


@pytest.fixture
def mixed(stocked: Home) -> Home:
    """Return a home with a model of llama.cpp, one of a command, and one of a server that is down."""
    stocked.ok("add", "--command", COMMAND, "--name", "run-it")
    stocked.ok("add", "--url", CLOSED, "--name", "elsewhere", "--served-name", "big/model")
    return stocked


def test_a_command_is_added_as_it_is_written(home: Home, tmp_path: Path) -> None:
    """With all its options; words with quotes and braces survive."""
    added = home.ok(
        *(
            "add",
            "--command",
            f'{sys.executable} serve --json \'{{{{"a": "b c"}}}}\' {{port}}',
            "--name",
            "c",
        ),
        *(
            "--route",
            "/v1/images/*",
            "--route",
            "/v1/audio/speech",
            "--health",
            "/ready",
            "--stop-signal",
            "INT",
        ),
        *("--memory", "8G", "--memory", "gpu0=2G", "--slots", "2", "--directory", str(tmp_path)),
        *("--start-timeout", "20m", "--served-name", "x", "--ctx", "4096"),
    )
    assert added.startswith("Added 'c' (id 1), served by: ")
    assert backend_of(home, "c") == {
        "kind": "command",
        "command": [sys.executable, "serve", "--json", '{{"a": "b c"}}', "{port}"],
        "url": None,
        "key_env": None,
        "served_name": "x",
        "routes": ["/v1/images/*", "/v1/audio/speech"],
        "launch": {
            "directory": str(tmp_path),
            "health_path": "/ready",
            "start_timeout_s": 1200.0,
            "stop_signal": "INT",
            "memory_bytes": {"ram": 8_000_000_000, "gpu0": 2_000_000_000},
            "slots": 2,
        },
    }
    shown = home.ok("show", "c").splitlines()
    for line in (
        "Named there:  x",
        "Paths:        /v1/images/* /v1/audio/speech",
        f"Directory:    {tmp_path}",
        "Ready at:     /ready",
        "Starts in:    at most 20 min",
        "Stopped by:   SIGINT",
        "Memory:       ram 8.0 GB, gpu0 2.0 GB",
        "Slots:        2",
    ):
        assert line in shown


def test_a_command_runs_in_the_directory_in_which_it_was_added(home: Home) -> None:
    """As it would in a terminal; a change of the command keeps the directory."""
    home.ok("add", "--command", COMMAND, "--name", "c")
    home.ok("set", "c", "--command", "other {port}")
    assert backend_of(home, "c")["launch"]["directory"] == str(Path.cwd())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--command", "serve"), "does not say where to listen"),
        (("--command", "serve {prt}"), "unknown placeholder {prt}"),
        (("--command", "serve '{port}"), "check its quotes"),
        (("--command", "{model} {port}"), "has no file"),
        (("--command", ""), "is empty"),
        (("--command", "a {port} | tee log"), "The command has '|', and no shell runs it"),
        (("--command", "A=1 a {port}"), "write env before it"),
        (("--command", "a {port}", "--route", "v1/x"), "is not a path that a model serves"),
        (("--command", "a {port}", "--health", "ready"), "must begin with '/'"),
        (("--command", "a {port}", "--memory", "gpu=1G"), "write 8G for RAM, or gpu0=8G"),
        (("--command", "a {port}", "--memory", "lots"), "write 8G for RAM, or gpu0=8G"),
        (("--command", "a {port}", "--start-timeout", "soon"), "a time like 90s or 20m"),
        (("--command", "a {port}", "--slots", "0"), "must be above 0"),
        (("--command", "a {port}", "--directory", "/dev/null/x"), "is not a directory"),
        (("--url", "box:8000"), "it needs http:// or https://"),
        (("--url", "ftp://box"), "it needs http:// or https://"),
        (("--url", "http://"), "it needs http:// or https://"),
        (("--url", "http://box:99999"), "it needs http:// or https://"),
        (("--url", "http://[::1"), "it needs http:// or https://"),
        (("--url", "http://box/v1 x"), "neither spaces nor letters beyond ASCII"),
        (("--url", "http://box/v1\r\nx: y"), "neither spaces nor letters beyond ASCII"),
        (("--url", "http://me:secret@box"), "has no user, query or fragment"),
        (("--url", "http://box/v1?a=b"), "has no user, query or fragment"),
        (("--url", CLOSED, "--key-env", "sk-123"), "the name of an environment variable"),
        (("--url", CLOSED), "cannot be reached: give --name"),
    ],
)
def test_what_no_launch_could_use_is_refused(home: Home, arguments: tuple[str, ...], words: str) -> None:
    """In one sentence, and nothing is added."""
    assert words in home.refused("add", *arguments)
    assert json.loads(home.ok("list", "--json")) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "give a GGUF file, or --command or --url"),
        (("--route", "/v1/x"), "These options need --command or --url."),
        (("--command", "a {port}", "--url", CLOSED), "not by both"),
        (
            ("--command", "a {port}", "--key-env", "KEY"),
            "--key-env is for a model that is served by a server",
        ),
        (("--url", CLOSED, "--memory", "1G"), "--memory is for a model that is served by a command"),
        (("--command", "a {port}", "--engine-args", "--threads 1"), "are for llama.cpp"),
        (("--command", "a {port}", "x.gguf", "y.gguf"), "give one FILE, or none"),
        (("--url", CLOSED, "--name", "x", "x.gguf"), "leave out FILE"),
    ],
)
def test_options_that_contradict_each_other(home: Home, arguments: tuple[str, ...], words: str) -> None:
    """Are a wrong usage."""
    done = home.run("add", *arguments)
    assert (done.returncode, words in " ".join(done.stderr.split())) == (2, True), done.stderr


def test_a_command_may_have_a_file(home: Home) -> None:
    """Which names the model and is its size; its format does not matter."""
    file = home.path / "ggml-base.bin"
    file.write_bytes(b"whisper" * 1000)
    home.ok(
        "add", str(file), "--command", f"{sys.executable} -m {{model}} {{port}}", "--route", "/v1/audio/*"
    )
    shown = json.loads(home.ok("show", "ggml-base", "--json"))
    assert (shown["paths"], shown["size_bytes"], shown["capabilities"]) == ([str(file)], 7000, [])


def test_the_models_of_a_server_are_asked_for(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its only model is taken, with its key; among several one has to be chosen."""
    monkeypatch.setenv("BOX_KEY", "s3cret")
    with server_of("org/one") as (url, keys):
        home.ok("add", "--url", f"{url}/", "--key-env", "BOX_KEY", "--name", "one")
    assert keys == ["Bearer s3cret"]
    assert backend_of(home, "one") == {
        "kind": "url",
        "command": None,
        "url": url,
        "key_env": "BOX_KEY",
        "served_name": "org/one",
        "routes": [],
        "launch": None,
    }
    with server_of("a", "b") as (url, _):
        assert "has 2 models (a, b): choose one with --served-name" in home.refused("add", "--url", url)
        home.ok("add", "--url", url, "--name", "b")
        assert backend_of(home, "b")["served_name"] is None
        home.ok("add", "--url", url, "--served-name", "a")
        assert backend_of(home, "a")["served_name"] == "a"
        done = home.run("add", "--url", url, "--served-name", "c")
        assert (done.returncode, "lists no model 'c', but these: a, b." in done.stderr) == (0, True)
    assert "s3cret" not in home.ok("show", "one", "--json") + home.ok("show", "one")


def test_a_key_that_would_add_a_header_is_not_sent(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line end at its end, as files have it, is removed; one within it is refused, without the key in the message."""
    monkeypatch.setenv("BOX_KEY", "s3cret\nX-More: 1")
    with server_of("one") as (url, keys):
        message = home.refused("add", "--url", url, "--key-env", "BOX_KEY")
        monkeypatch.setenv("BOX_KEY", "s3cret\n")
        home.ok("add", "--url", url, "--key-env", "BOX_KEY", "--name", "one")
    assert "was not asked: BOX_KEY has a value that cannot be a key" in message
    assert "s3cret" not in message
    assert keys == ["Bearer s3cret"]


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, b"{}", "responds to /api/v1/models with status 401"),
        (200, b"<html>", "has no list of models at /api/v1/models"),
        (200, b'{"data": [{}]}', "has no list of models at /api/v1/models"),
        (200, b"[" * 100_000, "has no list of models at /api/v1/models"),
    ],
)
def test_a_server_that_is_no_openai_server(home: Home, status: int, body: bytes, words: str) -> None:
    """It can be added by name all the same, with a warning."""
    with server_of(status=status, body=body) as (url, _):
        assert words in home.refused("add", "--url", url)
        done = home.run("add", "--url", url, "--name", "later")
    assert (done.returncode, words in done.stderr) == (0, True)


def test_the_url_of_a_server_needs_the_path_of_its_api(home: Home) -> None:
    """A forgotten /v1 is named, also with a name for the model; nothing is added."""
    with server_of("one") as (url, _):
        for name in ((), ("--name", "one")):
            assert home.refused("add", "--url", url.removesuffix("/v1"), *name) == (
                f"The server at {url.removesuffix('/v1')} has its API below /v1: give --url {url}."
            )
    assert json.loads(home.ok("list", "--json")) == []


def test_the_details_of_a_server_elsewhere(mixed: Home) -> None:
    """Its state does not suggest that it could be loaded here."""
    mixed.ok("set", "elsewhere", "--key-env", "BOX")
    shown = mixed.ok("show", "elsewhere").splitlines()
    for line in ("Named there:  big/model", "Key from:     BOX", "State:        runs elsewhere"):
        assert line in shown


def test_a_backend_is_changed_part_by_part(mixed: Home) -> None:
    """Options that are not given keep their values; those of the other kind are refused."""
    mixed.ok("set", "run-it", "--route", "/v1/embeddings")
    mixed.ok("set", "run-it", "--command", "other {port}")
    assert backend_of(mixed, "run-it")["command"] == ["other", "{port}"]
    assert backend_of(mixed, "run-it")["routes"] == ["/v1/embeddings"]
    mixed.ok("set", "elsewhere", "--url", "https://box/v1", "--key-env", "BOX")
    assert [backend_of(mixed, "elsewhere")[name] for name in ("url", "key_env", "served_name")] == [
        "https://box/v1",
        "BOX",
        "big/model",
    ]
    assert "is served by llama.cpp" in mixed.refused("set", "tiny", "--route", "/v1/x")
    assert "is not served by llama.cpp" in mixed.refused("set", "run-it", "--engine-args", "--threads 1")
    assert "is not served by llama.cpp" in mixed.refused("set", "elsewhere", "--mmproj", "none")
    assert mixed.run("set", "elsewhere", "--command", "a {port}").returncode == 2


@pytest.mark.parametrize(
    "command",
    [
        ("list",),
        ("list", "--json"),
        ("show", "{}"),
        ("show", "{}", "--json"),
        ("verify",),
        ("verify", "{}"),
        ("outdated",),
        ("prune",),
        ("doctor",),
        ("ps",),
        ("set", "{}", "--name", "renamed"),
        ("set", "{}", "--alias", "other", "--ctx", "4096", "--idle-ttl", "5m"),
        ("set", "{}", "--embedding"),
        ("set", "{}", "--auto"),
        ("profile", "set", "calm", "--model", "{}", "--temperature", "0.1"),
        ("alias", "best", "{}"),
        ("rm", "{}"),
        ("rm", "{}", "--files", "--yes"),
        ("backup", "{home}/backup.db"),
    ],
)
@pytest.mark.parametrize("name", ["tiny", "run-it", "elsewhere"])
def test_every_command_takes_every_model(mixed: Home, command: tuple[str, ...], name: str) -> None:
    """No command needs a file of a model that has none, nor shows a traceback."""
    done = mixed.run(*(word.replace("{}", name).replace("{home}", str(mixed.path)) for word in command))
    assert "Internal error" not in done.stderr
    is_usable = done.returncode == 0 or command in {("doctor",), ("ps",)}
    assert is_usable, done.stderr


def test_a_list_says_where_a_model_is_served(mixed: Home) -> None:
    """Its source is its server or its command, and it has no size."""
    lines = [line.split() for line in mixed.ok("list").splitlines()]
    assert [(line[1], line[6], line[8]) for line in lines[2:4]] == [
        ("run-it", "-", "command"),
        ("elsewhere", "-", "127.0.0.1:9"),
    ]


def test_a_backup_has_the_backends(mixed: Home, tmp_path: Path) -> None:
    """Restored, they are as they were."""
    mixed.ok("backup", str(tmp_path / "backup.db"))
    before = [backend_of(mixed, name) for name in ("run-it", "elsewhere")]
    mixed.ok("rm", "run-it", "elsewhere")
    mixed.ok("restore", str(tmp_path / "backup.db"))
    assert [backend_of(mixed, name) for name in ("run-it", "elsewhere")] == before


def test_removing_says_nothing_of_files(mixed: Home) -> None:
    """There are none."""
    assert mixed.ok("rm", "run-it") == "Removed 'run-it'.\n"
