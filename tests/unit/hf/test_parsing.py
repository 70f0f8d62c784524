"""Any metadata of the hub becomes gglib's values, or gglib's error."""

import contextlib
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.core.hub.repository import Gating, HubFile, HubRepository
from gglib.hf.parsing import MAX_FILE_BYTES, InvalidResponseError, read_repository

SHA256 = "AB" * 32


def model_info(**fields: Any) -> SimpleNamespace:
    """Return the library's object for a minimal repository, with further fields."""
    return SimpleNamespace(**{"id": "a/b", "sha": "c0ffee", **fields})


def file(name: Any = "m.gguf", size: Any = 5, **fields: Any) -> SimpleNamespace:
    """Return one file as the library represents it."""
    return SimpleNamespace(**{"rfilename": name, "size": size, "lfs": None, **fields})


def test_minimal_repository() -> None:
    """A name and a commit make a repository; all other fields have their defaults."""
    assert read_repository(model_info()) == HubRepository(repo="a/b", revision="c0ffee")


def test_all_fields_are_parsed() -> None:
    """Each field is mapped to its attribute."""
    found = read_repository(
        model_info(
            siblings=[file(lfs=SimpleNamespace(sha256=SHA256, size=5)), file("README.md", 0)],
            downloads=1,
            likes=2,
            last_modified=datetime(2026, 1, 2, 3, 4, 5, 999, tzinfo=UTC),
            card_data=SimpleNamespace(license="mit"),
            gated="manual",
            tags=["gguf", "license:apache-2.0"],
            gguf={"architecture": "llama", "total": 7, "context_length": 8, "chat_template": "x"},
        )
    )
    assert found == HubRepository(
        repo="a/b",
        revision="c0ffee",
        files=(
            HubFile(name="m.gguf", size_bytes=5, sha256=SHA256.lower()),
            HubFile(name="README.md", size_bytes=0),
        ),
        downloads=1,
        likes=2,
        updated_at=1_767_323_045,
        licence="mit",
        gate=Gating.MANUAL,
        tags=("gguf", "license:apache-2.0"),
        architecture="llama",
        parameter_count=7,
        trained_context=8,
    )


@pytest.mark.parametrize(
    ("card", "tags", "licence"),
    [
        (None, [], None),
        (None, ["license:mit"], "mit"),
        (SimpleNamespace(license=None), ["x", "license:gemma"], "gemma"),
        (SimpleNamespace(license="other", license_name="llama3.1"), ["license:other"], "llama3.1"),
        (SimpleNamespace(license="other"), [], "other"),
        (SimpleNamespace(license=["mit", "apache-2.0"]), [], "mit, apache-2.0"),
        (SimpleNamespace(license=""), [], None),
    ],
)
def test_licence_is_that_of_the_card_or_the_tags(card: object, tags: list[str], licence: str | None) -> None:
    """The licence is the card's, a custom one by its own name; else that of the tags."""
    assert read_repository(model_info(card_data=card, tags=tags)).licence == licence


@pytest.mark.parametrize(
    ("gated", "gate"),
    [(None, Gating.OPEN), (False, Gating.OPEN), ("auto", Gating.AUTOMATIC), ("manual", Gating.MANUAL)],
)
def test_gating_has_three_values(gated: object, gate: Gating) -> None:
    """Each gating of the hub maps to one of gglib's."""
    assert read_repository(model_info(gated=gated)).gate is gate


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"id": None}, "'id'"),
        ({"id": ""}, "'id'"),
        ({"sha": 5}, "'sha'"),
        ({"gated": "no"}, "gated"),
        ({"gated": True}, "gated"),
        ({"gated": []}, "gated"),
        ({"gated": 0}, "gated"),
        ({"downloads": True}, "downloads"),
        ({"downloads": 1.5}, "downloads"),
        ({"likes": -1}, "likes"),
        ({"tags": "gguf"}, "tags"),
        ({"gguf": [1]}, "gguf"),
        ({"gguf": {"architecture": 3}}, "gguf.architecture"),
        ({"last_modified": "today"}, "last_modified"),
        ({"last_modified": datetime.min}, "no time"),  # noqa: DTZ901 - before any time stamp
        ({"card_data": SimpleNamespace(license=4)}, "license"),
        ({"siblings": [file(None)]}, "rfilename"),
        ({"siblings": [file(size=None)]}, "how large"),
        ({"siblings": [file(size=MAX_FILE_BYTES + 1)]}, "bytes"),
        ({"siblings": [file(lfs=SimpleNamespace(sha256="zz" * 32, size=5))]}, "SHA-256"),
        ({"siblings": [file(lfs=SimpleNamespace(sha256="ab", size=5))]}, "SHA-256"),
    ],
)
def test_invalid_field_is_named(fields: dict[str, Any], word: str) -> None:
    """A missing required field, or one of another type, is an error that names it."""
    with pytest.raises(InvalidResponseError) as caught:
        read_repository(model_info(**fields))
    assert word in str(caught.value)


def test_size_may_be_in_the_lfs_entry() -> None:
    """The size is read from the LFS entry if a mirror sends it only there."""
    found = read_repository(
        model_info(siblings=[file(size=None, lfs=SimpleNamespace(sha256=SHA256, size=9))])
    )
    assert found.files[0].size_bytes == 9


@given(name=st.text(min_size=1))
def test_names_are_kept_and_escaped_in_messages(name: str) -> None:
    """A name is kept unchanged; in an error message it is escaped."""
    assert read_repository(model_info(siblings=[file(name)])).files[0].name == name
    with pytest.raises(InvalidResponseError) as caught:
        read_repository(model_info(siblings=[file(name, None)]))
    assert str(caught.value).isprintable()


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(
    fields=st.dictionaries(
        st.sampled_from(
            [
                "id",
                "sha",
                "siblings",
                "downloads",
                "likes",
                "tags",
                "gguf",
                "gated",
                "card_data",
                "last_modified",
            ]
        ),
        ANYTHING,
    )
)
def test_any_input_gives_a_repository_or_the_error(fields: dict[str, Any]) -> None:
    """Any input gives a repository, or the one error."""
    with contextlib.suppress(InvalidResponseError):
        assert isinstance(read_repository(model_info(**fields)), HubRepository)


def test_a_large_file_may_have_no_hash() -> None:
    """It is downloaded without a comparison."""
    (found,) = read_repository(model_info(siblings=[file(lfs=SimpleNamespace(sha256=None, size=5))])).files
    assert found.sha256 is None
