"""Several models at once, of which one cannot be removed."""

from typing import Any

from gglib.cli.commands.models.rm import _each
from gglib.core.errors import DownloadInProgressError
from gglib.core.models import ModelSummary

MODELS = [ModelSummary(id=number, name=name) for number, name in enumerate("abc", start=1)]


def test_a_failure_does_not_affect_the_others() -> None:
    """It is reported beside the removals."""

    def remove(model: ModelSummary) -> tuple[dict[str, Any], list[str]]:
        if model.name == "b":
            raise DownloadInProgressError("An update of model 'b' is being pulled.")
        return {"name": model.name}, [f"Removed '{model.name}'."]

    removed, failures = _each(MODELS, remove)
    assert removed == [({"name": "a"}, ["Removed 'a'."]), ({"name": "c"}, ["Removed 'c'."])]
    assert failures == ["An update of model 'b' is being pulled."]
