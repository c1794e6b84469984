"""What one trial needs to know, as plain data. No torch, so that the command line can import it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")


class Frozen(BaseModel):
    """Immutable, and no unknown key passes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Limit(Frozen):
    """The most samples a split may keep."""

    train: int | None = Field(None, ge=1)
    val: int | None = Field(None, ge=1)
    test: int | None = Field(None, ge=1)


class DataConfig(Frozen):
    """Where the samples are and how they are read. Paths are absolute here."""

    path: str | None = None
    train: str | None = None
    val: str | None = None
    test: str | None = None
    source: str | None = None
    input: str | tuple[str, str] | None = None
    target: str | None = None
    limit: Limit = Limit()
    group: str | None = None
    image_size: int | None = Field(None, ge=8)
    max_length: int = Field(128, ge=1)
    augment: Literal["none", "crop", "flip_crop"] = "none"
    augment_views: Literal["fresh"] | Annotated[int, Field(ge=1)] = 4


class TrialConfig(Frozen):
    """Everything that decides what one trial computes."""

    task: str
    metric: str
    mode: Literal["min", "max"] = "max"
    model: str
    weights: str = "default"
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    data: DataConfig
    class_weights: Literal["none", "balanced"] = "none"
    optimizer: Literal["adamw", "sgd"] = "adamw"
    gradient_checkpointing: bool = False
    activations: Literal["exact", "half"] = "exact"  # how what the frozen part computed is stored
    accumulate: int = Field(1, ge=1)  # parts that a batch goes through the network in; their gradients add up
    epochs: int
    strategy: dict[str, str | int | float]
    seed: int
    resplit: bool = False  # train and val are dealt anew, by the seed; test stays
    code_path: str | None = None  # the study file's folder: modules named in the study are found there
