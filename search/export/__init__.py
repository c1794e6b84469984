"""What leaves a run folder for use elsewhere."""
