"""The report's figures: each one function from tables to data that can be drawn."""
