"""A server under mixed load for half an hour: whether its memory grows, and what stays behind."""
