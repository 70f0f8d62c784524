"""Converts between rows and profiles. Every function runs inside a transaction of its caller."""

import json
import sqlite3
from typing import Any

from gglib.core.profiles import Profile
from gglib.db.sqlite_errors import map_row_errors

SELECT_PROFILES = """
    SELECT name, model_id, description, system, defaults, template_kwargs, strip FROM profiles
"""
OF_NAME = "WHERE folded = ? AND model_id IS ?"
STORE_PROFILE = """
    INSERT INTO profiles (name, folded, model_id, description, system, defaults, template_kwargs, strip)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (folded, ifnull(model_id, 0)) DO UPDATE SET
        name = excluded.name, description = excluded.description, system = excluded.system,
        defaults = excluded.defaults, template_kwargs = excluded.template_kwargs, strip = excluded.strip
"""


def load_profiles(connection: sqlite3.Connection) -> tuple[Profile, ...]:
    """Return all profiles in insertion order."""
    return tuple(map(_profile, connection.execute(f"{SELECT_PROFILES} ORDER BY id").fetchall()))


def load_profile(connection: sqlite3.Connection, name: str, model_id: int | None) -> Profile | None:
    """Return the profile of exactly this model, or of all models (None), ignoring case."""
    row = connection.execute(f"{SELECT_PROFILES} {OF_NAME}", (name.casefold(), model_id)).fetchone()
    return None if row is None else _profile(row)


def store_profile(connection: sqlite3.Connection, profile: Profile) -> None:
    """Insert a profile, or replace the one with its name and model."""
    connection.execute(
        STORE_PROFILE,
        (
            profile.name,
            profile.name.casefold(),
            profile.model_id,
            profile.description,
            profile.system,
            json.dumps(profile.defaults),
            json.dumps(profile.template_kwargs),
            json.dumps(profile.strip),
        ),
    )


def delete_profile(connection: sqlite3.Connection, name: str, model_id: int | None) -> None:
    """Delete a profile; no effect if there is none."""
    connection.execute(f"DELETE FROM profiles {OF_NAME}", (name.casefold(), model_id))  # noqa: S608 - constants


def _profile(row: tuple[Any, ...]) -> Profile:
    name, model_id, description, system, defaults, template_kwargs, strip = row
    with map_row_errors():
        return Profile(
            name=name,
            model_id=model_id,
            description=description,
            system=system,
            defaults=json.loads(defaults),
            template_kwargs=json.loads(template_kwargs),
            strip=tuple(json.loads(strip)),
        )
