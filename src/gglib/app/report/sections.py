"""The sections of a report, as text and as values for JSON. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gglib.app.doctor import CheckResult
from gglib.app.report.redaction import ReportRedactor
from gglib.app.settings.effective import EffectiveSetting
from gglib.core.models import ModelSummary
from gglib.core.plain_text import escape_line
from gglib.core.sizes import format_size

MAX_STATUS_LINES = 300
_NUMBERS = bool | int | float | None


@dataclass(frozen=True, slots=True)
class Section:
    """A titled part of the report."""

    title: str
    lines: tuple[str, ...]


def report_text(sections: Sequence[Section]) -> str:
    """Return the report."""
    return "\n".join(f"## {section.title}\n\n{_block(section.lines)}" for section in sections)


def _block(lines: Sequence[str]) -> str:
    return "".join(f"    {escape_line(line)}\n" for line in lines or ("(nothing)",))


def setting_lines(settings: Sequence[EffectiveSetting], redactor: ReportRedactor) -> tuple[str, ...]:
    """Return the settings that are not the default: of texts what may be shown, of tables the number of entries."""
    return tuple(
        f"{setting.setting} = {_shown(setting.value, redactor)}  ({redactor.text(setting.source)})"
        for setting in settings
        if setting.source != "default"
    )


def _shown(value: Any, redactor: ReportRedactor) -> str:  # noqa: ANN401 - any TOML value
    if isinstance(value, _NUMBERS):
        return str(value)
    if isinstance(value, str):
        return redactor.text(value)
    count = len(value) if isinstance(value, Mapping | list | tuple) else 1
    return f"({count} {'entry' if count == 1 else 'entries'})"


def check_lines(checks: Sequence[CheckResult], redactor: ReportRedactor) -> tuple[str, ...]:
    """Return the results of the checks."""
    return tuple(
        f"{check.verdict.value:<4} {_check_name(check.name, redactor)}: {redactor.text(check.detail)}"
        for check in checks
    )


def _check_name(name: str, redactor: ReportRedactor) -> str:
    """Return the name of a check: its first word is gglib's own, also where the user is called ``home``."""
    kind, blank, of = name.partition(" ")
    return f"{kind}{blank}{redactor.text(of)}"


def model_lines(
    models: Sequence[ModelSummary], redactor: ReportRedactor, *, with_names: bool
) -> tuple[str, ...]:
    """Return a line for each model: its kind, not its name unless ``with_names``."""
    return (
        f"{len(models)} models",
        *(_model_line(n, m, redactor, with_names) for n, m in enumerate(models, 1)),
    )


def _model_line(number: int, model: ModelSummary, redactor: ReportRedactor, with_names: bool) -> str:  # noqa: FBT001
    about = [
        redactor.text(model.architecture or "unknown"),
        redactor.text(model.quantization or "unknown"),
        format_size(model.size_bytes or 0),
        f"{model.trained_context or 'unknown'} tokens",
        "+".join(model.capabilities.names()) or "no capabilities",
        f"{len(model.paths)} files",
        *(["projector"] if model.projector is not None else ()),
        *([type(model.backend).__name__] if model.backend is not None else ()),
        *([redactor.text(model.source.origin)] if model.source.origin is not None else ()),
    ]
    return f"{model.name if with_names else f'model {number}'}: {', '.join(about)}"


def status_lines(status: object, redactor: ReportRedactor) -> tuple[str, ...]:
    """Return the status of the server, one value on each line, at most ``MAX_STATUS_LINES``."""
    lines = tuple(_leaves(status, "", redactor))
    if len(lines) <= MAX_STATUS_LINES:
        return lines
    return (*lines[:MAX_STATUS_LINES], f"({len(lines) - MAX_STATUS_LINES} more lines)")


def _leaves(value: object, at: str, redactor: ReportRedactor) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _leaves(item, f"{at}.{redactor.text(str(name))}".lstrip("."), redactor)
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from _leaves(item, f"{at}[{position}]", redactor)
    else:
        yield f"{at} = {value if isinstance(value, _NUMBERS) else redactor.text(str(value))}"
