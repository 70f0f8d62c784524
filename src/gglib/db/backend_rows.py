"""The backend of a model as the JSON object of its row. Pure."""

import json
import os
from dataclasses import asdict
from pathlib import Path

from gglib.core.backends import Backend, CommandBackend, UrlBackend


def backend_to_json(backend: Backend) -> str:
    """Return the JSON object of a backend."""
    fields = asdict(backend)
    if isinstance(backend, CommandBackend) and backend.directory is not None:
        # Any bytes may be in a path; JSON keeps them as lone surrogates.
        fields["directory"] = os.fspath(backend.directory)
    if fields.get("ca_file", "") is None:
        del fields["ca_file"]  # a gglib that does not know it reads the row, too
    return json.dumps({"kind": "command" if isinstance(backend, CommandBackend) else "url", **fields})


def backend_from_json(text: str) -> Backend:
    """Return the backend of a JSON object. Raises ``ValueError``, ``KeyError`` or ``TypeError`` if it is none."""
    fields = json.loads(text)
    kind = fields.pop("kind")
    fields["routes"] = tuple(fields["routes"])
    if kind == "url":
        return UrlBackend(**fields)
    if kind != "command":
        raise ValueError(f"a backend of the unknown kind '{kind}'")
    directory = fields["directory"]
    return CommandBackend(
        **fields
        | {
            "argv": tuple(fields["argv"]),
            "memory": tuple((device, size) for device, size in fields["memory"]),
            "directory": None if directory is None else Path(directory),
        }
    )
