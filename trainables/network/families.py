"""The few architectures whose natural grain the structural rule of `blocks` would miss. Literal tables."""

from __future__ import annotations

# Downsampling between two stages: repeated like a block, but it belongs to the stage it feeds.
JOINS_NEXT = frozenset({"PatchMerging", "PatchMergingV2"})

# Between two dense blocks, and part of the one before it (Huang et al. 2017, section 3).
JOINS_PREVIOUS = frozenset({"_Transition"})

# The only one of its kind between others that repeat: a block like them, not the layers of its parallel branches.
SINGLE_BLOCKS = frozenset({"InceptionB", "InceptionD"})

# Repeated like a block, but only a list of blocks itself.
STAGES = frozenset({"MaxVitBlock"})
