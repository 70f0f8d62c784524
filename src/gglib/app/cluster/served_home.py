"""The gglib of a node's home, as the agent of the node finds and starts it."""

import os
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from gglib.app.cluster.home import ClusterHome
from gglib.app.serving.instance import Instance, running_instance
from gglib.app.settings import Settings, load_settings
from gglib.app.settings.config_reader import first_problem
from gglib.core.addresses import http_url, is_loopback
from gglib.nodes.ray.environment import user_environment
from gglib.nodes.ray.serve_keeper import ServedAddress
from gglib.runtime.local.os_processes import process_start_id

KEY_NAME = "cluster"
"""The access key that ``gglib node join`` makes for the fronts of the cluster."""
REACH_S = 1.0
_ALL_ADDRESSES = "0.0.0.0"  # noqa: S104 - a node serves other machines
_DETACH = '"$@" </dev/null >>"$SERVE_LOG" 2>&1 & echo $!'
"""The shell ends at once, so that the program is no child of this worker: Ray kills the children of its workers."""
_MAX_REASON_CHARS = 500
MAX_LOG_BYTES = 5_000_000
"""What a gglib prints is also in its own log files, which are rotated."""


@dataclass(slots=True)
class AgentHome:
    """A home, as ``nodes.ray.serve_keeper.ServedHome``. Sent to its agent by value."""

    home: str
    node_ip: str
    _reached: dict[str, int] = field(default_factory=dict, repr=False)
    """The addresses that were reached, with the process that had them then."""
    _key: str | None = field(default=None, repr=False)
    """The key in the last config.toml without a mistake: until it has none, the server keeps its settings, too."""

    def find(self) -> ServedAddress | None:
        """Return the gglib that runs with the home; None if there is none."""
        self._limit_log()
        settings = self._settings()
        instance = running_instance(settings.run_dir)
        if instance is None or instance.is_private:
            return None
        if instance.url is None:
            return ServedAddress(pid=instance.pid, url=None)
        url = self._url(instance.url)
        if self._key is None or not (settings.ignored and first_problem(settings.config_path)):
            self._key = node_key(settings)
        return ServedAddress(pid=instance.pid, url=url, key=self._key, problem=self._problem(url, instance))

    def start(self) -> None:
        """Start a gglib in a session of its own. It ends with neither the agent nor its raylet."""
        settings, cluster = self._settings(), ClusterHome(Path(self.home))
        cluster.serve_log.unlink(missing_ok=True)
        listens = ("--host", _ALL_ADDRESSES) if is_loopback(settings.host) else ()
        started = subprocess.run(
            [
                "/bin/sh",
                "-c",
                _DETACH,
                "sh",
                sys.executable,
                "-m",
                "gglib",
                "--home",
                self.home,
                "serve",
                *listens,
            ],
            env={**_environment(), "SERVE_LOG": str(cluster.serve_log)},
            stdout=subprocess.PIPE,
            check=True,
            start_new_session=True,
        )
        pid = int(started.stdout)
        cluster.write_serve_record(pid, process_start_id(pid))

    def is_starting(self) -> bool:
        """Whether the gglib of the last ``start`` has not ended, also one that an agent before this one started."""
        record = ClusterHome(Path(self.home)).read_serve_record()
        return record is not None and process_start_id(record[0]) == record[1]

    def exit_reason(self) -> str:
        """Return why the gglib of the last ``start`` ended."""
        with suppress(OSError):
            text = ClusterHome(Path(self.home)).serve_log.read_text(errors="replace")
            lines = [line.strip() for line in text.splitlines() if line.strip()]
            if lines:
                return lines[-1].removeprefix("Error: ")[:_MAX_REASON_CHARS]
        return "It ended without a message."

    def _limit_log(self) -> None:
        """Empty the file with what the gglib prints, to whose end it goes on printing."""
        log = ClusterHome(Path(self.home)).serve_log
        with suppress(FileNotFoundError):
            if log.stat().st_size > MAX_LOG_BYTES:
                os.truncate(log, 0)

    def _settings(self) -> Settings:
        return load_settings({"home": self.home}, _environment(), is_tolerant=True)

    def _url(self, own_url: str) -> str:
        """Return the address for other machines; of HTTPS it is that of the certificate."""
        parts = urlsplit(own_url)
        return own_url if parts.scheme == "https" else http_url(self.node_ip, parts.port)

    def _problem(self, url: str, instance: Instance) -> str:
        """Return why other machines cannot use it: it listens on this machine's own addresses only."""
        parts = urlsplit(url)
        if self._reached.get(url) == instance.pid:
            return ""
        try:
            with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=REACH_S):
                self._reached[url] = instance.pid
                return ""
        except OSError:
            return (
                f"The gglib at {instance.url} (pid {instance.pid}) cannot be reached at {url}: stop it on its machine "
                "with 'gglib stop --server', and the cluster starts it for other machines."
            )


def node_key(settings: Settings) -> str | None:
    """Return the key for fronts: the one made for them, or another admin key; None if the gglib needs none."""
    keys = settings.api_keys
    if KEY_NAME in keys and keys[KEY_NAME].is_admin:
        return keys[KEY_NAME].key
    return next((key.key for key in keys.values() if key.is_admin), None)


def _environment() -> dict[str, str]:
    """Return the environment of the user that started the raylet, whose child a worker is."""
    with suppress(OSError):
        content = Path(f"/proc/{os.getppid()}/environ").read_bytes()
        pairs = (
            entry.partition("=") for entry in content.decode(errors="surrogateescape").split("\0") if entry
        )
        found = {name: value for name, _, value in pairs}
        if "RAY_AUTH_MODE" in found:
            return user_environment(found)
    return user_environment(os.environ)
