"""Converts between rows and values. No other module (but ``version_rows``) reads rows.

Every function runs inside a transaction of its caller, and opens none.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gglib.core.backends import Backend
from gglib.core.chat_templates import template_sha256
from gglib.core.errors import ModelExistsError
from gglib.core.kinds import with_kind
from gglib.core.models import (
    GgufFacts,
    ModelCapabilities,
    ModelSettings,
    ModelSource,
    ModelSummary,
    NewModel,
)
from gglib.core.priority import Priority
from gglib.db.backend_rows import backend_from_json, backend_to_json
from gglib.db.home_paths import HomePaths, StoredPath
from gglib.db.sqlite_errors import MissingRowsError, map_row_errors

# Each takes one parameter: the id of a model, or NULL for all.
SELECT_MODELS = """
    SELECT id, description, architecture, quantization, parameter_count, size_bytes, trained_context,
        can_chat, can_use_tools, can_reason, can_see, can_embed,
        context, engine_args, idle_ttl_s,
        source_origin, source_repo, source_revision, source_file, source_sha256,
        projector, projector_sha256, is_downloaded, chat_template_sha256, added_at, used_at,
        can_rerank, pooling, kind, version_id, source_asked_revision, source_url,
        is_pinned, priority, backend, environment, extra_args, keep_conversations
    FROM models LEFT JOIN uses ON uses.model_id = models.id WHERE ?1 IS NULL OR id = ?1 ORDER BY id
"""
SELECT_NAMES = """
    SELECT model_id, spelling FROM names WHERE ?1 IS NULL OR model_id = ?1 ORDER BY model_id, position
"""
SELECT_PATHS = """
    SELECT model_id, path, sha256 FROM model_paths WHERE ?1 IS NULL OR model_id = ?1 ORDER BY model_id, position
"""
SELECT_TAGS = """
    SELECT model_id, tag FROM tags WHERE ?1 IS NULL OR model_id = ?1 ORDER BY model_id, position
"""
OWNER_OF_NAME = """
    SELECT holder.spelling FROM names AS taken
    JOIN names AS holder ON holder.model_id = taken.model_id AND holder.position = 0
    WHERE taken.folded = ? AND taken.model_id <> ?
"""
OWNER_OF_PATH = """
    SELECT holder.spelling FROM model_paths AS taken
    JOIN names AS holder ON holder.model_id = taken.model_id AND holder.position = 0
    WHERE taken.path = ?
"""
NO_MODEL = 0
"""An id that no model has."""
RECORD_USE = """
    INSERT INTO uses (model_id, used_at) SELECT id, ?2 FROM models WHERE id = ?1
    ON CONFLICT (model_id) DO UPDATE SET used_at = excluded.used_at WHERE used_at <> excluded.used_at
"""


@dataclass(slots=True)
class _RelatedRows:
    """The rows of other tables that belong to one model, in order."""

    names: list[str]
    paths: list[Path]
    hashes: list[str | None]
    tags: list[str]


def load_models(connection: sqlite3.Connection, home: HomePaths) -> tuple[ModelSummary, ...]:
    """Return every model in insertion order."""
    return _load(connection, home, None)


def load_model(connection: sqlite3.Connection, home: HomePaths, model_id: int) -> ModelSummary:
    """Return one model, which must exist."""
    return _load(connection, home, model_id)[0]


def find_by_id(connection: sqlite3.Connection, home: HomePaths, model_id: int) -> ModelSummary | None:
    """Return one model, None if it does not exist."""
    found = _load(connection, home, model_id)
    return found[0] if found else None


def load_models_revision(connection: sqlite3.Connection) -> int:
    """Return a number that changes with every change of the models; uses do not count."""
    row = connection.execute("SELECT number FROM edition").fetchone()
    if row is None:
        raise MissingRowsError("the table 'edition' is empty")
    number: int = row[0]
    return number


def load_uses(connection: sqlite3.Connection) -> dict[int, int]:
    """Return when each model was last used, by id; models without a use are missing."""
    return dict(connection.execute("SELECT model_id, used_at FROM uses"))


def record_uses(connection: sqlite3.Connection, used_at: Mapping[int, int]) -> None:
    """Record when models were last used, by id; unknown ids are ignored."""
    connection.executemany(RECORD_USE, used_at.items())


def insert_model(
    connection: sqlite3.Connection,
    home: HomePaths,
    model: NewModel,
    *,
    added_at: int,
    version_id: int | None = None,
) -> int:
    """Store a model and return its id. Raises ``ModelExistsError`` if a name or a file is taken."""
    _refuse_taken_names(connection, (model.name, *model.aliases))
    _refuse_taken_paths(connection, home, model.paths)
    columns = {
        **_content_columns(model, home, version_id),
        **_setting_columns(model.settings),
        "added_at": added_at,
    }
    connection.execute(
        f"INSERT INTO models ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})",  # noqa: S608 - constants
        tuple(columns.values()),
    )
    model_id: int = connection.execute("SELECT last_insert_rowid()").fetchone()[0]
    _insert_names(connection, model_id, (model.name,), first_position=0)
    _insert_names(connection, model_id, model.aliases, first_position=1)
    _insert_paths(connection, model_id, [home.stored(path) for path in model.paths], model.hashes)
    _insert_tags(connection, model_id, model.tags)
    return model_id


def replace_content(
    connection: sqlite3.Connection, home: HomePaths, model_id: int, model: NewModel, *, version_id: int | None
) -> None:
    """Replace the files and facts of a model by those of ``model``. Raises ``ModelExistsError`` as on insertion."""
    connection.execute("DELETE FROM model_paths WHERE model_id = ?", (model_id,))
    _refuse_taken_paths(connection, home, model.paths)
    columns = _content_columns(model, home, version_id)
    connection.execute(
        f"UPDATE models SET {', '.join(f'{column} = ?' for column in columns)} WHERE id = ?",  # noqa: S608 - constants
        (*columns.values(), model_id),
    )
    _insert_paths(connection, model_id, [home.stored(path) for path in model.paths], model.hashes)


def set_version(connection: sqlite3.Connection, model_id: int, version_id: int) -> None:
    """Record the version of a model's files, which replaces the flag ``is_downloaded`` of an older gglib."""
    connection.execute(
        "UPDATE models SET version_id = ?, is_downloaded = 0 WHERE id = ?", (version_id, model_id)
    )


def free_names(
    connection: sqlite3.Connection, names: Iterable[str], *, model_id: int = NO_MODEL
) -> list[str]:
    """Return the names that no model other than ``model_id`` has."""
    return [name for name in names if _owner_of_name(connection, name, model_id) is None]


def delete_model(connection: sqlite3.Connection, model_id: int) -> None:
    """Delete a model with its related rows; its id is never reused."""
    connection.execute("DELETE FROM models WHERE id = ?", (model_id,))


def replace_aliases(connection: sqlite3.Connection, model_id: int, aliases: Sequence[str]) -> None:
    """Replace the aliases of a model. Raises ``ModelExistsError`` if one is taken."""
    connection.execute("DELETE FROM names WHERE model_id = ? AND position > 0", (model_id,))
    _refuse_taken_names(connection, aliases)
    _insert_names(connection, model_id, aliases, first_position=1)


def replace_names(connection: sqlite3.Connection, model_id: int, name: str, aliases: Sequence[str]) -> None:
    """Replace the name and the aliases of a model. Raises ``ModelExistsError`` if one is taken."""
    connection.execute("DELETE FROM names WHERE model_id = ?", (model_id,))
    _refuse_taken_names(connection, (name, *aliases))
    _insert_names(connection, model_id, (name, *aliases), first_position=0)


def delete_alias(connection: sqlite3.Connection, model_id: int, alias: str) -> None:
    """Delete an alias of a model, ignoring case; no effect if the model does not have it, or has it as its name."""
    connection.execute(
        "DELETE FROM names WHERE folded = ? AND model_id = ? AND position > 0", (alias.casefold(), model_id)
    )


def replace_tags(connection: sqlite3.Connection, model_id: int, tags: Sequence[str]) -> None:
    """Replace the tags of a model."""
    connection.execute("DELETE FROM tags WHERE model_id = ?", (model_id,))
    _insert_tags(connection, model_id, tags)


def replace_settings(connection: sqlite3.Connection, model_id: int, settings: ModelSettings) -> None:
    """Replace the settings of a model."""
    columns = _setting_columns(settings)
    connection.execute(
        f"UPDATE models SET {', '.join(f'{column} = ?' for column in columns)} WHERE id = ?",  # noqa: S608 - constants
        (*columns.values(), model_id),
    )


def replace_backend(connection: sqlite3.Connection, model_id: int, backend: Backend) -> None:
    """Replace the backend of a model."""
    connection.execute("UPDATE models SET backend = ? WHERE id = ?", (backend_to_json(backend), model_id))


def _load(connection: sqlite3.Connection, home: HomePaths, model_id: int | None) -> tuple[ModelSummary, ...]:
    rows = connection.execute(SELECT_MODELS, (model_id,)).fetchall()
    parts = {row[0]: _RelatedRows([], [], [], []) for row in rows}
    with map_row_errors():  # rows without their model, and a model without a name
        for owner_id, spelling in connection.execute(SELECT_NAMES, (model_id,)):
            parts[owner_id].names.append(spelling)
        for owner_id, path, sha256 in connection.execute(SELECT_PATHS, (model_id,)):
            parts[owner_id].paths.append(home.path(path))
            parts[owner_id].hashes.append(sha256)
        for owner_id, tag in connection.execute(SELECT_TAGS, (model_id,)):
            parts[owner_id].tags.append(tag)
        models = tuple(_summary(row, parts[row[0]], home) for row in rows)
    for model in models:
        numbers = (model.id, model.size_bytes, model.added_at)
        has_source = bool(model.paths) or model.backend is not None
        if not has_source or not all(isinstance(number, int) for number in numbers):
            raise MissingRowsError(f"the rows of model {model.id} do not make a model")
    return models


def _summary(row: Sequence[Any], parts: _RelatedRows, home: HomePaths) -> ModelSummary:
    chat, tools, reasoning, vision, embedding = map(bool, row[7:12])
    context, engine_args, idle_ttl_s, origin, repo, revision, file, sha256 = row[12:20]
    projector, projector_sha256, is_downloaded, chat_template_sha256, added_at, used_at = row[20:26]
    can_rerank, pooling, kind, version_id, asked_revision, url = row[26:32]
    is_pinned, priority, backend, environment, extra_args, keep_conversations = row[32:38]
    model = ModelSummary(
        id=row[0],
        name=parts.names[0],
        aliases=tuple(parts.names[1:]),
        description=row[1],
        architecture=row[2],
        quantization=row[3],
        parameter_count=row[4],
        size_bytes=row[5],
        trained_context=row[6],
        capabilities=ModelCapabilities(
            chat=chat,
            tools=tools,
            reasoning=reasoning,
            vision=vision,
            embedding=embedding,
            rerank=bool(can_rerank),
        ),
        pooling=pooling,
        tags=tuple(parts.tags),
        settings=ModelSettings(
            context=context,
            engine_args=tuple(json.loads(engine_args)),
            idle_ttl_s=idle_ttl_s,
            kind=kind,
            is_pinned=bool(is_pinned),
            priority=None if priority is None else Priority[priority.upper()],
            keep_conversations=None if keep_conversations is None else bool(keep_conversations),
            environment=tuple(json.loads(environment).items()),
            extra_args=tuple(json.loads(extra_args)),
        ),
        backend=None if backend is None else backend_from_json(backend),
        source=ModelSource(
            origin=origin,
            repo=repo,
            revision=revision,
            asked_revision=asked_revision,
            url=url,
            file=file,
            sha256=sha256,
        ),
        paths=tuple(parts.paths),
        hashes=tuple(parts.hashes) if any(parts.hashes) else (),
        projector=home.optional_path(projector),
        projector_sha256=projector_sha256,
        version_id=version_id,
        is_downloaded=version_id is not None or bool(is_downloaded),
        chat_template_sha256=chat_template_sha256,
        added_at=added_at,
        last_used_at=used_at,
    )
    return model if kind is None else with_kind(model)


def _setting_columns(settings: ModelSettings) -> dict[str, str | float | None]:
    return {
        "context": settings.context,
        "engine_args": json.dumps(settings.engine_args),
        "idle_ttl_s": settings.idle_ttl_s,
        "kind": settings.kind,
        "is_pinned": settings.is_pinned,
        "priority": None if settings.priority is None else settings.priority.name.lower(),
        "keep_conversations": settings.keep_conversations,
        "environment": json.dumps(dict(settings.environment)),
        "extra_args": json.dumps(settings.extra_args),
    }


def _content_columns(
    model: NewModel, home: HomePaths, version_id: int | None
) -> dict[str, str | bytes | float | None]:
    """Return the columns that follow from the files of a model and their source."""
    return {
        "description": model.description,
        "size_bytes": model.size_bytes,
        **_fact_columns(model.facts),
        "source_origin": model.source.origin,
        "source_repo": model.source.repo,
        "source_revision": model.source.revision,
        "source_asked_revision": model.source.asked_revision,
        "source_url": model.source.url,
        "source_file": model.source.file,
        "source_sha256": model.source.sha256,
        "projector": None if model.projector is None else home.stored(model.projector),
        "projector_sha256": model.projector_sha256,
        "version_id": version_id,
        "is_downloaded": model.is_downloaded and version_id is None,
        "backend": None if model.backend is None else backend_to_json(model.backend),
    }


def _fact_columns(facts: GgufFacts) -> dict[str, str | float | None]:
    """Return the columns of the facts, including those that no summary shows: memory estimates use them."""
    return {
        "architecture": facts.architecture,
        "parameter_count": facts.parameter_count,
        "quantization": facts.quantization,
        "trained_context": facts.trained_context,
        "block_count": facts.block_count,
        "embedding_length": facts.embedding_length,
        "head_count": facts.head_count,
        "head_count_kv": facts.head_count_kv,
        "key_length": facts.key_length,
        "value_length": facts.value_length,
        "vocabulary_size": facts.vocabulary_size,
        "can_chat": facts.capabilities.chat,
        "can_use_tools": facts.capabilities.tools,
        "can_reason": facts.capabilities.reasoning,
        "can_see": facts.capabilities.vision,
        "can_embed": facts.capabilities.embedding,
        "can_rerank": facts.capabilities.rerank,
        "pooling": facts.pooling,
        "chat_template_sha256": template_sha256(facts.chat_template),
    }


def _refuse_taken_names(connection: sqlite3.Connection, names: Iterable[str]) -> None:
    for name in names:
        holder = _owner_of_name(connection, name)
        if holder is not None:
            raise ModelExistsError(f"The name '{name}' is taken by model '{holder}': choose another name.")


def _owner_of_name(connection: sqlite3.Connection, name: str, but: int = NO_MODEL) -> str | None:
    row = connection.execute(OWNER_OF_NAME, (name.casefold(), but)).fetchone()
    return None if row is None else row[0]


def _refuse_taken_paths(connection: sqlite3.Connection, home: HomePaths, paths: Sequence[Path]) -> None:
    if len({home.stored(path) for path in paths}) < len(paths):
        raise ModelExistsError("The same file is given twice: give each file of the model once.")
    for path in paths:
        for spelling in home.spellings(path):
            holder = connection.execute(OWNER_OF_PATH, (spelling,)).fetchone()
            if holder is not None:
                raise ModelExistsError(f"This file is in the catalogue already, as model '{holder[0]}'.")


def _insert_names(
    connection: sqlite3.Connection, model_id: int, names: Sequence[str], *, first_position: int
) -> None:
    connection.executemany(
        "INSERT INTO names (folded, spelling, model_id, position) VALUES (?, ?, ?, ?)",
        [
            (name.casefold(), name, model_id, position)
            for position, name in enumerate(names, start=first_position)
        ],
    )


def _insert_paths(
    connection: sqlite3.Connection,
    model_id: int,
    paths: Sequence[StoredPath],
    hashes: Sequence[str | None],
) -> None:
    connection.executemany(
        "INSERT INTO model_paths (model_id, position, path, sha256) VALUES (?, ?, ?, ?)",
        [
            (model_id, position, path, sha256)
            for position, (path, sha256) in enumerate(zip(paths, hashes or [None] * len(paths), strict=True))
        ],
    )


def _insert_tags(connection: sqlite3.Connection, model_id: int, tags: Sequence[str]) -> None:
    connection.executemany(
        "INSERT INTO tags (model_id, position, tag) VALUES (?, ?, ?)",
        [(model_id, position, tag) for position, tag in enumerate(dict.fromkeys(tags))],
    )
