"""What can be observed about an attempt: its counters today, leaked passwords and posture beside them."""
