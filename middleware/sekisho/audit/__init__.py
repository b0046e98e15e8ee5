"""The audit trail: every event as a line that cannot be changed unnoticed, in the words of the reader's own tools."""
