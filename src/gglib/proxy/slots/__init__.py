"""Which slot of an engine a conversation's next request goes to."""
