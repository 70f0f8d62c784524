"""Reports of an engine without this machine's paths."""

import json

import pytest

from gglib.core.errors import UpstreamError
from gglib.proxy.access.engine_paths import PathRedaction

PROPERTIES = {
    "model_alias": "m",
    "model_path": "/home/me/models/m.gguf",
    "chat_template": "{{ '/x' }}",
    "default_generation_settings": {"params": {"seed": 1}},
}
ADAPTERS = [{"id": 0, "path": "C:\\me\\a.gguf", "scale": 1.0}, {"id": 1, "path": "b.gguf"}]


@pytest.mark.parametrize(
    ("report", "shown"),
    [
        (PROPERTIES, {**PROPERTIES, "model_path": "m.gguf"}),
        (ADAPTERS, [{"id": 0, "path": "a.gguf", "scale": 1.0}, {"id": 1, "path": "b.gguf"}]),
        ({"model_path": None}, {"model_path": None}),
        ([], []),
        ([1, "a/b"], [1, "a/b"]),
    ],
)
def test_paths_become_file_names(report: object, shown: object) -> None:
    """All else stays."""
    assert json.loads(PathRedaction().translate_body(json.dumps(report).encode())) == shown


def test_what_is_not_json_is_not_relayed() -> None:
    """A path in it could not be found."""
    with pytest.raises(ValueError, match=r".*"):
        PathRedaction().translate_body(b"/home/me/m.gguf")
    with pytest.raises(UpstreamError, match="a stream"):
        PathRedaction().open_stream()
