"""The verdict on each fact about a machine."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.node_values import snapshot

from gglib.app import doctor_checks
from gglib.app.certificates.facts import CertificateFacts
from gglib.app.doctor import (
    Finding,
    Verdict,
    check_access,
    check_config,
    check_disk,
    check_engine,
    check_gpu,
    check_memory,
    check_models,
    check_node,
    check_python,
    check_tls,
    run_checks,
)
from gglib.app.settings import Settings, load_settings
from gglib.core.errors import EngineNotFoundError
from gglib.core.memory import Fit, MemoryNeed
from gglib.core.models import ModelSource, ModelSummary
from gglib.core.nodes import NodeState
from gglib.library.fit.slots import SlotFit


def fit(verdict: Fit, *, slots: int = 4) -> SlotFit:
    """Return the fit of a model of 10 GB with four requested slots."""
    need = MemoryNeed(weights_bytes=10**10, kv_bytes=0, compute_bytes=0, overhead_bytes=0, is_exact=True)
    return SlotFit(slots=slots, wanted=4, need=need, fit=verdict)


BIG = ModelSummary(id=1, name="big", size_bytes=10**10, paths=(Path("/big.gguf"),))
PULLED = ModelSummary(
    id=2,
    name="pulled",
    paths=(Path("/m/a.gguf"),),
    source=ModelSource(origin="hub", repo="ada/coder", file="a b.gguf"),
    is_downloaded=True,
)


async def test_check_that_raises_is_a_failure_and_the_others_run() -> None:
    """One failing check does not hide the next."""

    async def broken() -> Finding:
        raise EngineNotFoundError("No engine.")

    async def denied() -> Finding:
        raise PermissionError(13, "Permission denied")

    async def fine() -> Finding:
        return Finding(Verdict.OK, "fine")

    results = await run_checks([("a", broken), ("b", denied), ("c", fine)])
    assert [(result.name, result.verdict.value) for result in results] == [
        ("a", "fail"),
        ("b", "fail"),
        ("c", "ok"),
    ]
    assert results[0].detail == "No engine."


@pytest.mark.parametrize(
    ("finding", "verdict"),
    [
        (check_python((3, 10, 9)), Verdict.FAIL),
        (check_python((3, 11, 0)), Verdict.OK),
        (check_engine("xllamacpp 1", "it is configured", None), Verdict.OK),
        (check_engine("xllamacpp 1", "llama-server is broken", "It is broken."), Verdict.WARN),
        (check_engine("xllamacpp 1", "it is configured", None, ("A plug-in is broken.",)), Verdict.WARN),
        (check_engine("xllamacpp 1", "it is configured", None, fault="It cannot be imported."), Verdict.FAIL),
        (check_access("127.0.0.1", [], is_insecure=False), Verdict.OK),
        (check_access("127.0.0.1", ["alice"], is_insecure=True), Verdict.OK),
        (check_access("10.0.0.1", ["alice"], is_insecure=False), Verdict.OK),
        (check_access("10.0.0.1", ["alice"], is_insecure=False, warnings=["Oh."]), Verdict.WARN),
        (check_access("10.0.0.1", [], is_insecure=True), Verdict.WARN),
        (check_access("10.0.0.1", [], is_insecure=False), Verdict.FAIL),
        (check_models([], []), Verdict.WARN),
        (check_models([BIG], ["big"]), Verdict.WARN),
        (check_models([PULLED], ["pulled"]), Verdict.WARN),
        (check_models([BIG], [], ["big"]), Verdict.WARN),
        (check_models([BIG], [], name_warnings=["Setting 'preload': …"]), Verdict.WARN),
        (check_models([BIG], []), Verdict.OK),
        (check_disk(10**9), Verdict.WARN),
        (check_disk(10**11), Verdict.OK),
        (check_memory(None, "big", fit(Fit.FITS)), Verdict.OK),
        (check_memory(10**10, "big", fit(Fit.TOO_LARGE)), Verdict.WARN),
        (check_memory(10**10, "big", fit(Fit.TIGHT)), Verdict.WARN),
        (check_memory(2 * 10**10, "big", fit(Fit.FITS)), Verdict.OK),
        (check_memory(2 * 10**10, "big", fit(Fit.FITS, slots=1)), Verdict.OK),
        (check_memory(10**9, None, None), Verdict.OK),
    ],
)
def test_fact_has_its_verdict(finding: Finding, verdict: Verdict) -> None:
    """Only what prevents serving fails; possible trouble warns, and every finding has a text."""
    assert finding.verdict is verdict
    assert finding.detail


def test_access_is_reported_by_key_names() -> None:
    """The reachable clients, whether a key is needed, which keys are set, and the remedy if one is missing."""
    assert check_access("127.0.0.1", [], is_insecure=False).detail == (
        "only this machine (127.0.0.1); no access key required"
    )
    guarded = check_access("10.0.0.1", ["alice", "bob"], is_insecure=False, warnings=["Oh.", "No."]).detail
    assert guarded == "other machines, too (10.0.0.1); access keys: alice, bob. Oh. No."
    assert "'gglib key new NAME'" in check_access("10.0.0.1", [], is_insecure=False).detail


def test_memory_for_fewer_slots_is_reported() -> None:
    """A model that serves fewer concurrent requests than requested is no fault, but is shown."""
    detail = check_memory(2 * 10**10, "big", fit(Fit.FITS, slots=1)).detail
    assert detail == "20.0 GB available; 'big' answers 1 request at a time in it, not 4."
    too_large = check_memory(10**9, "big model", fit(Fit.TOO_LARGE)).detail
    assert too_large.startswith("1.0 GB available, and 'big model' needs about 10.0 GB: ")
    assert "\"gglib set 'big model' --ctx N\"" in too_large


def test_damaged_downloads_are_pulled_again() -> None:
    """The command can be pasted; files of the user's own have to be restored."""
    assert check_models([BIG, PULLED], ["big", "pulled"]).detail == (
        "The files of big, pulled are missing: \"gglib pull 'ada/coder/a b.gguf'\" restores 'pulled'; "
        "restore the others, or remove the models with 'gglib rm'."
    )
    assert check_models([PULLED], ["pulled"]).detail.endswith(
        "restores 'pulled', or remove the models with 'gglib rm'."
    )
    assert "are missing: restore them, or" in check_models([BIG], ["big"]).detail


def test_a_missing_starter_is_pulled_again() -> None:
    """It has no address: the list of first models has it."""
    starter = replace(BIG, source=ModelSource(origin="starter"))
    assert "missing: 'gglib pull' at a terminal, and 1 in its list, restores 'big', or" in (
        check_models([starter], ["big"]).detail
    )


def test_headers_that_were_not_read_are_counted() -> None:
    """A catalogue of thousands of models is checked in part, and the detail says so."""
    finding = check_models([BIG], [], unread=3)
    assert finding.verdict is Verdict.OK
    assert finding.detail.endswith(" The headers of 3 were not read, because it takes too long.")


def test_headers_are_read_within_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models that were used last are read first; what is left after the limit is counted."""
    used = replace(BIG, id=3, name="used", last_used_at=5)
    read: list[str] = []

    def load_errors(models: Iterable[ModelSummary], settings: Settings) -> dict[str, str]:
        read.extend(model.name for model in models)
        return {}

    monkeypatch.setattr(doctor_checks, "model_load_errors", load_errors)
    settings = load_settings({"home": Path("/nonexistent")}, {})
    assert doctor_checks._load_errors([BIG, used], settings) == ({}, 0)
    assert read == ["used", "big"]
    assert doctor_checks._load_errors([BIG, used], settings, limit_s=0.0) == ({}, 2)


def test_settings_that_cannot_be_used_are_a_failure() -> None:
    """The server would not start with them; the detail says which, and why."""
    path = Path("/home/me/gglib/config.toml")
    assert check_config(path, exists=True, ignored=()) == Finding(Verdict.OK, f"{path}")
    assert check_config(path, exists=False, ignored=()).detail == f"{path} does not exist: defaults"
    assert check_config(path, exists=True, ignored=("A.", "B.")) == Finding(Verdict.FAIL, "A. B.")


def test_gpu_that_is_not_used_is_a_warning() -> None:
    """None, and one without memory of its own, are not."""
    assert check_gpu(None, is_lost=False) == Finding(Verdict.OK, "none found: models run on the processor")
    assert check_gpu("Intel GPU: not used", is_lost=False).verdict is Verdict.OK
    assert check_gpu("RTX: not used", is_lost=True) == Finding(Verdict.WARN, "RTX: not used")


def test_https_is_checked_by_its_certificate() -> None:
    """It fails with an expired one, as a start does, and warns before; HTTP is fine on this machine."""
    facts = CertificateFacts(
        names=("box.lan",), not_before_s=0, not_after_s=10**8, fingerprint="0123", pem="PEM"
    )
    assert check_tls(None, "127.0.0.1", 0).verdict is Verdict.OK
    assert check_tls(None, "0.0.0.0", 0).verdict is Verdict.WARN  # noqa: S104 - only judged
    assert check_tls(facts, "0.0.0.0", 1) == Finding(Verdict.OK, facts.text)  # noqa: S104 - only judged
    assert check_tls(facts, "127.0.0.1", 10**8 - 1).verdict is Verdict.WARN
    ended = check_tls(facts, "127.0.0.1", 10**8)
    assert ended.verdict is Verdict.FAIL
    assert ended.detail.startswith("The certificate of tls_cert expired on")


@pytest.mark.parametrize(
    ("state", "is_drained", "verdict", "words"),
    [
        (NodeState.READY, False, Verdict.OK, "http://box:8080 is ready, gglib 1.0"),
        (NodeState.DRAINING, True, Verdict.WARN, "'gglib node drain --undo box' sends it requests again"),
        (NodeState.DRAINING, False, Verdict.WARN, "start 'gglib serve' there again"),
        (
            NodeState.UNKNOWN,
            False,
            Verdict.WARN,
            "did not answer in time: check that 'gglib serve' runs there",
        ),
    ],
)
def test_a_node_is_judged_by_its_state(
    state: NodeState, *, is_drained: bool, verdict: Verdict, words: str
) -> None:
    """None is a failure: this machine and the others serve."""
    node = replace(snapshot("box", state=state), version="1.0")
    found = check_node(node, is_drained=is_drained)
    assert (found.verdict, words in found.detail) == (verdict, True), found.detail


@pytest.mark.parametrize("state", [NodeState.DOWN, NodeState.REFUSED])
def test_a_node_that_cannot_be_used_has_its_own_reason(state: NodeState) -> None:
    """The sentence of the front."""
    node = replace(snapshot("box", state=state), failure="The key in BOX_KEY is wrong.")
    assert check_node(node, is_drained=False) == Finding(Verdict.WARN, "The key in BOX_KEY is wrong.")
