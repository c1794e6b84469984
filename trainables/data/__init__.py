"""From files to batches: read, split, decode or tokenise. Reading and splitting need no torch."""
