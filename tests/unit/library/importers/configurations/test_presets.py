"""The presets of llama.cpp's router."""

from pathlib import Path

import pytest

from gglib.core.errors import InvalidSettingError
from gglib.library.importers.configurations.plan import HubModel, KnownModel, LocalFile, WantedSetting
from gglib.library.importers.configurations.presets import read_presets

EXAMPLE = Path(__file__).parents[4] / "support" / "configurations" / "presets.ini"


def test_the_example() -> None:
    """Files, a repository, a model that the router finds by its name; what applies to all, and what overrides it."""
    found = read_presets(EXAMPLE.read_text(encoding="utf-8"), "p.ini")
    models = {model.name: model for model in found.models}
    assert {name: model.served for name, model in models.items()} == {
        "talker": LocalFile(Path("models/talker.gguf")),
        "vectors": LocalFile(Path("models/vectors.gguf")),
        "example/tiny-GGUF:Q4_K_M": HubModel("example/tiny-GGUF:Q4_K_M"),
        "folder-model": KnownModel(),
        "absent": LocalFile(Path("models/absent.gguf")),
    }
    shared = (("--threads", "1"), ("--batch-size", "64"))
    assert models["talker"].options == (*shared, ("--temp", "0.5"))
    assert models["talker"].settings.context == 1024
    assert models["talker"].aliases == ("chatty", "chatter")
    assert (models["vectors"].settings.context, models["vectors"].settings.kind) == (512, "embedding")
    assert found.settings == (WantedSetting("load-on-startup", "preload", ["talker"]),)
    assert [each.where for each in found.leftovers] == ["[talker] --stop-timeout", "[talker] --api-key"]
    assert "never-shown" not in repr(found)


def test_an_alias_that_is_the_name_is_no_alias() -> None:
    """A section may name itself."""
    (model,) = read_presets("[a]\nmodel = a.gguf\nalias = a,b", "p.ini").models
    assert model.aliases == ("b",)


def test_a_repository_among_the_keys_precedes_the_name() -> None:
    """Even a name of the form of a repository: the router looks for its model there only without such a key."""
    (model,) = read_presets("[owner/alias]\nhf-repo = example/tiny-GGUF:Q8_0", "p.ini").models
    assert (model.name, model.served) == ("owner/alias", HubModel("example/tiny-GGUF:Q8_0"))


def test_keys_before_the_first_section_are_the_model_default() -> None:
    """As in llama.cpp's parser; the version of the format alone is no model."""
    found = read_presets("version = 1\nmodel = d.gguf\n[a]\nmodel = a.gguf", "p.ini").models
    assert [(model.name, model.served) for model in found] == [
        ("default", LocalFile(Path("d.gguf"))),
        ("a", LocalFile(Path("a.gguf"))),
    ]
    assert [model.name for model in read_presets("version = 1\n[a]\nmodel = a.gguf", "p.ini").models] == ["a"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("version = 2\n[a]\nm = x", "p.ini has version 2, and gglib reads version 1."),
        ("version = 1", "p.ini has no section of a model: name a preset file of llama.cpp's router."),
        ("[*]\nc = 1", "p.ini has no section of a model: name a preset file of llama.cpp's router."),
        ("models:\n  a: 1", "p.ini, line 1: it is neither a [section] nor a line 'key = value'."),
    ],
)
def test_other_files_are_refused(text: str, sentence: str) -> None:
    """One sentence."""
    with pytest.raises(InvalidSettingError) as caught:
        read_presets(text, "p.ini")
    assert str(caught.value) == sentence
