"""The example of the pictures of the page: its models are valid files, and its history is the same at each run."""

import random
from pathlib import Path

import pytest
from scripts.page_pictures import history
from scripts.page_pictures.models import MODELS, ExampleModel, write_model

from gglib.gguf.reader import read_gguf


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_the_header_of_a_model_is_that_of_the_published_one(model: ExampleModel, tmp_path: Path) -> None:
    """Gglib reads the same facts of it, and its file takes no space."""
    path = write_model(tmp_path / model.file, model)
    facts = read_gguf(path)
    assert facts.quantization == model.quantization
    assert facts.trained_context == model.header["context_length"]
    assert facts.parameter_count == pytest.approx(model.parameters, rel=1e-4)
    assert path.stat().st_size == model.size
    assert path.stat().st_blocks * 512 < 1_000_000


def test_the_history_is_the_same_at_each_run() -> None:
    """Relative to the time of the pictures."""
    first, second = (list(history._records(random.Random(20), 1e9)) for _ in range(2))  # noqa: S311
    assert first == second
    assert {record.model for record in first} <= {model.name for model in MODELS}
    assert all(record.ended_at_s < 1e9 for record in first)
