"""What the frozen part of a network computes: recorded once, read by every trial that shares it."""
