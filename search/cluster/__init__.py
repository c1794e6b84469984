"""Where one machine is not enough: what a cluster is made of, and the work that is sent to it."""
