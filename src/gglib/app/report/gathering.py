"""Gathers what is in a report: facts of this machine, and of the home what its redactor lets through."""

import asyncio
import importlib.metadata
import os
import platform
import re
import socket
import sqlite3
from collections.abc import Mapping, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from urllib.parse import urlsplit

from gglib.app.doctor import run_checks
from gglib.app.doctor_checks import doctor_checks
from gglib.app.memory.gpu_use import gpu_names
from gglib.app.models.catalog import open_catalog
from gglib.app.monitoring.log_files import log_path
from gglib.app.report.redaction import ReportRedactor, numbered
from gglib.app.report.sections import Section, check_lines, model_lines, setting_lines, status_lines
from gglib.app.settings import Settings
from gglib.app.settings.effective import effective_settings
from gglib.core.errors import GglibError, InvalidSettingError
from gglib.core.log_lines import readable_line
from gglib.core.models import ModelSummary
from gglib.core.version import __version__
from gglib.system.files.followed_file import read_tail
from gglib.system.present_gpus import read_present_gpus

LOG_LINES = 200
_WORDS = re.compile(r"[A-Za-z0-9_]+")
_PACKAGE_NAME = re.compile(r"[A-Za-z0-9._-]+")


async def gather_report(
    settings: Settings, status: object = None, *, with_names: bool = False
) -> tuple[Section, ...]:
    """Return the sections of a report; ``status`` is that of the running server, None if there is none.

    ``with_names`` keeps the names of models. A catalogue or a log that cannot be read is reported as such.
    """
    models, problem = await _models(settings)
    names = _names_of(settings, [] if with_names else models)
    kept = {name for model in models for name in (model.name, *model.aliases)} if with_names else set[str]()
    words = await asyncio.to_thread(source_words)
    redactor = ReportRedactor(
        words | {piece.lower() for name in kept for piece in _WORDS.findall(name)}, names
    )
    checks = await run_checks(doctor_checks(settings))
    catalogue = model_lines(models, redactor, with_names=with_names)
    return (
        Section("gglib", await asyncio.to_thread(_machine_lines)),
        Section("Checks", check_lines(checks, redactor)),
        Section("Settings", setting_lines(effective_settings(settings), redactor)),
        Section("Catalogue", catalogue if problem is None else (redactor.text(problem),)),
        Section("Status", ("no server runs",) if status is None else status_lines(status, redactor)),
        Section("Log", await asyncio.to_thread(_log_lines, settings, redactor)),
    )


def write_report(file: Path, text: str) -> None:
    """Write the report to a new file, readable by its owner only. Raises ``InvalidSettingError``."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError:
        raise InvalidSettingError(f"{file} exists: name another file, or delete it.") from None
    except OSError as error:
        raise InvalidSettingError(
            f"{file} cannot be written ({error.strerror}): name another file."
        ) from error


async def _models(settings: Settings) -> tuple[Sequence[ModelSummary], str | None]:
    """Return the models, and why they cannot be read."""
    try:
        async with open_catalog(settings) as catalog:
            return await catalog.list_models(), None
    except (GglibError, OSError) as error:
        return (), str(error)


def source_words() -> frozenset[str]:
    """Return the words of gglib's own sources, in lower case."""
    return frozenset(word for text in _sources(files("gglib")) for word in _WORDS.findall(text.lower()))


def _sources(directory: Traversable) -> list[str]:
    texts = []
    for entry in directory.iterdir():
        if entry.is_dir():
            texts += _sources(entry)
        elif entry.name.endswith(".py"):
            texts.append(entry.read_text(encoding="utf-8"))
    return texts


def _names_of(settings: Settings, models: Sequence[ModelSummary]) -> Mapping[str, str]:
    """Return what stands for the names and secrets of this home."""
    directories = {os.fspath(Path.home()): "~", os.fspath(settings.home): "[home]"}
    hosts = (urlsplit(node.url).hostname or "" for node in settings.nodes.values())
    return {
        **numbered("user", (Path.home().name,)),
        **numbered("host", (socket.gethostname(), platform.node().partition(".")[0], *hosts)),
        **numbered("node", settings.nodes),
        **numbered("alias", settings.aliases),
        **numbered("model", (name for model in models for name in (model.name, *model.aliases))),
        **numbered("key", settings.api_keys),
        **dict.fromkeys((key.key for key in settings.api_keys.values()), "[key]"),
        **directories,
    }


def _machine_lines() -> tuple[str, ...]:
    """Return facts of this machine, none of which its user has written."""
    gpus = gpu_names(read_present_gpus())
    return (
        f"gglib {__version__}",
        f"{platform.python_implementation()} {platform.python_version()}, SQLite {sqlite3.sqlite_version}",
        f"{platform.system()} {platform.machine()}, {' '.join(platform.libc_ver()) or 'unknown libc'}",
        f"{os.cpu_count()} processors; GPUs: {gpus or 'none'}",
        *_package_lines(),
    )


def _package_lines() -> list[str]:
    try:
        required = importlib.metadata.requires("gglib") or []
    except importlib.metadata.PackageNotFoundError:
        return []
    names = dict.fromkeys(found[0] for line in required if (found := _PACKAGE_NAME.match(line)))
    lines = []
    for name in names:
        try:
            lines.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue  # an extra that is not installed
    return lines


def _log_lines(settings: Settings, redactor: ReportRedactor) -> tuple[str, ...]:
    """Return the last lines of gglib's own log; logs of engines may quote prompts and are left out."""
    path = log_path(settings.log_dir, "gglib")
    try:
        lines = read_tail(path, LOG_LINES).lines
    except FileNotFoundError:
        return ()
    except OSError as error:
        return (f"cannot be read ({error.strerror})",)
    return tuple(redactor.text(readable_line(line)) for line in lines)
