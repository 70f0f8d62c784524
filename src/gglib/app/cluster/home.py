"""What a home knows of its part in a cluster: ``$GGLIB_HOME/cluster``, for its owner only."""

import fcntl
import hashlib
import json
import os
import secrets
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from gglib.core.errors import InvalidSettingError
from gglib.core.shell_quoting import in_quotes
from gglib.nodes.ray.raylet import marked_processes, process_name
from gglib.system.files.small_files import parse_json, read_small

TOKEN_BYTES = 32
_STATE = "node.json"
_OWNER_ONLY = 0o600


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterPart:
    """The part of a home in a cluster."""

    is_head: bool
    name: str
    """The name of this machine in the cluster."""
    address: str
    """HOST:PORT of the head."""
    node_ip: str
    """The address that other machines reach this one by."""
    first_port: int
    mark: str
    """Identifies the processes of Ray that belong to this home."""


class ClusterHome:
    """The files of a home's part in a cluster."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.directory = home / "cluster"
        self.token_file = self.directory / "token"
        self.ray_log = self.directory / "ray.log"
        self.serve_log = self.directory / "serve.log"
        self.serve_record = self.directory / "serve.json"
        self.storage = self.directory / "gcs"

    @property
    def temp_dir(self) -> Path:
        """Ray's sessions. Not in the home, whose path may be too long for a socket."""
        digest = hashlib.sha256(str(self.home).encode()).hexdigest()[:10]
        return Path(tempfile.gettempdir()) / f"gglib-ray-{digest}"

    def prepare(self) -> None:
        """Create the directories, for the owner only. Raises ``InvalidSettingError``."""
        for directory in (self.directory, self.temp_dir):
            try:
                directory.mkdir(mode=0o700, parents=True, exist_ok=True)
                is_own = directory.stat().st_uid == os.getuid() and not directory.is_symlink()
            except OSError as error:
                raise InvalidSettingError(
                    f"{directory} cannot be created ({error.strerror}): use another --home, or free disk space."
                ) from error
            if not is_own:
                raise InvalidSettingError(f"{directory} belongs to another user: use another --home.")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Change the part of the home during the block, one process at a time; the others wait."""
        run_dir = self.home / "run"
        run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(run_dir / "cluster.lock", "w", encoding="utf-8") as lock:  # noqa: PTH123 - for its descriptor
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def read(self) -> ClusterPart | None:
        """Return the part of this home; None if it has none. Raises ``InvalidSettingError``."""
        path = self.directory / _STATE
        try:
            return ClusterPart(**parse_json(read_small(path)))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            # Without its mark, the processes are known by the directory in their command lines.
            end = in_quotes(
                f"pkill -9 -f {self.temp_dir.name}; {shlex.join(('rm', '-r', str(self.directory)))}"
            )
            raise InvalidSettingError(
                f"{path} cannot be read ({error}): {end} ends this home's part in its cluster."
            ) from error

    def write(self, part: ClusterPart) -> None:
        """Keep the part of this home."""
        self._write(self.directory / _STATE, json.dumps(asdict(part)))

    def restore(self, before: ClusterPart | None) -> None:
        """Keep the part that the home had before a change that failed; None: it had none."""
        if before is None:
            (self.directory / _STATE).unlink(missing_ok=True)
        else:
            self.write(before)

    def remove(self) -> None:
        """Remove all files, but not Ray's messages of a start that failed."""
        shutil.rmtree(self.temp_dir, ignore_errors=True)
        for path in self.directory.glob("*"):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            elif path != self.ray_log:
                path.unlink(missing_ok=True)

    def make_token(self) -> None:
        """Make a token, unless there is one."""
        if not self.token_file.exists():
            self.keep_token(secrets.token_hex(TOKEN_BYTES))

    def keep_token(self, token: str) -> None:
        """Keep the token of a cluster."""
        self._write(self.token_file, token)

    def read_token(self) -> str | None:
        """Return the token; None if there is none that can be read."""
        try:
            return self.token_file.read_text()
        except (OSError, ValueError):
            return None

    def write_serve_record(self, pid: int, start_id: str | None) -> None:
        """Keep which process was started here to serve the home."""
        self._write(self.serve_record, json.dumps({"pid": pid, "start_id": start_id}))

    def read_serve_record(self) -> tuple[int, str] | None:
        """Return the process that was started here to serve the home, and its start id; None if there was none."""
        try:
            record = parse_json(read_small(self.serve_record))
            return int(record["pid"]), str(record["start_id"])
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def _write(self, path: Path, content: str) -> None:
        draft = path.with_suffix(".new")
        draft.unlink(missing_ok=True)
        with open(draft, "x", encoding="utf-8", opener=_opener) as file:
            file.write(content)
        draft.replace(path)


def is_running(part: ClusterPart) -> bool:
    """Whether the raylet of a part runs; of a head also the head itself."""
    names = {process_name(pid) for pid in marked_processes(part.mark)}
    return names >= ({"raylet", "gcs_server"} if part.is_head else {"raylet"})


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags, _OWNER_ONLY)
