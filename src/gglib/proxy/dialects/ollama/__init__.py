"""Ollama's API, translated to llama-server's. Pure: the clock is an argument.

Source: Ollama's public API documentation (``docs/api.md`` and ``docs/openapi.yaml`` of its repository), and the
behaviour of its official clients (Python 0.6.3, JavaScript 0.6.4).
"""
