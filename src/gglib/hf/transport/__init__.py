"""HTTP/1.1 over blocking sockets, as downloads need it: proxies, TLS, redirects."""
