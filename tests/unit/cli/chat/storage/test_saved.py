"""Saved conversations."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from gglib.cli.chat.conversation import Conversation
from gglib.cli.chat.storage.saved import FOLDER, SavedChats
from gglib.cli.chat.storage.saved_form import check_chat_name, read_saved
from gglib.core.errors import GglibError

IMAGE = "data:image/png;base64,AA=="


def conversation() -> Conversation:
    """Return a conversation with everything that is saved."""
    chat = Conversation("m:p", settings={"system": "Be brief.", "temperature": 0.5, "max_tokens": 0})
    chat.add_prompt("What is this?\n", (IMAGE,))
    chat.add_answer("A \x1b do", is_partial=True)
    return chat


def test_a_conversation_is_loaded_as_it_was_saved(tmp_path: Path) -> None:
    """Model, settings, images and marks survive; only the owner can read the file."""
    chats = SavedChats(tmp_path / "home")
    path = chats.save("first.try", conversation())
    assert chats.load("first.try") == conversation()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert (chats.exists("first.try"), chats.exists("other")) == (True, False)


def test_the_newest_is_listed_first(tmp_path: Path) -> None:
    """Other files of the folder are not listed."""
    chats = SavedChats(tmp_path)
    assert chats.names() == []
    for name, changed_s in (("old", 100), ("new", 200)):
        os.utime(chats.save(name, conversation()), (changed_s, changed_s))
    (tmp_path / FOLDER / "notes.txt").touch()
    assert [chat.name for chat in chats.names()] == ["new", "old"]


@pytest.mark.parametrize(
    "name", ["", "../x", "a/b", ".hidden", "-x", "a b", "x\n", "con", "nul.x", "a.", "ü", "x" * 101]
)
def test_a_name_is_a_safe_file_name(name: str, tmp_path: Path) -> None:
    """No name leaves the folder, or means something to a program."""
    with pytest.raises(GglibError, match="cannot name a conversation"):
        check_chat_name(name)
    with pytest.raises(GglibError):
        SavedChats(tmp_path).save(name, conversation())


MESSAGE: dict[str, Any] = {"role": "user", "content": "x"}


@pytest.mark.parametrize(
    "content",
    [
        [],
        {"version": 2},
        {"version": 1, "model": 3, "settings": {}, "messages": []},
        {"version": 1, "model": "m", "settings": {}, "messages": [3]},
        {"version": 1, "model": "m", "settings": {}, "messages": [{**MESSAGE, "role": "system"}]},
        {"version": 1, "model": "m", "settings": {}, "messages": [{**MESSAGE, "content": None}]},
        {
            "version": 1,
            "model": "m",
            "settings": {},
            "messages": [{**MESSAGE, "images": ["file:///etc/passwd"]}],
        },
        {"version": 1, "model": "m", "settings": {"temperature": "hot"}, "messages": []},
    ],
)
def test_another_file_is_refused(content: object, tmp_path: Path) -> None:
    """The error names the file; nothing of it is used."""
    with pytest.raises(ValueError, match=r"it|message|must"):
        read_saved(content)
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "x.json").write_text(json.dumps(content))
    with pytest.raises(GglibError, match=r"x\.json is not a saved conversation: "):
        SavedChats(tmp_path).load("x")


def test_unknown_settings_of_a_newer_gglib_are_left_out() -> None:
    """A conversation of a newer version with the same form can be read."""
    read = read_saved({"version": 1, "model": "m", "settings": {"mood": 1, "seed": 3}, "messages": [MESSAGE]})
    assert read.settings == {"seed": 3}


def test_a_missing_or_unwritable_file_is_a_sentence(tmp_path: Path) -> None:
    """The errors say what to do, or why."""
    with pytest.raises(GglibError, match="no saved conversation 'x': /load lists them"):
        SavedChats(tmp_path).load("x")
    (tmp_path / FOLDER).touch()
    with pytest.raises(GglibError, match="cannot be saved"):
        SavedChats(tmp_path).save("x", conversation())
    assert SavedChats(tmp_path).names() == []
