"""What a network is trained for: one frozen record of functions per task."""
