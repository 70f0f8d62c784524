"""The parts of a stream while it is assembled. Pure."""

from typing import Any

GAP = "\n[... not recorded ...]\n"
_WORD_ENDS = " \n\t\r\"'"
_LONGEST_WORD = 4096
_WORD_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=_.~-%:"
"""Of words in texts without spaces, such as keys."""


class Text:
    """A text in pieces, some of which may be missing."""

    __slots__ = ("_pieces",)

    def __init__(self, *, begins_with_gap: bool = False) -> None:
        self._pieces: list[str | None] = [None] if begins_with_gap else []
        """None: a gap."""

    def add(self, piece: object) -> None:
        """Add a piece; anything that is no text is left out."""
        if isinstance(piece, str) and piece:
            self._pieces.append(piece)

    def add_gap(self) -> None:
        """Mark that pieces are missing."""
        self._pieces.append(None)

    def joined(self) -> str:
        """Return the text. The words before and after a gap are left out: they may be parts of secrets."""
        runs: list[list[str]] = [[]]
        for piece in self._pieces:
            if piece is None:
                runs.append([])
            else:
                runs[-1].append(piece)
        return join_around_gaps(["".join(run) for run in runs])


def join_around_gaps(texts: list[str]) -> str:
    """Return texts joined by ``GAP``, without the words next to each gap."""
    last = len(texts) - 1
    for index, text in enumerate(texts):
        kept = text if index == 0 else without_first_word(text)
        texts[index] = kept if index == last else without_last_word(kept)
    return GAP.join(texts)


def without_last_word(text: str) -> str:
    """Return a text without its last word, which may be incomplete."""
    lowest = max(0, len(text) - _LONGEST_WORD)
    end = max(text.rfind(character, lowest) for character in _WORD_ENDS) + 1
    return text[:end] if end else text.rstrip(_WORD_CHARACTERS)


def without_first_word(text: str) -> str:
    """Return a text without its first word, whose beginning may be missing."""
    ends = [text.find(character, 0, _LONGEST_WORD) for character in _WORD_ENDS]
    start = min((end for end in ends if end >= 0), default=-1)
    return text[start:] if start >= 0 else text.lstrip(_WORD_CHARACTERS)


class Choice:
    """One of the answers of a stream; most have one."""

    __slots__ = ("_begins_with_gap", "finish_reason", "texts", "tool_calls")

    def __init__(self, *, begins_with_gap: bool) -> None:
        self._begins_with_gap = begins_with_gap
        self.texts: dict[str, Text] = {}
        """By name: ``text``, ``reasoning``, ``refusal``."""
        self.tool_calls: dict[object, dict[str, Any]] = {}
        """By index or id; ``arguments`` is a ``Text``."""
        self.finish_reason: str | None = None

    def add_text(self, name: str, piece: object) -> None:
        """Add a piece to one of the texts."""
        if isinstance(piece, str) and piece:
            self._text(self.texts, name).add(piece)

    def add_tool_call(self, key: object, *, name: object = None, arguments: object = None) -> None:
        """Add a piece of a tool call: its name once, its arguments as texts or as an object."""
        call = self.tool_calls.setdefault(key if isinstance(key, int | str) else None, {})
        if isinstance(name, str) and name:
            call["name"] = name
        if isinstance(arguments, str):
            self._text(call, "arguments").add(arguments)
        elif arguments:
            call["arguments"] = arguments

    def _text(self, texts: dict[str, Any], name: str) -> Text:
        text = texts.get(name)
        if not isinstance(text, Text):
            text = texts[name] = Text(begins_with_gap=self._begins_with_gap)
        return text

    def add_gap(self) -> None:
        """Mark that pieces of all texts are missing."""
        self._begins_with_gap = True
        calls = [call["arguments"] for call in self.tool_calls.values() if "arguments" in call]
        for text in (*self.texts.values(), *calls):
            if isinstance(text, Text):
                text.add_gap()

    def document(self, index: int) -> dict[str, Any]:
        """Return the choice as JSON."""
        document: dict[str, Any] = {"index": index}
        document |= {name: text.joined() for name, text in self.texts.items()}
        if self.tool_calls:
            document["tool_calls"] = [
                {name: part.joined() if isinstance(part, Text) else part for name, part in call.items()}
                for call in self.tool_calls.values()
            ]
        document["finish_reason"] = self.finish_reason
        return document


class StreamParts:
    """What was read of a stream."""

    __slots__ = ("_has_gap", "choices", "dialect", "events", "facts", "unread")

    def __init__(self) -> None:
        self.dialect: str | None = None
        self.events = 0
        self.unread = 0
        """Events of an unknown form."""
        self.choices: dict[int, Choice] = {}
        self.facts: dict[str, Any] = {}
        """Everything else: model, usage, timings, an error, and the complete response of a Responses stream."""
        self._has_gap = False

    def choice(self, index: object = 0) -> Choice:
        """Return the choice with an index."""
        number = index if isinstance(index, int) else 0
        if number not in self.choices:
            self.choices[number] = Choice(begins_with_gap=self._has_gap)
        return self.choices[number]

    def note(self, name: str, value: object) -> None:
        """Keep a fact, unless it is none."""
        if value is not None:
            self.facts[name] = value

    def add_gap(self) -> None:
        """Mark that events are missing."""
        self._has_gap = True
        for choice in self.choices.values():
            choice.add_gap()

    def document(self) -> dict[str, Any]:
        """Return the stream as JSON."""
        document: dict[str, Any] = {"stream": self.dialect or "unknown", "events": self.events}
        if self.unread:
            document["unread_events"] = self.unread
        document |= self.facts
        if "response" not in self.facts:
            document["choices"] = [self.choices[index].document(index) for index in sorted(self.choices)]
        return document
