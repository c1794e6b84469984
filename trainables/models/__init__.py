"""Where pretrained networks come from."""
