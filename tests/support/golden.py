"""Whole texts that users read, kept in files beside the tests, so that wording can change without editing tests.

A test that asserts ``golden(text)`` compares the text with the one recorded for it; ``make golden`` records the texts
of all such tests anew, and the diff is what a reviewer reads. A golden text is for wording: what a test is about (a
name, a number, a command that has to be typed) it asserts by itself as well.

The recorded texts of ``test_pull.py`` stand in ``golden/test_pull.txt`` of the same folder. Each begins with a line
``=== <test> #<n>``: the n-th text of that test.
"""

from collections.abc import Iterator
from pathlib import Path

_MARK = "=== "


def read_golden(file: Path) -> dict[str, str]:
    """Return the recorded texts by key; empty when nothing was recorded."""
    texts: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else []:
        if line.startswith(_MARK):
            lines = texts.setdefault(line.removeprefix(_MARK), [])
        else:
            lines.append(line)
    return {key: "\n".join(lines) for key, lines in texts.items()}


def write_golden(file: Path, texts: dict[str, str]) -> None:
    """Write the texts, sorted by key; a file without texts is removed."""
    if not texts:
        file.unlink(missing_ok=True)
        return
    file.parent.mkdir(exist_ok=True)
    file.write_text("".join(_lines_of(texts)), encoding="utf-8")


def _lines_of(texts: dict[str, str]) -> Iterator[str]:
    for key in sorted(texts):
        yield f"{_MARK}{key}\n{texts[key]}\n"


class Golden:
    """The recorded texts of one test; calling it with a text compares the text with the recorded one.

    While recording (``make golden``) every text is taken as it is.
    """

    def __init__(self, test_file: Path, test: str, *, is_recording: bool) -> None:
        self._file = test_file.parent / "golden" / f"{test_file.stem}.txt"
        self._test = test
        self._is_recording = is_recording
        self._count = 0
        self._texts: dict[str, str] = {}

    def __call__(self, text: str) -> bool:
        """Whether ``text`` is the recorded one; raises an AssertionError that shows both when it is not."""
        self._count += 1
        key = f"{self._test} #{self._count}"
        shown = "\n".join(line.rstrip() for line in text.splitlines())
        if self._is_recording:
            self._texts[key] = shown
            return True
        recorded = read_golden(self._file).get(key)
        assert recorded is not None, f"no text is recorded for {key}; run 'make golden':\n{shown}"
        assert shown == recorded, f"{self._file.name}, {key}; if the new text is right run 'make golden'"
        return True

    def save(self) -> None:
        """Write what was recorded in place of all earlier texts of this test."""
        if self._is_recording:
            others = {
                key: text
                for key, text in read_golden(self._file).items()
                if key.rpartition(" #")[0] != self._test
            }
            write_golden(self._file, others | self._texts)
