"""The error that clients see after a failed launch."""

import tempfile
from pathlib import Path

import pytest

import gglib
from gglib.core.errors import ModelLoadFailedError, ModelOutOfMemoryError
from gglib.core.models import ModelLaunchSpec
from gglib.runtime.engines.llama_cpp.embedded import EmbeddedEngine
from gglib.runtime.local.error_redaction import redact_error, redact_preflight_error
from gglib.runtime.local.launch import LaunchConfig
from gglib.runtime.local.path_redaction import PathRedactor


def test_traceback_of_the_runner_shows_no_installation_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The directory that gglib is installed in is redacted, with everything beside it."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # gglib itself may lie below the usual one
    config = LaunchConfig(
        engine=EmbeddedEngine(reason="test"), engines_dir=tmp_path / "engines", log_dir=tmp_path
    )
    spec = ModelLaunchSpec(model_id=1, model_name="a", path=tmp_path / "a.gguf")
    runner = Path(gglib.__file__).parents[1] / "runner.py"
    error = ModelLoadFailedError("a", f'File "{runner}", line 3')
    shown = redact_preflight_error(error, spec, config)
    assert isinstance(shown, ModelLoadFailedError)
    assert shown.reason == 'File "runner.py", line 3'


def test_a_load_without_memory_keeps_its_class() -> None:
    """The scheduler evicts idle models and tries again, which it does for no other failure."""
    error = ModelOutOfMemoryError("a", "out of memory: /models/a.gguf", ("/models/a.gguf",))
    shown = redact_error(error, PathRedactor([Path("/models")], None))
    assert type(shown) is ModelOutOfMemoryError
    assert (shown.reason, shown.log_tail) == ("out of memory: a.gguf", ("a.gguf",))
