"""The security headers of the page and its files.

Under a loopback name the page may use the admin API without a key, so no foreign script may run in it and no other
page may embed it. ``docs/page.md`` has the reasoning.
"""

from gglib.http.headers import Headers

_POLICY = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data: blob:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
)

SECURITY_HEADERS: Headers = [
    (b"content-security-policy", "; ".join(_POLICY).encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
"""Headers of the page and of every file: an SVG that is opened by itself is a document, too."""
