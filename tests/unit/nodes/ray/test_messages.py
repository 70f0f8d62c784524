"""What the sidecar says."""

import pytest

from gglib.nodes.ray.messages import (
    AgentReport,
    Member,
    Members,
    Message,
    Trouble,
    UnreadableMessageError,
    from_line,
    read_report,
    to_line,
)


@pytest.mark.parametrize(
    "message",
    [
        Trouble(reason="The head does not answer."),
        Members(cluster="c", members=()),
        Members(
            cluster="c",
            members=(Member(name="a", report=AgentReport(url="http://a:1", key="k")), Member(name="b")),
        ),
    ],
)
def test_a_message_is_one_line(message: Message) -> None:
    """And is read as it was."""
    line = to_line(message)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert from_line(line) == message


@pytest.mark.parametrize(
    "line",
    [b"", b"{}", b"INFO: Ray", b'{"type":"other"}', b'{"type":"trouble","reason":"","more":1}', b"\xff"],
)
def test_other_lines_are_refused(line: bytes) -> None:
    """Ray, or a program that prints, must not be taken for the sidecar."""
    with pytest.raises(UnreadableMessageError):
        from_line(line)


def test_the_report_of_another_version_is_read() -> None:
    """Further fields are ignored; what has other types is no report."""
    assert read_report({"url": "http://a:1", "more": 1}) == AgentReport(url="http://a:1")
    assert read_report({"url": 1}) is None
    assert read_report("report") is None


@pytest.mark.parametrize("field", ["url", "key", "version", "ray", "python", "failure"])
def test_a_report_has_a_limit(field: str) -> None:
    """One node must not make the line of all nodes too long."""
    assert read_report({field: "x" * 1000}) is not None
    assert read_report({field: "x" * 1001}) is None


def test_a_key_is_not_shown() -> None:
    """Not in logs either."""
    assert "secret" not in repr(Member(name="a", report=AgentReport(url="http://a:1", key="secret")))
