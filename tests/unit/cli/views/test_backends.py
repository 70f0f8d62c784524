"""The parts of a model that llama.cpp does not serve."""

from gglib.cli.views.backends import backend_fields
from gglib.core.backends import Backend, CommandBackend, UrlBackend
from gglib.core.models import ModelSummary


def shown(backend: Backend | None) -> dict[str, str]:
    """Return the fields that are printed."""
    fields = backend_fields(ModelSummary(id=1, name="m", backend=backend))
    return {label: value for label, value in fields.items() if value}


def test_defaults_are_left_out() -> None:
    """Only the directory of a command is always shown: its relative paths depend on it."""
    assert shown(None) == {}
    assert shown(UrlBackend(base_url="http://box/v1")) == {}
    assert shown(CommandBackend(argv=("serve",))) == {"Directory": "/"}


def test_labels_fit_the_column_of_show() -> None:
    """A label, its colon and a space."""
    for backend in (UrlBackend(base_url="http://box/v1"), CommandBackend(argv=("serve",))):
        assert all(
            len(label) <= 12 for label in backend_fields(ModelSummary(id=1, name="m", backend=backend))
        )


def test_a_caller_without_admin_rights_sees_no_directory() -> None:
    """The response has neither the words nor the directory."""
    assert shown(CommandBackend(argv=())) == {}
