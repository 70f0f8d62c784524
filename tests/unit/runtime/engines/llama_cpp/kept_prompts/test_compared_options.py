"""What the values in a slot depend on."""

from dataclasses import replace
from pathlib import Path

import pytest

from gglib.core.models import ModelLaunchSpec, ModelSettings
from gglib.runtime.engines.llama_cpp.kept_prompts.compared_options import (
    UNCHANGED_BY,
    compared_options,
    launch_options,
    off_reason,
)
from gglib.runtime.engines.llama_cpp.options import OPTIONS_BY_NAME

SPEC = ModelLaunchSpec(
    model_id=1, model_name="a", path=Path("/a.gguf"), architecture="llama", trained_context=8192
)


def with_settings(settings: ModelSettings) -> ModelLaunchSpec:
    """Return the model with settings."""
    return replace(SPEC, settings=settings)


def test_options_without_effect_on_the_values_are_left_out() -> None:
    """Threads and sampling may change; what is not listed counts."""
    assert compared_options({"--threads": "4", "--temp": "0", "--rope-scale": "2", "--new": "1"}) == (
        ("--new", "1"),
        ("--rope-scale", "2"),
    )


def test_left_out_options_exist() -> None:
    """A renamed option would count, and nothing would say so."""
    assert {OPTIONS_BY_NAME[name].name for name in UNCHANGED_BY} == UNCHANGED_BY


def test_final_values_count() -> None:
    """Under any name, with variables and unchecked arguments."""
    settings = ModelSettings(
        engine_args=("-ctk", "q8_0", "-ctk", "f16", "--threads", "2"),
        environment=(("GGML_X", "1"),),
        extra_args=("--y", "2"),
    )
    assert launch_options(with_settings(settings), 4096) == (
        ("--", "--y\0002"),
        ("--cache-type-k", "f16"),
        ("--env GGML_X", "1"),
    )


@pytest.mark.parametrize(
    ("architecture", "trained", "context", "counts"),
    [
        ("llama", 8192, 8192, False),
        ("llama", 8192, 8193, True),
        ("llama", None, 4096, True),
        ("phi3", 8192, 4096, True),
        (None, 8192, 4096, True),
    ],
)
def test_the_context_counts_where_positions_may_depend_on_it(
    architecture: str | None, trained: int | None, context: int, *, counts: bool
) -> None:
    """Factors for long contexts, and a context beyond the trained one."""
    spec = replace(SPEC, architecture=architecture, trained_context=trained)
    assert launch_options(spec, context) == ((("the context", str(context)),) if counts else ())


def test_some_models_are_never_kept() -> None:
    """A disk cache of the engine itself, images, and drafts."""
    assert off_reason(SPEC) is None
    disk_cache = with_settings(ModelSettings(extra_args=("--cache-disk", "8")))
    assert off_reason(disk_cache) == "its engine has a disk cache"
    with_projector = replace(SPEC, projector=Path("/p.gguf"))
    assert off_reason(with_projector) == "its conversations may have images, which a file does not identify"
    drafts = with_settings(ModelSettings(engine_args=("--model-draft", "/d.gguf")))
    assert off_reason(drafts) == "the state of its drafts cannot be saved"
