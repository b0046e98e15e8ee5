"""What the users of `benchmarks/locustfile.py` are made of, and by what they are judged. Nothing here needs Locust."""
