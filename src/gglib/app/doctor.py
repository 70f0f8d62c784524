"""The checks of ``gglib doctor``: each passes, warns or fails.

Judges facts that the caller has gathered.
"""

import shlex
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from gglib.app.certificates.facts import CertificateFacts, expiry_warning, validity_problem
from gglib.app.serving.exposure import Exposure, exposure_of, plaintext_warning
from gglib.core.errors import GglibError
from gglib.core.hub.shown_source import pull_target
from gglib.core.memory import Fit
from gglib.core.models import ModelSummary
from gglib.core.nodes import NodeSnapshot, NodeState
from gglib.core.shell_quoting import in_quotes, quoted_command
from gglib.core.sizes import format_size
from gglib.library.fit.slots import SlotFit
from gglib.library.starter import STARTER

MIN_PYTHON = (3, 11)
LOW_DISK_BYTES = 2 * 1024**3
"""Less is not enough for another useful model."""


class Verdict(StrEnum):
    """The severity of a finding: only ``FAIL`` prevents gglib from serving."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check; ``detail`` says what to do unless the check passed."""

    verdict: Verdict
    detail: str


@dataclass(frozen=True, slots=True)
class CheckResult:
    """A finding under the name of its check."""

    name: str
    verdict: Verdict
    detail: str


Check = tuple[str, Callable[[], Awaitable[Finding]]]


async def run_checks(checks: Sequence[Check]) -> list[CheckResult]:
    """Run the checks in order; a ``GglibError`` or ``OSError`` is recorded as a failure."""
    results = []
    for name, check in checks:
        try:
            finding = await check()
        except (GglibError, OSError) as error:
            finding = Finding(Verdict.FAIL, str(error))
        results.append(CheckResult(name, finding.verdict, finding.detail))
    return results


def check_python(version: tuple[int, int, int]) -> Finding:
    """Check the version of Python."""
    text = ".".join(map(str, version))
    if version[:2] < MIN_PYTHON:
        return Finding(Verdict.FAIL, f"{text}: install Python 3.11 or newer.")
    return Finding(Verdict.OK, text)


def check_config(path: Path, *, exists: bool, ignored: Sequence[str]) -> Finding:
    """Check the settings: ``ignored`` are the reasons why values of ``path`` or of the environment cannot be used."""
    if ignored:
        return Finding(Verdict.FAIL, " ".join(ignored))
    return Finding(Verdict.OK, f"{path}" if exists else f"{path} does not exist: defaults")


def check_engine(
    description: str,
    reason: str,
    warning: str | None,
    plugin_faults: Sequence[str] = (),
    *,
    fault: str | None = None,
) -> Finding:
    """Report the engine in use; ``warning`` states why it is not the expected one, and what to do.

    ``plugin_faults`` are sentences on plug-ins that cannot be used, ``fault`` why the engine itself cannot.
    """
    if fault is not None:
        return Finding(Verdict.FAIL, " ".join(filter(None, (fault, warning, *plugin_faults))))
    if warning is not None:
        return Finding(Verdict.WARN, " ".join((f"{warning} It is {description}.", *plugin_faults)))
    if plugin_faults:
        return Finding(Verdict.WARN, " ".join((f"{description}: {reason}.", *plugin_faults)))
    return Finding(Verdict.OK, f"{description}: {reason}")


def check_gpu(text: str | None, *, is_lost: bool) -> Finding:
    """Report the GPUs and their use (``app.memory.gpu_use``); ``is_lost``: a GPU with memory of its own is not used."""
    if text is None:
        return Finding(Verdict.OK, "none found: models run on the processor")
    return Finding(Verdict.WARN if is_lost else Verdict.OK, text)


def check_access(
    host: str, key_names: Sequence[str], *, is_insecure: bool, warnings: Sequence[str] = ()
) -> Finding:
    """Check whether other machines reach the server, and with which keys; ``warnings`` are those of the settings."""
    exposure = exposure_of(host, has_keys=bool(key_names), is_insecure=is_insecure)
    if exposure is Exposure.UNPROTECTED:
        return Finding(
            Verdict.FAIL,
            f"{host} is reachable from other machines and no access key is set: 'gglib key new NAME' makes one.",
        )
    if exposure is Exposure.INSECURE:
        return Finding(
            Verdict.WARN, f"anyone who can reach {host} can use the models without an access key (insecure)."
        )
    who = "only this machine" if exposure is Exposure.LOOPBACK else "other machines, too"
    what = f"access keys: {', '.join(key_names)}" if key_names else "no access key required"
    text = f"{who} ({host}); {what}"
    return Finding(Verdict.WARN, f"{text}. {' '.join(warnings)}") if warnings else Finding(Verdict.OK, text)


def check_tls(facts: CertificateFacts | None, host: str, now_s: float) -> Finding:
    """Check the certificate of HTTPS, None for HTTP, at ``now_s`` (Unix time)."""
    if facts is None:
        warning = plaintext_warning(host, has_tls=False)
        if warning is not None:
            return Finding(Verdict.WARN, warning)
        return Finding(Verdict.OK, "HTTP, for this machine only")
    problem = validity_problem(facts, now_s)
    if problem is not None:
        return Finding(Verdict.FAIL, f"The certificate of tls_cert {problem}.")
    warning = expiry_warning(facts, now_s)
    return Finding(Verdict.OK, facts.text) if warning is None else Finding(Verdict.WARN, warning)


def check_recording(recorded: str) -> Finding:
    """Report that bodies are recorded; ``recorded`` says which and where, as a clause."""
    return Finding(
        Verdict.WARN, f"{recorded} (record_bodies): 'gglib config unset record_bodies' ends the recording."
    )


def check_models(  # noqa: PLR0913 - facts of one check
    models: Sequence[ModelSummary],
    missing: Sequence[str],
    hidden: Sequence[str] = (),
    load_errors: Mapping[str, str] = MappingProxyType({}),
    name_warnings: Sequence[str] = (),
    *,
    unread: int = 0,
) -> Finding:
    """Check whether there are models, and whether each could be loaded; ``unread`` is how many were not looked at.

    ``missing`` and ``hidden`` are names: of models without their files, and of models in directories that this user
    cannot search. ``load_errors`` has by name, as a phrase, why the engine in use cannot load a model.
    ``name_warnings`` are sentences on names in the settings that no model has.
    """
    if not models:
        return Finding(
            Verdict.WARN,
            "No models yet: 'gglib up' downloads a starter model, 'gglib add FILE' adds a local file.",
        )
    if missing:
        hints = [
            hint for model in models if model.name in missing and (hint := _restore_hint(model)) is not None
        ]
        if len(hints) < len(missing):
            hints.append("restore the others" if hints else "restore them")
        return Finding(
            Verdict.WARN,
            f"The files of {', '.join(missing)} are missing: {'; '.join(hints)}, or remove the models with 'gglib rm'.",
        )
    if hidden:
        return Finding(
            Verdict.WARN,
            f"The files of {', '.join(hidden)} are in directories that this user cannot search: fix their permissions.",
        )
    if load_errors:
        each = "; ".join(f"'{name}': {error.rstrip('.')}" for name, error in load_errors.items())
        return Finding(Verdict.WARN, f"{len(load_errors)} of {len(models)} cannot be loaded: {each}.")
    if name_warnings:
        return Finding(Verdict.WARN, " ".join(name_warnings))
    text = f"{len(models)} in the catalogue, all files in place."
    if unread:
        text += f" The headers of {unread} were not read, because it takes too long."
    return Finding(Verdict.OK, text)


def _restore_hint(model: ModelSummary) -> str | None:
    """Return how to restore the files of a downloaded model; None if unknown."""
    if model.source.origin == STARTER:
        return f"{quoted_command('pull')} at a terminal, and 1 in its list, restores '{model.name}'"
    target = pull_target(model) if model.is_downloaded else None
    return None if target is None else f"{quoted_command('pull', target)} restores '{model.name}'"


def check_disk(free_bytes: int) -> Finding:
    """Check the free disk space."""
    text = f"{format_size(free_bytes)} free"
    if free_bytes < LOW_DISK_BYTES:
        return Finding(Verdict.WARN, f"{text}: too little for another model.")
    return Finding(Verdict.OK, text)


def check_memory(available_bytes: int | None, largest: str | None, fit: SlotFit | None) -> Finding:
    """Check whether the largest model fits into the free memory.

    ``available_bytes`` is None if the system does not report it; ``largest`` is the model's name, ``fit`` the fit of a
    launch with the default context. Both are None if there is no model.
    """
    if available_bytes is None:
        return Finding(Verdict.OK, "unknown on this system")
    text = f"{format_size(available_bytes)} available"
    if largest is None or fit is None:
        return Finding(Verdict.OK, text)
    if fit.fit is not Fit.FITS:
        return Finding(
            Verdict.WARN,
            f"{text}, and '{largest}' needs about {format_size(fit.need.total_bytes)}: close other programs, "
            f"lower its context ({in_quotes(f'gglib set {shlex.quote(largest)} --ctx N')}), or use a smaller "
            "quantization.",
        )
    if fit.is_short:
        return Finding(
            Verdict.OK, f"{text}; '{largest}' answers {fit.requests} at a time in it, not {fit.wanted}."
        )
    return Finding(Verdict.OK, text)


def check_node(node: NodeSnapshot, *, is_drained: bool) -> Finding:
    """Check a node that was probed. One that cannot be used is no failure: others, and this machine, serve."""
    if node.state is NodeState.READY:
        return Finding(Verdict.OK, f"{node.url} is ready, gglib {node.version}")
    if node.state is NodeState.DRAINING and is_drained:
        undo = quoted_command("node", "drain", "--undo", node.name)
        return Finding(Verdict.WARN, f"{node.url} gets no new requests: {undo} sends it requests again.")
    if node.state is NodeState.DRAINING:
        return Finding(Verdict.WARN, f"{node.url} is shutting down: start 'gglib serve' there again.")
    reason = node.failure or f"{node.url} did not answer in time: check that 'gglib serve' runs there."
    return Finding(Verdict.WARN, reason)
