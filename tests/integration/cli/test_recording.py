"""The recording of bodies is announced: at the start, by ``doctor``, and when it is set."""

import json

from .conftest import Home


def test_a_start_and_doctor_say_what_is_recorded(stocked: Home) -> None:
    """Which requests, and in which file; a pattern that matches nothing is named."""
    assert "recording" not in stocked.ok("doctor")
    done = stocked.run("config", "set", "record_bodies", "key:zoe,model:tin*")
    assert done.returncode == 0
    unknown = "Setting 'record_bodies': 'key:zoe' matches no access key: there is none."
    assert done.stderr == f"Warning: {unknown}\n"
    clause = (
        f"prompts and answers of requests for key:zoe, model:tin* are stored in {stocked.path}/history.db"
    )
    results = {result["name"]: result for result in json.loads(stocked.ok("doctor", "--json"))}
    assert results["recording"]["verdict"] == "warn"
    assert clause in results["recording"]["detail"]
    assert unknown in results["models"]["detail"]
    with stocked.foreground("serve", "--port", "0", first_words="Listening on"):
        pass
    log = (stocked.path / "stderr.txt").read_text()
    assert unknown in log
    assert f"Setting 'record_bodies': {clause}, known forms of secrets removed." in log


def test_a_pattern_has_to_say_what_it_is_for(stocked: Home) -> None:
    """The sentence has a valid form."""
    sentence = stocked.refused("config", "set", "record_bodies", "zoe,model:x")
    assert "'zoe', which is neither key:NAME nor model:NAME" in sentence
