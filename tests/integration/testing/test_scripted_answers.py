"""The responses of a scripted server, from a client's side."""

import hashlib
import http.client
import json
import socket
from typing import Any

import pytest

from gglib.testing import Script

from .conftest import DEADLINE_S, Launch, Running, UnixConnection

CHAT = "/v1/chat/completions"


def ask(
    connection: UnixConnection, path: str = CHAT, *, headers: dict[str, str] | None = None, **body: Any
) -> Any:
    """Send a POST and return the response with its body read into ``.content``."""
    connection.request("POST", path, json.dumps({"model": "m", **body}), headers or {})
    response: Any = connection.getresponse()
    response.content = response.read()
    return response


def get(running: Running, path: str, headers: dict[str, str] | None = None) -> tuple[int, Any]:
    """Send a GET on a new connection and return status and JSON."""
    connection = running.connect()
    connection.request("GET", path, headers=headers or {})
    response = connection.getresponse()
    body = json.loads(response.read())
    connection.close()
    return response.status, body


def events_of(content: bytes) -> list[str]:
    """Return the data of each server-sent event."""
    parts = content.decode().split("\n\n")
    assert parts.pop() == ""
    assert all(part.startswith("data: ") for part in parts)
    return [part.removeprefix("data: ") for part in parts]


def test_a_stream_has_a_role_the_pieces_in_order_a_reason_and_done(launch: Launch) -> None:
    """A streamed chat has llama-server's format, and each piece contains its number."""
    connection = launch(Script(chunks=50)).connect()
    response = ask(connection, stream=True, stream_options={"include_usage": True})
    assert response.getheader("content-type") == "text/event-stream"
    *events, done = events_of(response.content)
    assert done == "[DONE]"
    role, *pieces, last, usage = [json.loads(event) for event in events]
    assert role["choices"][0]["delta"]["role"] == "assistant"
    assert [p["choices"][0]["delta"]["content"] for p in pieces] == [f"t{n} " for n in range(50)]
    assert last["choices"][0]["finish_reason"] == "stop"
    assert usage["usage"]["completion_tokens"] == 50
    assert last["model"] == "m"
    connection.close()


def test_an_answer_that_is_not_streamed_has_a_length_and_keeps_the_connection(launch: Launch) -> None:
    """Non-streamed responses have a Content-Length; two requests share one connection."""
    running = launch()
    connection = running.connect()
    first = ask(connection)
    assert json.loads(first.content)["choices"][0]["message"]["content"] == "t0 t1 t2 "
    assert first.getheader("content-length") == str(len(first.content))
    own_socket = connection.sock
    second = ask(connection, "/v1/completions")
    assert json.loads(second.content)["choices"][0]["text"] == "t0 t1 t2 "
    assert connection.sock is own_socket
    connection.close()
    running.wait_until(lambda: len(running.events("end")) == 2, "both ends")


MESSAGES = "/v1/messages"
TOOL = {"name": "count", "description": "d", "input_schema": {"type": "object"}}
RESULT = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "2"}]}


def test_a_message_is_text_or_the_call_of_a_tool(launch: Launch) -> None:
    """The tool is called once: a request with its result gets text."""
    connection = launch(Script(tool_call=("count", '{"what": "apples"}'))).connect()
    first = json.loads(ask(connection, MESSAGES, tools=[TOOL], messages=[]).content)
    call = {"type": "tool_use", "id": "toolu_scripted", "name": "count", "input": {"what": "apples"}}
    assert (first["content"], first["stop_reason"]) == ([call], "tool_use")
    bodies: list[dict[str, Any]] = [
        {"tools": [TOOL], "messages": [{"role": "user", "content": "x"}, RESULT]},
        {"messages": []},
    ]
    for body in bodies:
        second = json.loads(ask(connection, MESSAGES, **body).content)
        assert second["content"] == [{"type": "text", "text": "t0 t1 t2 "}]
        assert (second["stop_reason"], second["usage"]["output_tokens"]) == ("end_turn", 3)
    assert json.loads(ask(connection, f"{MESSAGES}/count_tokens", messages=[]).content) == {"input_tokens": 8}
    connection.close()


def test_the_stream_of_a_message(launch: Launch) -> None:
    """Each piece is an event, and the parts of a call's arguments give their JSON."""
    connection = launch(Script(chunks=2, tool_call=("count", '{"what": "apples"}'))).connect()
    for tools, kind, field, whole in (
        ([], "text_delta", "text", "t0 t1 "),
        ([TOOL], "input_json_delta", "partial_json", '{"what": "apples"}'),
    ):
        content = ask(connection, MESSAGES, stream=True, tools=tools, messages=[]).content.decode()
        events = [json.loads(part.partition("\ndata: ")[2]) for part in content.split("\n\n")[:-1]]
        names = [part.partition("\n")[0] for part in content.split("\n\n")[:-1]]
        assert names == [f"event: {event['type']}" for event in events]
        deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
        assert {delta["type"] for delta in deltas} == {kind}
        assert "".join(delta[field] for delta in deltas) == whole
        assert [events[0]["type"], events[-1]["type"]] == ["message_start", "message_stop"]
    connection.close()


def test_pages_about_the_server_say_what_its_command_line_said(launch: Launch) -> None:
    """Models, slots, props, metrics and embeddings follow the options."""
    running = launch(None, "--ctx-size", "512", "--parallel", "2", "--embeddings")
    assert get(running, "/health") == (200, {"status": "ok"})
    assert get(running, "/v1/models")[1]["data"][0]["id"] == "m"
    slots = get(running, "/slots")[1]
    assert [(slot["n_ctx"], slot["is_processing"]) for slot in slots] == [(256, False), (256, False)]
    assert get(running, "/props")[1]["total_slots"] == 2
    assert get(running, "/metrics")[0] == 404
    connection = running.connect()
    embedded = ask(connection, "/v1/embeddings", input=["a", "b"])
    assert len(json.loads(embedded.content)["data"]) == 2
    assert ask(connection, "/v1/rerank", query="q", documents=["a"]).status == 501
    connection.close()


def test_documents_are_ranked_where_that_was_asked_for(launch: Launch) -> None:
    """A reranking server returns a score for each document."""
    connection = launch(None, "--reranking", "--pooling", "rank").connect()
    ranked = ask(connection, "/v1/rerank", query="q", documents=["a", "b"])
    assert [result["index"] for result in json.loads(ranked.content)["results"]] == [0, 1]
    connection.close()


def test_a_slot_is_busy_while_its_answer_is_on_its_way(launch: Launch) -> None:
    """``/slots`` shows the running generation, and a client's disconnect frees its slot immediately."""
    running = launch(Script(chunks=10_000, chunk_interval_s=0.01))
    connection = running.connect()
    connection.request("POST", CHAT, json.dumps({"stream": True}))
    connection.getresponse().read(10)

    def busy() -> int:
        return sum(slot["is_processing"] for slot in get(running, "/slots")[1])

    assert busy() == 1
    connection.close()
    running.wait_until(lambda: not busy(), "the slot is free")
    running.wait_until(lambda: running.events("client_gone"), "client_gone")
    assert running.events("client_gone")[0]["n"] == 1


def test_everything_but_health_needs_the_key(launch: Launch) -> None:
    """With a key file every path except ``/health`` requires the key."""
    running = launch(None, is_ready=False)
    key_file = running.directory / "key"
    key_file.write_text("sek\n")
    keyed = launch(None, "--api-key-file", str(key_file))
    assert get(keyed, "/health")[0] == 200
    status, body = get(keyed, "/v1/models")
    assert (status, body["error"]["type"]) == (401, "authentication_error")
    assert get(keyed, "/v1/models", {"Authorization": "Bearer sek"})[0] == 200
    assert get(keyed, "/v1/models", {"Authorization": "Bearer se"})[0] == 401


def test_errors_are_in_llama_servers_form_and_close_the_connection(launch: Launch) -> None:
    """The code is an integer; unknown paths, invalid bodies and scripted errors have the same format."""
    running = launch()
    assert get(running, "/nope")[1]["error"]["code"] == 404
    connection = running.connect()
    failed = ask(connection, x_script={"status": 507})
    assert (failed.status, json.loads(failed.content)["error"]["code"]) == (507, 507)
    assert failed.getheader("connection") == "close"
    connection.request("POST", CHAT, "{bad")
    assert connection.getresponse().status == 400
    connection.close()


def test_a_request_can_bring_its_own_answer_and_headers(launch: Launch) -> None:
    """Status, body and headers are arbitrary, in the order of the script."""
    connection = launch().connect()
    headers = [["Connection", "X-Drop"], ["X-Drop", "1"], ["Set-Cookie", "a=1"], ["Set-Cookie", "b=2"]]
    answer = ask(connection, x_script={"status": 201, "body": "plain", "headers": headers})
    assert (answer.status, answer.content) == (201, b"plain")
    received = [[name, value] for name, value in answer.getheaders() if [name, value] in headers]
    assert received == headers
    assert ask(connection, x_script={"echo": True}).status == 200, "the connection stays open"
    connection.close()


def test_echo_returns_the_request_and_the_record_has_all_of_it_too(launch: Launch) -> None:
    """Headers keep their case and order; the digest covers the decoded body, chunked or not."""
    running = launch(Script(echo=True))
    connection = running.connect()
    body = b"\x00\xff" * 300_000
    connection.request("POST", "/x?y=1", iter([body[:7], body[7:]]), {"X-Odd-CASE": "v"}, encode_chunked=True)
    echoed = json.loads(connection.getresponse().read())
    assert (echoed["method"], echoed["path"], echoed["body_length"]) == ("POST", "/x?y=1", len(body))
    assert echoed["body_sha256"] == hashlib.sha256(body).hexdigest()
    assert ["X-Odd-CASE", "v"] in echoed["headers"]
    request = running.events("request")[0]
    assert request["headers"] == echoed["headers"]
    connection.close()


def raw_answer(running: Running, **body: Any) -> tuple[bytes, bytes]:
    """Send a POST and return head and body as received until the connection closed."""
    content = json.dumps(body).encode()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(DEADLINE_S)
        connection.connect(str(running.socket_path))
        connection.sendall(b"POST %b HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (CHAT.encode(), len(content)))
        connection.sendall(content)
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, rest = received.partition(b"\r\n\r\n")
    return head, rest


def without_chunk_framing(raw: bytes) -> bytes:
    """Return the payload of a chunked body, which may be truncated anywhere."""
    payload = b""
    while raw:
        size, _, raw = raw.partition(b"\r\n")
        payload += raw[: int(size, 16)]
        raw = raw[int(size, 16) + 2 :]
    return payload


@pytest.mark.parametrize("path", [CHAT, "/v1/messages", "/v1/responses"])
def test_a_death_between_two_pieces_leaves_whole_events(launch: Launch, path: str) -> None:
    """In every API the last event before the death is complete."""
    running = launch(Script(chunks=50, die_after_chunks=3))
    connection = running.connect()
    connection.request("POST", path, json.dumps({"model": "m", "stream": True}))
    response = connection.getresponse()
    with pytest.raises(http.client.IncompleteRead) as caught:
        response.read()
    assert caught.value.partial.endswith(b"\n\n")
    assert b"t2 " in caught.value.partial
    assert b"t3 " not in caught.value.partial
    connection.close()


@pytest.mark.parametrize("field", ["die_after_bytes", "close_after_bytes"])
@pytest.mark.parametrize("limit", [0, 1, 777])
@pytest.mark.parametrize("is_streamed", [True, False])
def test_an_answer_breaks_off_at_the_chosen_byte(
    launch: Launch, limit: int, field: str, *, is_streamed: bool
) -> None:
    """Exactly that many bytes of the body arrive; then the process dies, or only the connection closes."""
    running = launch()
    head, body = raw_answer(running, stream=is_streamed, x_script={field: limit, "chunks": 999})
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert len(without_chunk_framing(body) if is_streamed else body) == limit
    if field == "die_after_bytes":
        assert running.exit_code() == -9
    else:
        running.wait_until(lambda: running.events("cut"), "cut")
        assert get(running, "/health")[0] == 200


def test_it_dies_before_the_first_byte(launch: Launch) -> None:
    """The connection closes without a response, and the process is dead."""
    running = launch()
    with pytest.raises(http.client.RemoteDisconnected):
        ask(running.connect(), x_script={"die_before_first_byte": True})
    assert running.exit_code() == -9
    assert running.events("exit")[0]["code"] == -9


def test_garbage_is_not_http(launch: Launch) -> None:
    """An HTTP client cannot parse the response; the server keeps running."""
    running = launch()
    connection = running.connect()
    with pytest.raises(http.client.BadStatusLine):
        ask(connection, x_script={"garbage": True})
    connection.close()
    assert get(running, "/health")[0] == 200


def test_it_hangs_until_the_client_leaves(launch: Launch) -> None:
    """No byte is sent, ``/health`` keeps working, and the client's disconnect is recorded."""
    running = launch(Script(hang=True))
    connection = running.connect()
    connection.request("POST", CHAT, "{}")
    running.wait_until(lambda: running.events("request"), "the request")
    assert get(running, "/health")[0] == 200
    assert not running.events("client_gone")
    connection.close()
    running.wait_until(lambda: running.events("client_gone"), "client_gone")


def read_until(connection: UnixConnection, end: bytes) -> bytes:
    """Return the raw bytes received up to and including those that contain ``end``."""
    assert connection.sock is not None
    received = b""
    while end not in received:
        part = connection.sock.recv(65536)
        assert part, received
        received += part
    return received


def test_a_stream_stalls_until_the_client_leaves(launch: Launch) -> None:
    """After the chosen piece nothing is sent, not even the end of the stream; other clients are served."""
    running = launch(Script(stall_after_chunks=1))
    connection = running.connect()
    connection.request("POST", CHAT, json.dumps({"stream": True}))
    read_until(connection, b"t0 ")
    assert connection.sock is not None
    connection.sock.settimeout(0.1)
    with pytest.raises(TimeoutError):
        connection.sock.recv(1)
    assert get(running, "/slots")[0] == 200
    assert not running.events("client_gone")
    connection.close()
    running.wait_until(lambda: running.events("client_gone"), "client_gone")


def test_a_stalled_stream_can_go_on_to_ping(launch: Launch) -> None:
    """Comments replace the pieces, one chunk each, also before the first piece."""
    for before in (0, 2):
        connection = launch(Script(stall_after_chunks=before, stall_ping_s=0.005)).connect()
        connection.request("POST", CHAT, json.dumps({"stream": True}))
        received = read_until(connection, b"3\r\n:\n\n\r\n" * 3)
        assert [f"t{n} ".encode() in received for n in range(3)] == [n < before for n in range(3)]
        connection.close()


def test_health_can_be_made_to_fail_too(launch: Launch) -> None:
    """With ``is_health_affected`` the health page follows the script."""
    running = launch(Script(status=500, is_health_affected=True))
    assert get(running, "/health")[0] == 500


def test_noise_can_be_asked_for_with_a_request(launch: Launch) -> None:
    """The requested number of bytes is written to stderr, in lines of the requested length."""
    running = launch()
    before = len(running.stderr())
    connection = running.connect()
    ask(connection, x_script={"stderr_noise_bytes": 200_001, "noise_line_bytes": 1000})
    noise = running.stderr()[before:]
    assert len(noise) == 200_001
    assert len(noise.splitlines()[0]) == 999
    connection.close()


def test_two_thousand_pieces_a_second_are_no_effort(launch: Launch) -> None:
    """A stream of 20,000 pieces arrives complete, in far less time than a slow server would take."""
    connection = launch().connect()
    response = ask(connection, stream=True, x_script={"chunks": 20_000})
    assert len(events_of(response.content)) == 20_003
    connection.close()


def test_the_hundredth_response_on_a_connection_announces_its_end(launch: Launch) -> None:
    """As llama-server does; without the announcement, the next request would race with the close."""
    connection = launch(Script()).connect()
    announced = [ask(connection).getheader("connection") for _ in range(99)]
    assert set(announced) == {None}
    assert ask(connection).getheader("connection") == "close"
    connection.close()
