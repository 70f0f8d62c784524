"""The history of requests and usage, as the commands see it: of a server, or of the file of this home."""
