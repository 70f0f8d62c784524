"""Which names from the network are accepted as local names."""

import unicodedata
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.core.errors import UnsafeNameError
from gglib.core.file_names import (
    MAX_PART_BYTES,
    MAX_PARTS,
    MAX_PATH_BYTES,
    safe_folder,
    safe_path,
    safe_repo,
    safe_revision,
    shown,
)

HOSTILE = (
    # Out of the folder.
    *(
        "",
        "/",
        "..",
        ".",
        "../model.gguf",
        "a/../../model.gguf",
        "a/./model.gguf",
        "a//model.gguf",
        "a/",
        "/etc/passwd",
    ),
    *(
        "..\\model.gguf",
        "a\\..\\..\\model.gguf",
        "\\\\server\\share\\model.gguf",
        "//server/share/model.gguf",
    ),
    *("C:\\model.gguf", "C:/model.gguf", "C:model.gguf", "\\\\?\\C:\\model.gguf", "/dev/null"),
    *(
        "\uff0e\uff0e/model.gguf",
        "a\uff0f..\uff0fb.gguf",
        "\u2025/model.gguf",
        "a\uff1ab.gguf",
        "a\uff3cb.gguf",
    ),
    # Read otherwise by Windows.
    *(
        "CON",
        "con.gguf",
        "nul.tar.gguf",
        "COM1.gguf",
        "lpt9",
        "COM¹.gguf",
        "AUX .gguf",
        "a/PRN/b.gguf",
        "CONIN$",
    ),
    *("model.gguf.", "model.gguf ", "a./model.gguf", "model.gguf:stream", "model.gguf::$DATA"),
    *("mod?el.gguf", "mod*el.gguf", "<model>.gguf", 'mod"el.gguf', "a|b.gguf"),
    # Read otherwise by people.
    *("model\x00.gguf", "model\n.gguf", "\x1b[2Jmodel.gguf", "model\x7f.gguf", "model\x85.gguf"),
    *("model\u202efugg.gguf", "mo\u200bdel.gguf", "\ufeffmodel.gguf", "model\u2066.gguf", "mo\u00addel.gguf"),
    *("model\u2028.gguf", "mo\u00a0del.gguf", "mo\u3000del.gguf", "mo\u3164del.gguf", "model\ufe0f.gguf"),
    *("model\ud800.gguf", "model\ue000.gguf", "model\uffff.gguf", "mode\U000e0041l.gguf"),
    # Read otherwise by file systems and programs.
    *(
        "mode\u0301l.gguf",
        "\u212bngstrom.gguf",
        "-rf.gguf",
        "a/-model.gguf",
        ".model.gguf",
        ".git/config",
        "~/model.gguf",
    ),
    *(" model.gguf", "a/ model.gguf"),
    # What gglib writes itself.
    *("model.gguf.part", "MODEL.GGUF.PART", "model.gguf.part.json", "a.part/model.gguf"),
    # Too long.
    *("m" * 251 + ".gguf", "é" * 130 + ".gguf", "/".join(["d"] * 40), "/".join(["d" * 200] * 4)),
)

REAL = (
    "Llama-3.2-1B-Instruct-Q4_K_M.gguf",
    "Q4_K_M/model-Q4_K_M-00001-of-00003.gguf",
    "mistral-7b-instruct-v0.2.Q4_K_M.gguf",
    "UD-Q4_K_XL/Qwen3-235B-A22B-UD-Q4_K_XL-00001-of-00003.gguf",
    "BF16/gemma-3-27b-it-BF16-00001-of-00002.gguf",
    "mmproj-model-f16.gguf",
    "imatrix_unsloth.gguf_file",
    "Model.i1-IQ4_XS.gguf.part1of2",
    "DeepSeek-R1-Distill-Qwen-1.5B (imatrix) [v2].gguf",
    "a+b=c,d@2x'e!#%&.gguf",
    "日本語モデル-Q8_0.gguf",
    "модель-Q8_0.gguf",
    "modèle.gguf",
    "हिन्दी-Q4_0.gguf",
    "README.md",
    "console.gguf",
    "com10.gguf",
    "a.partial/model.gguf",
    "_private/model.gguf",
    "m" * (MAX_PART_BYTES - 5) + ".gguf",
    "/".join(["d"] * MAX_PARTS),
)


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_hostile_name_is_refused_in_one_printable_sentence(name: str) -> None:
    """Nothing is repaired, and the sentence has no control character."""
    with pytest.raises(UnsafeNameError) as refusal:
        safe_path(name)
    sentence = str(refusal.value)
    assert sentence.isprintable()
    assert len(sentence) < 1_500
    sentence.encode()


def test_a_refusal_says_what_is_wrong() -> None:
    """In words of its own for what is most dangerous."""
    with pytest.raises(UnsafeNameError, match="it leaves its directory"):
        safe_path("a/../../b.gguf")
    with pytest.raises(UnsafeNameError, match="it is absolute"):
        safe_path("/etc/passwd")


def test_table_of_hostile_names_is_complete() -> None:
    """The table has at least forty distinct names."""
    assert len(set(HOSTILE)) == len(HOSTILE) >= 40


@pytest.mark.parametrize("name", REAL)
def test_real_name_is_kept_unchanged(name: str) -> None:
    """Names of real repositories pass unchanged."""
    assert str(safe_path(name)) == name


@given(st.one_of(st.text(), st.text(alphabet="./\\:~-aCON\u0301\u202e\x00 ", max_size=12)))
def test_accepted_name_stays_inside_on_every_system(name: str) -> None:
    """An accepted name has the same plain parts on POSIX and on Windows, below any directory."""
    try:
        path = safe_path(name)
    except UnsafeNameError:
        return
    assert str(path) == name == unicodedata.normalize("NFC", name)
    assert len(name.encode()) <= MAX_PATH_BYTES
    assert Path("/models", path).resolve().is_relative_to("/models")
    windows = PureWindowsPath("C:/models", name)
    assert windows.parts == ("C:\\", "models", *path.parts)
    assert ".." not in windows.parts
    assert not path.is_absolute()


@pytest.mark.parametrize(
    "repo", ["bartowski/Llama-3.2-1B-Instruct-GGUF", "o/n", "a_b/c.d-e", "01-ai/Yi-1.5-9B", "_x/y_"]
)
def test_repository_of_the_hub_is_two_parts(repo: str) -> None:
    """Owner and name become two nested folders."""
    assert safe_repo(repo) == PurePosixPath(*repo.split("/"))


@pytest.mark.parametrize(
    "repo",
    [
        *(
            "",
            "gpt2",
            "a/b/c",
            "/a",
            "a/",
            "../b",
            "a/..",
            "-a/b",
            "a/b-",
            ".a/b",
            "a/b.",
            "a--b/c",
            "a..b/c",
        ),
        *("a/b.git", "a b/c", "a/b:c", "a\\b/c", "con/b", "a/nul.x", "é/b", "a/" + "b" * 95, "a/b\n"),
    ],
)
def test_invalid_repository_is_refused(repo: str) -> None:
    """The rules are the hub's own, and those of names."""
    with pytest.raises(UnsafeNameError):
        safe_repo(repo)


def test_each_requested_revision_has_its_own_folder() -> None:
    """A slash in it makes no sub-folder, and no other revision has the same folder."""
    assert safe_folder("o/n") == PurePosixPath("o/n")
    assert safe_folder("o/n", "main") == PurePosixPath("o/n@main")
    assert safe_folder("o/n", "refs/pr/1") == PurePosixPath("o/n@refs%2Fpr%2F1")


@pytest.mark.parametrize("revision", ["main", "v1.0", "refs/pr/12", "a" * 40, "release+1", "feature/x_y"])
def test_revision_that_git_accepts(revision: str) -> None:
    """Branches, tags, commits and pull requests pass."""
    assert safe_revision(revision) == revision


@pytest.mark.parametrize(
    "revision", ["", "..", "a..b", "-x", "/a", "a/", "a//b", "a b", "a:b", "a\n", "x" * 101, ".a"]
)
def test_revision_that_git_refuses(revision: str) -> None:
    """So is one that would leave its folder."""
    with pytest.raises(UnsafeNameError):
        safe_revision(revision)


@given(st.text())
def test_shown_text_is_printable(name: str) -> None:
    """Any text becomes one printable line of bounded length."""
    text = shown(name)
    assert text.isprintable()
    assert len(text) <= 1_300
