"""What a launch shows of an option: compares it with launches without the option. Pure."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_TIME = re.compile(r"^[\d.]+ [A-Z] ")
_VOLATILE = re.compile(r"0x[0-9a-f]+|\d+\.\d+ (ms|tokens per second|MiB/s|seconds)|t/s|\bpid\b|/\S*/")
_MOST = 110
_OTHER_ANSWER = "the answer differs"
NOTHING = "accepted; no effect can be seen without a GPU or in these measures"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What one launch showed."""

    error: str | None = None
    """Why it did not load; None: it loaded."""
    is_refused: bool = False
    """Whether gglib refused the option before the launch."""
    props: Mapping[str, Any]
    log: tuple[str, ...] = ()
    answer: str = ""
    prompt: str = ""
    """What the chat template makes of two conversations."""
    timings: Mapping[str, Any]
    adapters: str = ""


def effect(found: Observation, baselines: list[Observation], arguments: tuple[str, ...]) -> str:
    """Return the effect in one phrase: of the settings, the adapters, drafts, the answer or the log.

    Of the log's new lines, that with most words of ``arguments`` is shown.
    """
    if found.error is not None:
        return found.error if found.is_refused else f"FAILED: {found.error}"
    parts = [*_changed_props(found, baselines), *_changed_answer(found, baselines[0])][:3]
    words = {word for argument in arguments for word in re.findall(r"[a-z0-9_.]{2,}", argument.lower())}
    lines = sorted(
        _new_lines(found, baselines), key=lambda line: -sum(word in line.lower() for word in words)
    )
    if lines and (not parts or parts == [_OTHER_ANSWER]):
        parts.insert(0, lines[0])
    return "; ".join(parts) or NOTHING


def _changed_props(found: Observation, baselines: list[Observation]) -> Iterator[str]:
    before, after = _flat(baselines[0].props), _flat(found.props)
    for name, value in after.items():
        if before.get(name) != value:
            yield f"`{name.rpartition('.')[2]}` {_short(before.get(name))} → {_short(value)}"


def _changed_answer(found: Observation, before: Observation) -> Iterator[str]:
    if found.prompt != before.prompt:
        start = _common_length(before.prompt, found.prompt)
        yield f"prompt `…{_short(before.prompt[start:])}` → `…{_short(found.prompt[start:])}`"
    if found.adapters != before.adapters:
        yield f"adapters {found.adapters}"
    drafted, kept = found.timings.get("draft_n"), found.timings.get("draft_n_accepted")
    if drafted:
        yield f"{drafted} tokens drafted, {kept} accepted"
    if found.answer != before.answer:
        yield _OTHER_ANSWER


def _common_length(first: str, second: str) -> int:
    """Return how many characters two texts begin with alike."""
    pairs = zip(first, second, strict=False)
    return next((place for place, (a, b) in enumerate(pairs) if a != b), min(len(first), len(second)))


def _new_lines(found: Observation, baselines: list[Observation]) -> Iterator[str]:
    known = {_normalised(line) for baseline in baselines for line in baseline.log}
    for line in found.log:
        text = _normalised(line)
        if text and text not in known and not _VOLATILE.search(text):
            yield f"log: `{text[:_MOST].replace('|', '/').replace('`', ' ')}`"


def _normalised(line: str) -> str:
    return " ".join(_TIME.sub("", line).split())


def _flat(value: object, prefix: str = "") -> dict[str, object]:
    if isinstance(value, Mapping):
        items = [_flat(item, f"{prefix}.{name}") for name, item in value.items()]
        return {name: item for part in items for name, item in part.items()}
    return {prefix: value}


def _short(value: object) -> str:
    text = value if isinstance(value, str) else str(round(value, 4) if isinstance(value, float) else value)
    text = " ".join(text.split())
    return text if len(text) <= 40 else f"{text[:37]}…"
