"""The live view on a terminal: draws the frames, reads the keys, and runs the actions in the background.

Imported when the view opens, because prompt-toolkit is slow to import.
"""

import asyncio
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from prompt_toolkit.application import Application
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.input.defaults import create_input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys
from prompt_toolkit.layout import FormattedTextControl, Layout, Window
from prompt_toolkit.output.color_depth import ColorDepth
from prompt_toolkit.output.vt100 import Vt100_Output

from gglib.cli.terminal.colours import stream_has_colours
from gglib.cli.top.actions import perform, progress_text
from gglib.cli.top.data import TopData
from gglib.cli.top.feed import Feed
from gglib.cli.top.keys import press
from gglib.cli.top.layout import frame, row_counts
from gglib.cli.top.ui import Action, Note, Quit, Ui

MIN_REDRAW_S = 0.25
"""Between two frames."""
ESCAPE_WAIT_S = 0.05
"""After Esc, for the rest of the sequence of a special key."""
EXIT_TERMINATED = 128 + signal.SIGTERM
_KEY_NAMES = {"c-m": "enter", "c-j": "enter", "c-h": "backspace", "c-i": "tab", "<sigint>": "c-c"}
_COLOURS: Mapping[str, str] = MappingProxyType(
    {"red": "ansired", "green": "ansigreen", "yellow": "ansiyellow", "cyan": "ansicyan"}
)


class TopApp:
    """One view of one server."""

    def __init__(self, feed: Feed, *, unload_timeout_s: float) -> None:
        self._feed = feed
        self._unload_timeout_s = unload_timeout_s
        self._ui = Ui()
        self._paused: tuple[TopData, float] | None = None
        """What is shown while paused, and its time."""
        self._needs: list[int] = []
        self._size = (0, 0)
        self._tasks: set[asyncio.Task[None]] = set()
        self._app = self._application()
        feed.on_change = self._app.invalidate

    async def run(self) -> int:
        """Show the view until the user quits; return the exit code."""
        following = asyncio.create_task(self._feed.run())
        following.add_done_callback(self._on_feed_end)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._exit, EXIT_TERMINATED)
        try:
            return await self._app.run_async()
        finally:
            for task in (following, *self._tasks):
                task.cancel()
            await asyncio.gather(following, *self._tasks, return_exceptions=True)

    def _application(self) -> Application[int]:
        bindings = KeyBindings()
        bindings.add(Keys.Any)(self._on_key)
        bindings.add("c-z")(lambda event: event.app.suspend_to_background())
        output = Vt100_Output.from_pty(sys.stdout)
        output.enable_cpr = False  # its response would be input for the next program
        app: Application[int] = Application(
            layout=Layout(
                Window(FormattedTextControl(self._text, show_cursor=False), always_hide_cursor=True)
            ),
            key_bindings=bindings,
            full_screen=True,
            color_depth=None if stream_has_colours(sys.stdout) else ColorDepth.DEPTH_1_BIT,
            min_redraw_interval=MIN_REDRAW_S,
            include_default_pygments_style=False,
            input=create_input(sys.stdin),
            output=output,
        )
        app.ttimeoutlen = app.timeoutlen = ESCAPE_WAIT_S
        return app

    def _shown(self) -> tuple[TopData, float]:
        """Return the data that is shown, and its time."""
        return self._paused or (self._feed.data, time.monotonic())

    def _text(self) -> StyleAndTextTuples:
        data, now_s = self._shown()
        size = self._app.output.get_size()
        if (size.columns, size.rows) != self._size:
            self._size, self._needs = (size.columns, size.rows), []
        counts = row_counts(data, self._ui, now_s)
        self._needs = [max(pair) for pair in zip(counts, self._needs or counts, strict=True)]
        text: StyleAndTextTuples = []
        for line in frame(data, self._ui, now_s, self._size, self._needs):
            text += [(_style(style), part) for part, style in line]
            text.append(("", "\n"))
        return text[:-1]

    def _on_key(self, event: KeyPressEvent) -> None:
        pressed = event.key_sequence[-1]
        key = pressed.key.value if isinstance(pressed.key, Keys) else pressed.key
        keys = list(pressed.data) if key == Keys.BracketedPaste.value else [_KEY_NAMES.get(key, key)]
        if len(keys) > 1 and self._ui.typing is None:
            return  # a pasted text is no series of commands
        for name in keys:
            self._press(name)

    def _press(self, key: str) -> None:
        data, now_s = self._shown()
        was_paused = self._ui.is_paused
        self._ui, action = press(data, self._ui, key)
        if self._ui.is_paused != was_paused:
            self._paused = (data, now_s) if self._ui.is_paused else None
        if isinstance(action, Quit):
            self._exit(0)
        elif action is not None:
            task = asyncio.create_task(self._perform(action))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _perform(self, action: Action) -> None:
        self._ui = replace(self._ui, note=Note(progress_text(action)))
        self._app.invalidate()
        note = await perform(self._feed.server, action, unload_timeout_s=self._unload_timeout_s)
        self._ui = replace(self._ui, note=note)
        self._app.invalidate()

    def _on_feed_end(self, task: asyncio.Task[None]) -> None:
        """End the view with the error of a feed that failed: an error of the program."""
        if not task.cancelled() and (error := task.exception()) is not None and self._app.is_running:
            self._app.exit(exception=error)

    def _exit(self, code: int) -> None:
        if self._app.is_running and not self._app.is_done:
            self._app.exit(result=code)


def _style(style: str) -> str:
    """Return a style in prompt-toolkit's words."""
    return " ".join(_COLOURS.get(word, word) for word in style.split())
