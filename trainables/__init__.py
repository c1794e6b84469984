"""What one trial does: cut, freeze, train and measure one network. Knows torch, not the search."""
