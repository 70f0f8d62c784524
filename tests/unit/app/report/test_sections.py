"""The sections of a report."""

from pathlib import Path

from gglib.app.doctor import CheckResult, Verdict
from gglib.app.report.redaction import ReportRedactor
from gglib.app.report.sections import (
    MAX_STATUS_LINES,
    Section,
    check_lines,
    model_lines,
    report_text,
    setting_lines,
    status_lines,
)
from gglib.app.settings.effective import EffectiveSetting
from gglib.core.backends import UrlBackend
from gglib.core.models import ModelCapabilities, ModelSource, ModelSummary

REDACTOR = ReportRedactor(
    frozenset(("port", "config", "toml", "auto", "llama", "is", "free", "address", "hub", "on", "q8_0")),
    {"secret": "[model 1]"},
)


def setting(name: str, value: object, source: str = "config.toml") -> EffectiveSetting:
    """Return a setting."""
    return EffectiveSetting(setting=name, value=value, source=source, overrides=(), is_live=True)


def test_text() -> None:
    """A block for each section; control characters are escaped."""
    text = report_text((Section("One", ("a", "b\x1b")), Section("Two", ())))
    assert text == "## One\n\n    a\n    b\\x1b\n\n## Two\n\n    (nothing)\n"


def test_settings() -> None:
    """Numbers are shown, texts redacted, entries of tables and lists counted, defaults left out."""
    lines = setting_lines(
        [
            setting("port", 8080),
            setting("insecure", value=False),
            setting("engine", "/opt/hidden/engine"),
            setting("max_models", "auto", "GGLIB_MAX_MODELS"),
            setting("api_keys", {"alice": {}, "bob": {}}),
            setting("record_bodies", ["key:alice"]),
            setting("odd", object()),
            setting("unused", 1, "default"),
        ],
        REDACTOR,
    )
    assert lines == (
        "port = 8080  (config.toml)",
        "insecure = False  (config.toml)",
        "engine = […]  (config.toml)",
        "max_models = auto  ([…])",
        "api_keys = (2 entries)  (config.toml)",
        "record_bodies = (1 entry)  (config.toml)",
        "odd = (1 entry)  (config.toml)",
    )


def test_checks() -> None:
    """Details are redacted, and names behind the kind of the check."""
    checks = [
        CheckResult("port", Verdict.OK, "8080 is free"),
        CheckResult("node gpu9x", Verdict.WARN, "secret is on"),
    ]
    assert check_lines(checks, REDACTOR) == ("ok   port: 8080 is free", "warn node […]: [model 1] is on")


def test_the_kind_of_a_check_stays() -> None:
    """Also if the user, or a model, has the same name."""
    redactor = ReportRedactor(frozenset(("home", "ok")), {"home": "[user 1]"})
    checks = [CheckResult("home", Verdict.OK, "home ok"), CheckResult("node home", Verdict.OK, "ok")]
    assert check_lines(checks, redactor) == ("ok   home: [user 1] ok", "ok   node [user 1]: ok")


def test_models() -> None:
    """The kind of each model; its name only if it is wanted."""
    models = [
        ModelSummary(
            id=1,
            name="secret",
            architecture="llama",
            quantization="Q8_0",
            size_bytes=1024**3,
            trained_context=4096,
            capabilities=ModelCapabilities(chat=True, vision=True),
            source=ModelSource(origin="hub"),
            paths=(Path("/a"), Path("/b")),
            projector=Path("/c"),
        ),
        ModelSummary(id=2, name="there", backend=UrlBackend(base_url="http://box")),
    ]
    assert model_lines(models, REDACTOR, with_names=False) == (
        "2 models",
        "model 1: llama, Q8_0, 1.1 GB, 4096 tokens, chat+vision, 2 files, projector, hub",
        "model 2: […], […], 0 MB, unknown tokens, no capabilities, 0 files, UrlBackend",
    )
    assert model_lines(models, REDACTOR, with_names=True)[1].startswith("secret: llama")


def test_status() -> None:
    """Each value has a line; names and texts are redacted, and there is an end."""
    status = {"port": 1, "models": [{"secret": None, "on": True, "address": "10.1.2.3"}]}
    assert status_lines(status, REDACTOR) == (
        "port = 1",
        "[…][0].[model 1] = None",
        "[…][0].on = True",
        "[…][0].address = […]",
    )
    lines = status_lines({"port": list(range(MAX_STATUS_LINES + 2))}, REDACTOR)
    assert lines[-1] == "(2 more lines)"
    assert len(lines) == MAX_STATUS_LINES + 1
