"""The mark of files that gglib wrote."""

import pytest

from gglib.app.service.marked_text import FileState, state_of, with_mark

UNIT = "[Unit]\nDescription=x\n"
XML = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE plist PUBLIC "x" "y">\n<plist version="1.0"></plist>\n'
)


@pytest.mark.parametrize("text", [UNIT, XML, "", '<?xml version="1.0"?>\n<plist/>'])
def test_a_marked_text_is_recognized_until_it_is_changed(text: str) -> None:
    """At any place."""
    marked = with_mark(text)
    assert state_of(marked) is FileState.OURS
    assert state_of(f"{marked}# more\n") is FileState.CHANGED
    assert state_of(f"# more\n{marked}") is FileState.CHANGED
    assert state_of(text) is FileState.FOREIGN
    assert marked.startswith(text[:5] if text.startswith("<?xml") else "# Written by 'gglib service install'")
