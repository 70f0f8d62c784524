"""The settings that limit the fields of requests."""

from pathlib import Path

import pytest

from gglib.app.serving.request_limits import allowed_engine_fields, schema_limits
from gglib.app.settings import Settings
from gglib.core.errors import InvalidSettingError


def test_limits_of_schemas_are_in_bytes(tmp_path: Path) -> None:
    """The setting is in KiB."""
    limits = schema_limits(Settings(home=tmp_path, max_schema_kb=2, max_schema_cost=5))
    assert (limits.max_bytes, limits.max_cost) == (2048, 5)


def test_only_protected_fields_can_be_allowed(tmp_path: Path) -> None:
    """The error names the unknown field and the protected ones."""
    assert allowed_engine_fields(Settings(home=tmp_path, allowed_engine_fields=("lora",))) == {"lora"}
    with pytest.raises(InvalidSettingError, match=r"has 'seed'.*id_slot"):
        allowed_engine_fields(Settings(home=tmp_path, allowed_engine_fields=("seed",)))
