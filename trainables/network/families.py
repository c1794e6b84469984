"""The few architectures whose natural grain the structural rule of `blocks` would miss: patterns of class names."""

from __future__ import annotations

import re
from typing import Literal

Role = Literal["whole", "joins next", "joins previous", "block", "stage"]

# Read from the top; the first that matches a module's class name counts.
ROLES: tuple[tuple[re.Pattern[str], Role], ...] = (
    # Downsampling between two stages: repeated like a block, but part of the stage it feeds.
    (re.compile(r"PatchMerging|PatchEmbed|PoolFormerEmbeddings|Downsampl"), "joins next"),
    # Between two dense blocks, and part of the one before it (Huang et al. 2017, section 3).
    (re.compile(r"^_Transition$"), "joins previous"),
    # The convolutions that turn sound into frames, and what else precedes the first layer in one piece.
    (re.compile(r"FeatureEncoder$|FeatureExtractor$|PositionalConvEmbedding$|^MobileNetV2Stem$"), "whole"),
    # The only one of its kind between others that repeat: a block like them.
    (re.compile(r"^Inception[BD]$"), "block"),
    # Repeated like a block, but only a list of blocks itself.
    (re.compile(r"Stage$|Stack$|^MaxVitBlock$"), "stage"),
)


def role(class_name: str) -> Role | None:
    """Return what a module of this class is to the cut; None where the structural rule decides."""
    return next((found for pattern, found in ROLES if pattern.search(class_name)), None)
