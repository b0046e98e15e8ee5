"""What services test themselves with."""
