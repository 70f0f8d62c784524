"""The requests of the load: the bytes that an OpenAI client sends. Pure."""

import json

PATH = "/v1/chat/completions"
BEARER = "bench"
MODEL = "bench"

HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip, deflate",
    "Content-Type": "application/json",
    "User-Agent": "OpenAI/Python 2.9.0",
    "X-Stainless-Lang": "python",
    "X-Stainless-Package-Version": "2.9.0",
    "X-Stainless-OS": "Linux",
    "X-Stainless-Arch": "x64",
    "X-Stainless-Runtime": "CPython",
    "X-Stainless-Runtime-Version": "3.11.7",
    "Authorization": f"Bearer {BEARER}",
    "X-Stainless-Async": "false",
    "x-stainless-retry-count": "0",
    "x-stainless-read-timeout": "600",
}
"""The headers that openai-python sends besides Host, Content-Length and Connection."""

PROMPT = "Name three colours of the rainbow, and nothing else. Answer in one line, separated by commas."
SYSTEM = "You are a helpful assistant who answers briefly and to the point."


def chat_body(
    *,
    stream_id: str | None = None,
    chunks: int = 200,
    chunks_per_s: int = 0,
    prompt: str = PROMPT,
    temperature: float = 0.7,
) -> bytes:
    """Return a request body of about 300 bytes; with a ``stream_id`` it requests a stream.

    The fields that the scripted upstream reads come first.
    """
    metadata = {"stream_id": stream_id} if stream_id else {}
    if chunks_per_s:
        metadata["chunks_per_s"] = str(chunks_per_s)
    body = {
        "model": MODEL,
        "stream": bool(stream_id),
        "max_tokens": chunks,
        "metadata": metadata,
        "temperature": temperature,
        "messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": prompt}],
    }
    return json.dumps(body, separators=(",", ":")).encode()


def chat_request(body: bytes, host: str) -> bytes:
    """Return a complete request."""
    lines = [f"POST {PATH} HTTP/1.1", f"Host: {host}", "Connection: keep-alive"]
    lines += [f"{name}: {value}" for name, value in HEADERS.items()]
    lines += [f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body
