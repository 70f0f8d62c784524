"""Values that are stored as JSON: the source of a version, and an unfinished pull.

Text may be invalid Unicode (file names are arbitrary bytes): JSON writes it as escapes. Missing fields get their
defaults, and fields of a newer gglib are ignored.
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


def source_to_json(source: ModelSource) -> str:
    """Return a source as JSON."""
    return json.dumps(asdict(source))


def source_from_json(text: str) -> ModelSource:
    """Return the source that ``source_to_json`` wrote. Raises ``ValueError`` or ``TypeError`` for other text."""
    return _source(json.loads(text))


def job_to_json(job: PullJob, home: HomePaths) -> str:
    """Return a pull as JSON, its directory relative to the home."""
    directory = None if job.directory is None else os.fsdecode(home.stored(job.directory))
    return json.dumps({**asdict(job), "directory": directory})


def job_from_json(text: str, home: HomePaths) -> PullJob:
    """Return the pull that ``job_to_json`` wrote.

    Raises ``ValueError``, ``TypeError`` or ``KeyError`` for other text.
    """
    fields = _known(json.loads(text), _JOB_FIELDS)
    return PullJob(
        **{
            **fields,
            "aliases": tuple(fields["aliases"]),
            "source": _source(fields["source"]),
            "files": tuple(_file(file) for file in fields["files"]),
            "directory": home.optional_path(fields.get("directory")),
        }
    )


def _source(fields: Mapping[str, Any]) -> ModelSource:
    return ModelSource(**_known(fields, _SOURCE_FIELDS))


def _file(fields: Mapping[str, Any]) -> IncomingFile:
    return IncomingFile(**{**_known(fields, _FILE_FIELDS), "role": FileRole(fields["role"])})


def _known(fields: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name in names}
