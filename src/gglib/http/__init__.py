"""Strict HTTP/1.1 (RFC 9110, RFC 9112) for both sides: pure parsers and writers, a server and a client."""
