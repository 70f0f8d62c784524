"""HTTP/1.1 as RFC 9110 and RFC 9112 have it, strictly, for both sides: bytes in, meaning out, and back. Pure."""
