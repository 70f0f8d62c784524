"""The certificate with which the server identifies itself over HTTPS: loading, judging, watching."""
