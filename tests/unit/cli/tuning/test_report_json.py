"""The JSON of a tuning."""

import json

from tests.unit.cli.tuning.tuning_results import result

from gglib.cli.tuning.report_json import tuning_json


def test_the_object_has_all_rows_and_both_arguments() -> None:
    """What was not measured has null figures and a note."""
    found = tuning_json(result(notes=("A note.",)), "m", "an engine", is_kept=True)
    rows = found.pop("rows")
    assert json.loads(json.dumps(found)) == {
        "model": "m",
        "engine": "an engine",
        "context": 4096,
        "prompt_tokens": 512,
        "tokens": 64,
        "rounds": 3,
        "notes": ["A note."],
        "engine_args_before": ["--threads", "2"],
        "engine_args": ["--threads", "2", "--ubatch-size", "128"],
        "turn_before_s": 1.6,
        "turn_s": 1.28,
        "is_faster": True,
        "is_kept": True,
    }
    assert rows[1] == {
        "step": "threads",
        "tried": "--threads 1",
        "outcome": "slower",
        "note": None,
        "prompt_per_s": 256.0,
        "generated_per_s": 64 / 0.6 / 2,
        "turn_s": 3.2,
        "noise_s": 0.0,
    }
    assert rows[3] == {
        "step": "flash",
        "tried": "--flash-attn on",
        "outcome": "failed",
        "note": "not <supported>",
        **dict.fromkeys(("prompt_per_s", "generated_per_s", "turn_s", "noise_s")),
    }
