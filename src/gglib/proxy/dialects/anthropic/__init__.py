"""Anthropic's Messages API: what the engine needs changed in a request, and Anthropic's model objects.

The engine speaks the dialect itself, so its streams are relayed as bytes. Requests are changed where the engine would
refuse, misread or silently ignore what Anthropic's clients send; see ``requests``.
"""
