"""The client side: a connection pool with stall timeouts."""
