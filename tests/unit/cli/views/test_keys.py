"""What the commands of keys print."""

from typing import Any

from gglib.cli.views.keys import key_rows, limit_fields, made_lines, unknown_key_error


def test_rows_have_the_rights_and_limits() -> None:
    """``*`` means all models."""
    none = {"rpm": None, "tpm": None, "parallel": None}
    rows: list[dict[str, Any]] = [
        {"name": "a", "models": ["*"], "admin": True, "priority": None, **none},
        {"name": "b", "models": ["chat*", "x"], "admin": False, "priority": "batch", **none, "tpm": 20_000},
    ]
    assert key_rows(rows) == [
        ("a", "all", "yes", "-", "-", "-", "-"),
        ("b", "chat*, x", "no", "batch", "-", "20,000", "-"),
    ]


def test_limits_are_shown_with_what_is_used() -> None:
    """Only of limits that are set, and only with a running server."""
    key = {"priority": None, "rpm": 60, "tpm": 20_000, "parallel": None}
    use = {"requests": 12, "tokens": 1500, "reserved_tokens": 300, "running": 2}
    assert limit_fields(key, None) == {
        "priority": "that of the model",
        "rpm": "60",
        "tpm": "20,000",
        "parallel": "none",
    }
    assert limit_fields(key, use) == {
        "priority": "that of the model",
        "rpm": "60 (12 in the last minute)",
        "tpm": "20,000 (1,500 in the last minute, 300 reserved)",
        "parallel": "none",
    }


def test_the_first_key_changes_what_clients_have_to_do() -> None:
    """Clients without a key are refused from then on."""
    assert "from now on every request needs a key" in " ".join(made_lines("a", "/c", is_first=True))
    assert "first" not in " ".join(made_lines("a", "/c", is_first=False))


def test_an_unknown_key_is_explained() -> None:
    """By similar names, or by what sets the keys."""
    assert str(unknown_key_error("alic", ["alice"], None)) == "There is no key 'alic': did you mean alice?"
    assert str(unknown_key_error("a", [], None)) == "There is no key 'a': config.toml has no keys."
    assert "are from GGLIB_API_KEY" in str(unknown_key_error("a", [], "GGLIB_API_KEY"))
