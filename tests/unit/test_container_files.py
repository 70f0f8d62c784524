"""The files of the container agree with one another and with gglib."""

import json
import re
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from subprocess import run
from sys import executable
from threading import Thread
from typing import Any

import pytest
import yaml

from gglib.app.settings import SETTINGS
from gglib.app.settings.loading import HOME_VARIABLE

ROOT = Path(__file__).parents[2]
CONTAINERFILE = (ROOT / "Containerfile").read_text(encoding="utf-8").replace("\\\n", " ")
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
PAGE = (ROOT / "docs" / "container.md").read_text(encoding="utf-8")
IGNORED = [
    line
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]
VARIABLES = {spec.env for spec in SETTINGS} | {HOME_VARIABLE}


def copied() -> list[str]:
    """Return the paths that the Containerfile copies from the sources."""
    lines = re.findall(r"^COPY (?!--from)(.*)$", CONTAINERFILE, re.MULTILINE)
    return [path for line in lines for path in line.split()[:-1]]


def test_the_context_has_what_is_copied_and_nothing_else() -> None:
    """Every path exists, is exempted from the rule that ignores all, and no other is."""
    exempted = [line[1:] for line in IGNORED if line.startswith("!")]
    assert IGNORED[0] == "*"
    assert sorted(copied()) == sorted(exempted)
    assert all((ROOT / path).exists() for path in copied())


@pytest.mark.parametrize(
    "path", ["LICENSE", "README.md", "scripts/package_readme.py", "src/gglib/core/version.py"]
)
def test_what_the_build_reads_is_copied(path: str) -> None:
    """The project's metadata names these files: without one of them the build fails."""
    assert (ROOT / path).is_file()
    assert any(fnmatch(path, f"{source}*") for source in copied())


@pytest.mark.parametrize("text", [CONTAINERFILE, json.dumps(COMPOSE), PAGE], ids=("image", "compose", "docs"))
def test_every_variable_is_a_setting(text: str) -> None:
    """A misspelt one would be ignored, with a warning that a container's user does not see."""
    assert set(re.findall(r"GGLIB_[A-Z_]+", text)) <= VARIABLES


def test_the_example_restricts_gglib_as_the_docs_say() -> None:
    """Read-only, without capabilities, with the time that a stop takes, on this machine's address alone."""
    service = COMPOSE["services"]["gglib"]
    assert service["build"]["dockerfile"] == "Containerfile"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    drain_s = int(service["environment"]["GGLIB_DRAIN_S"])
    assert service["stop_grace_period"] == f"{drain_s + 15}s"
    assert f"--stop-timeout {drain_s + 15}" in PAGE
    assert f"terminationGracePeriodSeconds: {drain_s + 15}" in PAGE
    ports = [port for other in COMPOSE["services"].values() for port in other["ports"]]
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_user_is_a_number_and_not_root() -> None:
    """Kubernetes cannot check a name; the docs have the same number."""
    (user,) = re.findall(r"^USER (\d+):\1$", CONTAINERFILE, re.MULTILINE)
    assert int(user) > 0
    assert f"--uid {user} " in CONTAINERFILE
    assert f"runAsUser: {user}" in PAGE


def test_a_slow_download_of_the_first_model_does_not_make_the_container_unhealthy() -> None:
    """Open WebUI is not started beside one that is: 100 MB take longer than three checks on a slow connection."""
    (minutes,) = re.findall(r"^HEALTHCHECK .*--start-period=(\d+)m ", CONTAINERFILE, re.MULTILINE)
    assert int(minutes) >= 10
    assert f"within {minutes} minutes" in PAGE


@pytest.mark.parametrize("status", [200, 500])
def test_the_health_check_is_the_status_of_the_server(status: int) -> None:
    """The command of the image, run on a server of the standard library."""
    (check,) = re.findall(r"^HEALTHCHECK .*?CMD (\[.*\])$", CONTAINERFILE, re.MULTILINE)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/health" else 404)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as above
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        command = [executable, *json.loads(check)[1:]]
        done = run(command, env={"GGLIB_PORT": str(server.server_port)}, capture_output=True, check=False)
        server.shutdown()
        thread.join()
    assert (done.returncode == 0) == (status == 200)
