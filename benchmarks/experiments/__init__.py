"""One module for each experiment, with a function ``rows() -> list[Row]``."""
