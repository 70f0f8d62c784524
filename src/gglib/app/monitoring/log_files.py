"""The names and the paths of the logs of a home: gglib's own, and that of the engine of each model."""

from collections.abc import Iterable
from pathlib import Path

from gglib.core.errors import LogNotFoundError
from gglib.core.ports.logs import LogFile
from gglib.runtime.local.engine_log import engine_log_path

LOG_NAME = "gglib.log"
GGLIB = "gglib"
"""The name of gglib's own log."""
ENGINE = "engine:"
"""What precedes the name of the model in the name of an engine's log."""
_SUFFIX = ".log"


def log_path(log_dir: Path, name: str) -> Path:
    """Return the path of a log, which may not exist. Raises ``LogNotFoundError`` for a name of no log.

    The path is always in ``log_dir``: in the name of a model, separators of paths are replaced.
    """
    if name == GGLIB:
        return log_dir / LOG_NAME
    model = name.removeprefix(ENGINE)
    if model == name or not model:
        raise LogNotFoundError(name)
    return engine_log_path(log_dir, model)


def find_logs(log_dir: Path, models: Iterable[str]) -> tuple[LogFile, ...]:
    """Return the logs that exist: gglib's, then those of engines by name. Blocks.

    ``models`` are the names in the catalogue: the name of a file may stand for several names of models.
    """
    own = _log_file(log_dir / LOG_NAME, GGLIB, None)
    engines: list[LogFile] = []
    known: set[Path] = set()
    for model in models:
        path = engine_log_path(log_dir, model)
        if (found := _log_file(path, ENGINE + model, model)) is not None:
            engines.append(found)
            known.add(path)
    for path in (log_dir / "engines").glob("*" + _SUFFIX):
        found = None if path in known else _log_file(path, ENGINE + path.name.removesuffix(_SUFFIX), None)
        # A name that is not UTF-8 is no name of a log.
        if found is not None and found.name.isprintable():
            engines.append(found)
    return (*(() if own is None else (own,)), *sorted(engines, key=lambda log: log.name))


def _log_file(path: Path, name: str, model: str | None) -> LogFile | None:
    """Return a log; None unless it is a regular file."""
    try:
        found = path.stat()
    except OSError:
        return None
    if not path.is_file():
        return None
    return LogFile(
        name=name,
        kind="gglib" if name == GGLIB else "engine",
        model=model,
        size_bytes=found.st_size,
        modified_at=int(found.st_mtime),
    )
