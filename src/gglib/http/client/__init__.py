"""The client side: pooled and single connections to servers, with stall timeouts."""
