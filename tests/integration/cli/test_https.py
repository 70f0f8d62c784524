"""HTTPS with real processes: own commands, other machines, renewed and broken certificates, and what is shown."""

import http.client
import json
import shutil
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.support.certificates import Authority, Issued, client_context, needs_openssl
from tests.support.waiting import wait_until

from gglib.testing import Script

from .conftest import Home
from .test_reload import log_of

pytestmark = needs_openssl

LOCAL_NAMES = "DNS:localhost,IP:127.0.0.1"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Return an authority that issues certificates."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def certified(stocked: Home, authority: Authority) -> Home:
    """Return a home with one model and a certificate for this machine, in relative paths."""
    stocked.set('tls_cert = "box.crt"\ntls_key = "box.key"')
    put(stocked, authority.issue("box", names=LOCAL_NAMES))
    return stocked


def put(home: Home, issued: Issued) -> None:
    """Replace the files of the home's certificate, the key first."""
    shutil.copy(issued.key, home.path / "box.key")
    shutil.copy(issued.certificate, home.path / "box.crt")


@contextmanager
def connected(url: str, authority: Authority) -> Iterator[http.client.HTTPSConnection]:
    """Connect as a program that trusts the authority."""
    parts = urlsplit(url)
    context = client_context(authority.certificate)
    with closing(
        http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=30, context=context)
    ) as connection:
        yield connection


def shown_names(url: str, authority: Authority) -> list[str]:
    """Return the DNS names of the certificate that a new connection sees."""
    with connected(url, authority) as connection:
        connection.connect()
        certificate: Any = connection.sock.getpeercert()
    return [value for kind, value in certificate["subjectAltName"] if kind == "DNS"]


def test_commands_of_this_machine(certified: Home) -> None:
    """They find the server and accept its certificate alone, without any authority."""
    with certified.serving() as server:
        assert server.url.startswith("https://127.0.0.1:")
        certified.ok("run", "tiny", "Say hello")
        assert "tiny" in certified.ok("ps")
        assert f"{server.url}/v1" in certified.ok("connect", "curl")
        assert f"gglib runs at {server.url}" in certified.ok("doctor")
        assert "https" in certified.ok("dashboard", "--scrape-config")
        assert "already uses the current settings" in certified.ok("reload")


def test_a_certificate_for_another_name(certified: Home, authority: Authority) -> None:
    """The URL has that name for clients; gglib's own commands do not resolve it."""
    put(certified, authority.issue("elsewhere", names="DNS:box.invalid,DNS:*.box.invalid"))
    with certified.serving() as server:
        assert server.url.startswith("https://box.invalid:")
        assert "No model" in certified.ok("ps")
        state = json.loads((certified.path / "run" / "instance.json").read_text())
        assert state["local_url"].startswith("https://127.0.0.1:")
        assert f"{server.url}/v1" in certified.ok("connect", "curl")


def test_a_certificate_that_is_not_the_published_one(certified: Home, authority: Authority) -> None:
    """A program in the place of the server is not used, even with a certificate of the same authority."""
    other = authority.issue("other", names=LOCAL_NAMES)
    with certified.serving():
        state_file = certified.path / "run" / "instance.json"
        state = json.loads(state_file.read_text())
        state["certificate"] = other.certificate.read_text().partition("-----END CERTIFICATE-----")[0]
        state["certificate"] += "-----END CERTIFICATE-----\n"
        state_file.write_text(json.dumps(state))
        assert "certificate that is not trusted" in certified.refused("ps")


def test_another_machine_names_the_authority(certified: Home, authority: Authority, tmp_path: Path) -> None:
    """With --ca or GGLIB_CA; without it the sentence says so."""
    put(certified, authority.issue("address", names="IP:127.0.0.1"))
    with certified.serving() as server:
        assert "--ca FILE" in certified.refused("--url", server.url, "list")
        trusting = ("--url", server.url, "--ca", str(authority.certificate))
        assert "tiny" in certified.ok(*trusting, "list")
        certified.variables["GGLIB_CA"] = str(authority.certificate)
        assert "tiny" in certified.ok("--url", server.url, "list")
        by_name = server.url.replace("127.0.0.1", "localhost")
        assert "use a name or an address" in certified.refused("--url", by_name, "list")
        plain = server.url.replace("https:", "http:")
        assert "https://" in certified.refused("--url", plain, "list")
        missing = str(tmp_path / "missing.pem")
        assert f"{missing} cannot be read" in certified.refused("--url", server.url, "--ca", missing, "list")
    assert "--ca is for a remote server" in certified.refused("--ca", missing, "list")


@pytest.mark.parametrize("how", ["watch", "SIGHUP", "gglib reload"])
def test_a_renewed_certificate_is_used_while_a_stream_runs(
    certified: Home, authority: Authority, how: str
) -> None:
    """New connections see it, the stream is complete, and gglib's own commands follow."""
    certified.script(Script(chunks=30, chunk_interval_s=0.1))
    certified.set('tls_cert = "box.crt"\ntls_key = "box.key"')
    body = {"model": "tiny", "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
    with certified.serving() as server, connected(server.url, authority) as connection:
        connection.request("POST", "/v1/chat/completions", json.dumps(body))
        with connection.getresponse() as response:
            response.readline()
            put(certified, authority.issue("renewed", names=f"{LOCAL_NAMES},DNS:renewed.lan"))
            if how == "SIGHUP":
                server.process.send_signal(signal.SIGHUP)
            elif how == "gglib reload":
                assert "renewed.lan; until" in certified.ok("reload")
            wait_until(lambda: "renewed.lan" in shown_names(server.url, authority))
            assert b"[DONE]" in response.read()
        assert "tiny" in certified.ok("ps")
    assert "reloaded the settings: tls_cert localhost, 127.0.0.1; until" in log_of(certified)


def test_a_broken_certificate_changes_nothing_else(certified: Home, authority: Authority) -> None:
    """The server keeps the one that it has and says so; a changed setting is applied all the same."""
    with certified.serving() as server:
        shutil.copy(authority.issue("foreign").key, certified.path / "box.key")
        sentence = certified.refused("reload")
        assert "does not belong to the certificate" in sentence
        assert sentence.endswith("; the server keeps the certificate that it has.")
        certified.set("max_wait_s = 7")
        done = certified.run("reload")
        assert "keeps the certificate" in done.stderr
        wait_until(lambda: "max_wait_s 600 -> 7" in log_of(certified))
        put(certified, authority.issue("ended", names=LOCAL_NAMES, ends=timedelta(minutes=-1)))
        assert "expired on" in certified.refused("reload")
        assert shown_names(server.url, authority) == ["localhost"]


def test_a_start_without_a_usable_certificate_is_refused(certified: Home, authority: Authority) -> None:
    """Before anything else, in one sentence."""
    put(certified, authority.issue("late", names=LOCAL_NAMES, ends=timedelta(minutes=-1)))
    for command in (("serve",), ("up", "--yes")):
        assert "expired on" in certified.refused(*command)
    (certified.path / "box.key").unlink()
    assert "tls_key" in certified.refused("serve")
    assert "which does not exist" in certified.run("doctor").stdout
    certified.script(Script())
    certified.set('tls_cert = "box.crt"')
    assert "HTTPS needs both" in certified.refused("serve")


def test_options_name_files_of_the_current_directory(
    stocked: Home, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a shell completes them, unlike config.toml, whose paths are in the home."""
    issued = authority.issue("typed", names=LOCAL_NAMES)
    monkeypatch.chdir(issued.certificate.parent)
    options = ("--tls-cert", issued.certificate.name, "--tls-key", issued.key.name)
    with stocked.foreground("serve", *options, first_words="Listening on") as server:
        assert shown_names(server.url, authority) == ["localhost"]


def test_doctor_warns_before_the_end(certified: Home, authority: Authority) -> None:
    """And the log at each start."""
    put(certified, authority.issue("ending", names=LOCAL_NAMES, ends=timedelta(days=13)))
    assert "expires on" in certified.run("doctor").stdout
    with certified.serving():
        wait_until(lambda: "expires on" in log_of(certified))


def test_the_second_port_has_the_certificate_too(certified: Home, authority: Authority) -> None:
    """A client of Ollama is no exception."""
    certified.set("ollama_port = 0")
    with (
        certified.foreground("serve", first_words="For clients of Ollama:") as server,
        connected(server.url, authority) as connection,
    ):
        connection.request("GET", "/")
        assert connection.getresponse().read() == b"Ollama is running"


def test_plain_http_for_other_machines_is_warned_of(stocked: Home) -> None:
    """With a key, too; doctor says the same."""
    stocked.set('host = "0.0.0.0"\n[api_keys]\nalice = "SECRET-of-alice"')
    with stocked.serving():
        wait_until(lambda: "PLAIN HTTP" in (stocked.path / "stderr.txt").read_text())
    assert "PLAIN HTTP" in stocked.run("doctor").stdout


def test_a_server_elsewhere_with_its_own_authority(
    certified: Home, authority: Authority, tmp_path: Path
) -> None:
    """Models are added with --ca, which requests then use; without it nothing is sent."""
    with certified.serving() as server:
        front = Home(tmp_path)
        url = ("--url", f"{server.url}/v1")
        assert "--name" in front.refused("add", *url)
        front.ok("add", *url, "--ca", str(authority.certificate), "--name", "far", "--served-name", "tiny")
        assert str(authority.certificate) in front.ok("show", "far")
        assert front.process("run", "far", "Hello").returncode == 0
        assert "has no certificate in PEM" in front.refused(
            "add", *url, "--ca", str(front.model_file), "--name", "x"
        )
