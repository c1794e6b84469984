"""Cut a network into ordered blocks."""
