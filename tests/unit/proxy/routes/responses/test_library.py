"""Fits, updates, first models, verifications and removals as responses."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import msgspec

from gglib.core import model_fits, verification
from gglib.core.hub import first_models, updates
from gglib.core.hub.updates import Upstream
from gglib.core.memory import Fit, MachineMemory, MemoryNeed
from gglib.core.models import ModelSummary
from gglib.core.ports import library
from gglib.core.verification import FileVerdict
from gglib.proxy.routes.responses.files import RemovalPreview, Verification, VerifyProgress
from gglib.proxy.routes.responses.fits import FitVerdict, ModelFit
from gglib.proxy.routes.responses.updates import FirstModels, Update

MODEL = ModelSummary(id=1, name="m", size_bytes=9)
NEED = MemoryNeed(weights_bytes=9, kv_bytes=1, compute_bytes=2, overhead_bytes=3, is_exact=True)
MEMORY = MachineMemory(total_bytes=64, available_bytes=32, gpus=())


def test_a_fit_without_files_is_unknown() -> None:
    """It has no need and no slots; one that was estimated has both."""
    judged = model_fits.ModelFit(
        model_id=1, model_name="m", context=8192, reason="Too large.", fit=Fit.TOO_LARGE, need=NEED, slots=2
    )
    known = ModelFit.of(judged)
    unknown = ModelFit.of(replace(judged, fit=None, need=None, slots=None))
    assert (known.fit, known.slots) == (FitVerdict.TOO_LARGE, 2)
    assert known.need is not None
    assert known.need.total_bytes == 15
    assert (unknown.fit, unknown.need, unknown.slots) == (FitVerdict.UNKNOWN, None, None)


def test_an_update_names_its_files_and_sums_their_sizes() -> None:
    """File names of the hub are escaped."""
    change = updates.FileChange(name="m\x1b.gguf", old_sha256="a", new_sha256="b", new_size_bytes=7)
    check = updates.UpstreamCheck(
        model=MODEL, repo="o/r", state=Upstream.CHANGED, target="o/r:Q4", changes=(change,)
    )
    shown = msgspec.to_builtins(Update.of(check))
    assert (shown["model_name"], shown["state"], shown["pull"]) == ("m", "changed", "o/r:Q4")
    assert (shown["size_bytes"], shown["new_size_bytes"]) == (9, 7)
    assert "\x1b" not in shown["changes"][0]["file"]


def test_first_models_have_their_date_and_total_need() -> None:
    """The need is given as a sum, too: it is what a list shows."""
    offered = first_models.OfferedModel(
        title="M",
        target="o/r:Q4",
        size_bytes=9,
        licence="mit",
        machine_gb=8,
        need=NEED,
        fit=Fit.FITS,
        slots=4,
    )
    found = first_models.FirstModelList(
        as_of=date(2026, 11, 29),
        memory=MEMORY,
        models=(offered,),
        recommended="o/r:Q4",
        is_hub_reachable=True,
    )
    shown = FirstModels.of(found)
    assert (shown.date, shown.recommended, shown.memory.available_bytes) == ("2026-11-29", "o/r:Q4", 32)
    assert (shown.models[0].pull, shown.models[0].need_bytes) == ("o/r:Q4", 15)


def test_a_verification_has_progress_and_results() -> None:
    """A file that differs is bad; the response has both hashes."""
    progress = verification.VerifyProgress(file="m.gguf", done_bytes=1, total_bytes=2)
    check = verification.FileCheck(
        model=MODEL, path=Path("/m.gguf"), expected="a", found="b", verdict=FileVerdict.DIFFERS
    )
    assert VerifyProgress.of(progress) == VerifyProgress(file="m.gguf", done_bytes=1, total_bytes=2)
    (shown,) = Verification.of(verification.Verification(checks=(check,))).checks
    assert check.is_bad
    assert (shown.path, shown.expected_sha256, shown.found_sha256) == ("/m.gguf", "a", "b")


def test_a_preview_has_what_would_be_deleted_and_kept() -> None:
    """Kept files have their reasons."""
    removed = library.RemovedModel(
        model=MODEL, deleted=(Path("/a"),), freed_bytes=9, retained=((Path("/b"), "it is yours"),)
    )
    shown = RemovalPreview.of(removed)
    assert (shown.freed_bytes, shown.deleted) == (9, ("/a",))
    assert [(kept.path, kept.reason) for kept in shown.kept] == [("/b", "it is yours")]
