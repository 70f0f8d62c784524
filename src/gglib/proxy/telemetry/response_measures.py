"""What finished responses say of the speed of the machines that computed them. Pure."""

from gglib.core.history.records import RequestRecord
from gglib.core.nodes import MeasuredResponse
from gglib.proxy.token_usage import Usage

MIN_TOKENS = 8
"""The first token comes with the prompt, and a part of a stream can have several: fewer tokens measure no speed."""
MIN_SPEED, MAX_SPEED = 0.01, 1e7
"""In tokens for each second. Others are mistakes of an engine, and means that contain them would be wrong for ever."""
_OK = 200


def measured_response(record: RequestRecord, usage: Usage) -> MeasuredResponse | None:
    """Return the measure of a finished response; None if it says nothing.

    The engine's own speed comes first: a client that reads slowly slows a stream down. Without it only a stream has a
    measurable beginning.
    """
    tokens = usage.completion_tokens
    if record.model is None or record.status != _OK or record.cut is not None or not tokens:
        return None
    seconds = _seconds(record, tokens, _plausible(usage.tokens_per_s))
    if tokens < MIN_TOKENS or seconds <= 0:
        return None
    return MeasuredResponse(
        node=record.node,
        model=record.model,
        tokens=tokens,
        seconds=seconds,
        prompt_tokens_per_s=_plausible(usage.prompt_tokens_per_s),
    )


def _seconds(record: RequestRecord, tokens: int, tokens_per_s: float | None) -> float:
    """Return the duration of the generation; 0 if it is unknown."""
    if tokens_per_s is not None:
        return tokens / tokens_per_s
    if not record.is_streamed or record.first_byte_s is None:
        return 0.0
    return record.duration_s - record.first_byte_s


def _plausible(speed: float | None) -> float | None:
    return speed if speed is not None and MIN_SPEED <= speed <= MAX_SPEED else None
