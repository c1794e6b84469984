"""From a strategy to what trains: decided over names, carried out in one file."""
