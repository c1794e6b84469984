"""What a careful user would write with the documentation of Ray Tune at hand. Imports nothing of the product."""
