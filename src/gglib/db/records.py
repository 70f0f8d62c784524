"""Values that are stored as one JSON text: where a version came from, and a pull that has not ended.

Texts may hold what is not valid Unicode (names of files are any bytes): JSON writes it as escapes. Fields that a text
lacks have their defaults, and those of a newer gglib are passed over.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from gglib.core.models import ModelSource
from gglib.core.versions import FileRole, IncomingFile, PullJob
from gglib.db.home_paths import HomePaths

_SOURCE_FIELDS = frozenset(field.name for field in fields(ModelSource))
_FILE_FIELDS = frozenset(field.name for field in fields(IncomingFile))
_JOB_FIELDS = frozenset(field.name for field in fields(PullJob))


def source_text(source: ModelSource) -> str:
    """Return a source as text."""
    return json.dumps(asdict(source))


def source_of(text: str) -> ModelSource:
    """Return the source that ``source_text`` wrote; raises ``ValueError`` or ``TypeError`` for other text."""
    return _source(json.loads(text))


def job_text(job: PullJob, home: HomePaths) -> str:
    """Return a pull as text; its directory relative to the home."""
    directory = None if job.directory is None else os.fsdecode(home.stored(job.directory))
    return json.dumps({**asdict(job), "directory": directory})


def job_of(text: str, home: HomePaths) -> PullJob:
    """Return the pull that ``job_text`` wrote; raises ``ValueError``, ``TypeError`` or ``KeyError`` for other text."""
    said = _known(json.loads(text), _JOB_FIELDS)
    return PullJob(
        **{
            **said,
            "aliases": tuple(said["aliases"]),
            "source": _source(said["source"]),
            "files": tuple(_file(file) for file in said["files"]),
            "directory": home.optional_path(said.get("directory")),
        }
    )


def _source(said: Mapping[str, Any]) -> ModelSource:
    return ModelSource(**_known(said, _SOURCE_FIELDS))


def _file(said: Mapping[str, Any]) -> IncomingFile:
    return IncomingFile(**{**_known(said, _FILE_FIELDS), "role": FileRole(said["role"])})


def _known(said: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in said.items() if name in names}
