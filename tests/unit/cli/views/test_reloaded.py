"""The result of a reload in words."""

from gglib.cli.views.reloaded import model_lines, setting_rows

RESULT = {
    "settings": [
        {"setting": "port", "old": "8080", "new": "9999", "applied": False},
        {"setting": "cors_origins", "old": "", "new": "https://a.example", "applied": True},
        {"setting": "api_keys", "old": None, "new": None, "applied": True},
    ],
    "replaced_models": ["tiny"],
    "warnings": [],
}


def test_each_setting_has_a_row_with_its_effect() -> None:
    """An empty value is a dash, a secret is hidden."""
    assert setting_rows(RESULT) == [
        ("port", "8080", "9999", "after a restart"),
        ("cors_origins", "-", "https://a.example", "now"),
        ("api_keys", "(hidden)", "(hidden)", "now"),
    ]


def test_each_replaced_model_has_a_line() -> None:
    """It says when the model is loaded again."""
    (line,) = model_lines(RESULT)
    assert "'tiny'" in line
    assert "next request" in line
