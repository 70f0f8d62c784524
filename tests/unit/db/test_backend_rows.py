"""The JSON objects of backends, as they are stored."""

import pytest

from gglib.core.backends import CommandBackend, UrlBackend
from gglib.db.backend_rows import backend_from_json, backend_to_json


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"kind": "ssh", "routes": []}',
        '{"kind": "url", "routes": []}',
        '{"kind": "command", "routes": [], "argv": ["a"], "memory": [], "directory": null, "shell": true}',
        '{"kind": "command", "routes": [], "argv": ["a"], "memory": [["ram"]], "directory": null}',
    ],
)
def test_a_row_that_is_no_backend_is_an_error(text: str) -> None:
    """Rows that another program wrote raise errors that the catalogue reports."""
    with pytest.raises((ValueError, KeyError, TypeError)):
        backend_from_json(text)


def test_memory_of_a_gpu_alone_is_kept() -> None:
    """A backend need not state its RAM."""
    backend = CommandBackend(argv=("a",), memory=(("gpu0", 7),))
    assert backend_from_json(backend_to_json(backend)) == backend


def test_trusted_certificates_are_stored_only_if_there_are_any() -> None:
    """An older gglib reads the other rows."""
    plain = UrlBackend(base_url="https://box:8443/v1")
    assert "ca_file" not in backend_to_json(plain)
    assert backend_from_json(backend_to_json(plain)) == plain
    trusting = UrlBackend(base_url="https://box:8443/v1", ca_file="/etc/box.crt")
    assert backend_from_json(backend_to_json(trusting)) == trusting
