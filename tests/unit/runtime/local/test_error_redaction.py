"""The error that clients see after a failed launch."""

import tempfile
from pathlib import Path
from typing import Any

import pytest

import gglib
from gglib.core.backends import CommandBackend
from gglib.core.errors import ModelLoadFailedError, ModelOutOfMemoryError
from gglib.core.models import NO_FILE, ModelLaunchSpec, ModelSettings
from gglib.runtime.engines.llama_cpp.embedded import EmbeddedEngine
from gglib.runtime.local.error_redaction import redact_error, redact_preflight_error
from gglib.runtime.local.launch_config import LaunchConfig
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


def test_the_directory_of_a_launch_is_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though the patterns know no single launch: ``re`` would keep those of each."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    engines = tmp_path / "run/engines"
    config = LaunchConfig(
        engine=EmbeddedEngine(reason="test"), engines_dir=engines, log_dir=tmp_path / "logs"
    )
    spec = ModelLaunchSpec(model_id=1, model_name="a", path=tmp_path / "a.gguf")
    error = ModelLoadFailedError("a", f"{engines}/7-12/slots/kept-0.bin: no such file in '{engines}/7-12'")
    shown = redact_preflight_error(error, spec, config)
    assert isinstance(shown, ModelLoadFailedError)
    assert shown.reason == "kept-0.bin: no such file in '7-12'"


def test_the_directories_of_a_command_are_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither those that it names nor its program's own, which tracebacks show."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    program = tmp_path / "venv" / "bin" / "serve"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    config = LaunchConfig(
        engine=EmbeddedEngine(reason="test"), engines_dir=tmp_path / "run/engines", log_dir=tmp_path / "logs"
    )
    backend = CommandBackend(argv=("serve", "/weights/private/m.bin", "{port}"), directory=Path("/srv/work"))
    spec = ModelLaunchSpec(model_id=1, model_name="a", path=NO_FILE, backend=backend)
    text = f"{tmp_path}/venv/lib/serve.py: /weights/private/m.bin or /srv/work/c.json is missing"
    shown = redact_preflight_error(ModelLoadFailedError("a", text), spec, config)
    assert isinstance(shown, ModelLoadFailedError)
    assert shown.reason == "serve.py: m.bin or c.json is missing"


@pytest.mark.parametrize(
    "spec",
    [
        {"backend": CommandBackend(argv=("serve", "--model=/private/a/m.bin", "{port}"))},
        {"settings": ModelSettings(engine_args=("--lora", "m:0.5,/private/a/m.bin:0.5"))},
        {"settings": ModelSettings(extra_args=("--file=/private/a/m.bin",))},
        {"settings": ModelSettings(environment=(("WEIGHTS", "/private/a/m.bin"),))},
    ],
)
def test_paths_within_words_are_not_shown(spec: dict[str, Any], tmp_path: Path) -> None:
    """Those of options with their value in one word, of lists, and of the environment; URLs stay whole."""
    config = LaunchConfig(
        engine=EmbeddedEngine(reason="test"), engines_dir=tmp_path / "run/engines", log_dir=tmp_path / "logs"
    )
    launch = ModelLaunchSpec(**{"model_id": 1, "model_name": "a", "path": NO_FILE, **spec})
    error = ModelLoadFailedError("a", "cannot open /private/a/m.bin of https://box/private")
    shown = redact_preflight_error(error, launch, config)
    assert isinstance(shown, ModelLoadFailedError)
    assert shown.reason == "cannot open m.bin of https://box/private"


def test_a_load_without_memory_keeps_its_class() -> None:
    """The scheduler evicts idle models and tries again, which it does for no other failure."""
    error = ModelOutOfMemoryError("a", "out of memory: /models/a.gguf", ("/models/a.gguf",))
    shown = redact_error(error, PathRedactor([Path("/models")], None))
    assert type(shown) is ModelOutOfMemoryError
    assert (shown.reason, shown.log_tail) == ("out of memory: a.gguf", ("a.gguf",))
