"""The reader: what is read from any request that a stranger may send."""
