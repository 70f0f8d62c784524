"""What ``--verbose`` and the notes after an answer say. Pure."""

from dataclasses import dataclass

from gglib.cli.chat.response import ChatEnd


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer, as far as it came."""

    text: str
    reasoning: str
    end: ChatEnd
    first_token_s: float | None
    """Seconds from the request to the first part, a load included; None: none came."""
    total_s: float
    is_interrupted: bool = False

    @property
    def is_partial(self) -> bool:
        """Whether the model had more to say."""
        return self.is_interrupted or self.end.finish_reason == "length"


def verbose_line(answer: Answer) -> str:
    """Return the counts and speeds of an answer, as far as the server says them."""
    end = answer.end
    prompt, cached, written = end.count("prompt_tokens"), end.cached_tokens, end.count("completion_tokens")
    parts = []
    if prompt is not None:
        parts.append(f"{prompt:,} prompt tokens" + (f" ({cached:,} cached)" if cached is not None else ""))
    if answer.first_token_s is not None:
        parts.append(f"first token {answer.first_token_s:.2f} s")
    if written is not None:
        speed = _speed(answer, written)
        parts.append(f"{written:,} tokens" + (f" at {speed:.1f}/s" if speed else ""))
    parts.append(f"{answer.total_s:.1f} s in all")
    return ", ".join(parts)


def end_note(answer: Answer, limit: int | None, *, is_chat: bool) -> str | None:
    """Return why an answer ended early; None if it is complete.

    ``limit`` is the ``max_tokens`` of the request; None: there was none. ``is_chat``: the user can type slash commands.
    """
    has_text = bool(answer.text.strip())
    if answer.is_interrupted:
        return f"(interrupted; {'/more goes on' if has_text else '/retry sends the prompt again'})"
    if answer.end.finish_reason != "length":
        return None
    written = answer.end.count("completion_tokens")
    if limit is not None and (written is None or written >= limit):
        unit = "token" if limit == 1 else "tokens"
        if not is_chat:
            more = "--max-tokens N allows more, 'off' any number"
        else:
            more = "/more goes on" if has_text else "/set max_tokens N allows more, /retry asks again"
        return f"(stopped at {limit:,} {unit}; {more})"
    more = (
        "/clear forgets the conversation, /set num_ctx N asks for more"
        if is_chat
        else "--ctx N asks for more"
    )
    return f"(stopped: the context is full; {more})"


def _speed(answer: Answer, written: int) -> float | None:
    """Return the tokens per second: the engine's, else as measured here."""
    speed = answer.end.timings.get("predicted_per_second")
    if isinstance(speed, int | float) and not isinstance(speed, bool):
        return float(speed)
    elapsed_s = answer.total_s - (answer.first_token_s or 0.0)
    return written / elapsed_s if elapsed_s > 0 and written > 1 else None
