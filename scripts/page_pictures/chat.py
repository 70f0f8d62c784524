"""The conversation of the example, in the form in which the page keeps it in the tab."""

import json

_QUESTION = "How do I retry with exponential backoff in Python?"
_ANSWER = """\
Double the delay after each attempt, and add **jitter**, so that clients do not retry at the same moment:

```python
def retry(call, attempts=5, base_s=0.2, most_s=10.0):
    for attempt in range(attempts - 1):
        try:
            return call()
        except ConnectionError:
            time.sleep(random.uniform(0, min(most_s, base_s * 2**attempt)))
    return call()
```

| Response | Retry? | Why |
|---|---|---|
| 429, 503 | yes | wait for `Retry-After` if it is set |
| connection lost | only if safe | a `POST` may have taken effect |
"""
_THINKING = (
    "They want a short answer. A loop with full jitter is enough; then the cases in which a retry does harm."
)


def stored_chat() -> str:
    """Return the JSON of the tab's storage: a prompt, and an answer with a table and code."""
    answer = {
        "role": "assistant",
        "id": 2,
        "model": "gpt-oss-20b",
        "content": _ANSWER,
        "reasoning": _THINKING,
        "parts": 246,
        "firstAfter": 0.21,
        "textAfter": 0.84,
        "durationS": 2.11,
        "finish": "stop",
        "error": None,
        "usage": {"prompt": 96, "cached": 71, "written": 246},
        "speed": 147.3,
    }
    prompt = {"role": "user", "id": 1, "text": _QUESTION, "images": []}
    return json.dumps({"model": "gpt-oss-20b", "settings": {}, "messages": [prompt, answer]})
