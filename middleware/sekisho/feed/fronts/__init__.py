"""What stands in front of the service, as `sekisho feed` keeps it in step with the feed: one module for each."""
