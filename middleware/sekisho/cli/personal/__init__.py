"""All that is stored about one account: what `sekisho export` prints and `sekisho forget` removes."""
