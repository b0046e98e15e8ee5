"""What a step-up tells by its timing, and what it costs."""
