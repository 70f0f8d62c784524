"""Relays a response of an engine: events, translations, heartbeats, and the locks of an engine."""
