"""sekisho."""
