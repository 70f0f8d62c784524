"""The error that clients see after a failed launch."""

import tempfile
from pathlib import Path

import pytest

import gglib
from gglib.core.errors import ModelLoadFailedError
from gglib.core.models import ModelLaunchSpec
from gglib.runtime.engines.llama_cpp.embedded import EmbeddedEngine
from gglib.runtime.local.error_redaction import redact_preflight_error
from gglib.runtime.local.launch import LaunchConfig


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
