"""A table of text as LaTeX with booktabs rules. Needs the package ``booktabs``, nothing else."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import pandas as pd

DAGGER = r"$^{\dagger}$"
WIDE = r"p{0.3\linewidth}"


def booktabs(
    table: pd.DataFrame,
    *,
    caption: str,
    label: str,
    bold: Sequence[Hashable] = (),
    tied: Sequence[Hashable] = (),
    wide: str | None = None,
) -> str:
    """Return ``table`` (text in every cell) as a LaTeX table.

    Args:
        table: What is shown; everything in it is escaped.
        caption: Plain text, escaped too.
        label: For ``\\ref``.
        bold: Index labels of rows set bold.
        tied: Index labels of rows whose first cell gets a dagger, which the caption then explains.
        wide: The column that wraps.
    """
    first = table.columns[0]
    shape = "".join(WIDE if name == wide else "r" if _numeric(table[name]) else "l" for name in table.columns)
    escaped = table.astype(str).map(_escaped)
    marked = [f"{value}{DAGGER}" if row in tied else value for row, value in escaped[first].items()]
    escaped = escaped.assign(**{str(first): marked}).rename(columns=_escaped)
    style = escaped.style.hide(axis="index")
    if len(bold):
        style = style.set_properties(subset=(list(bold), list(escaped.columns)), **{"textbf": "--rwrap"})
    told = _escaped(caption) + (f" {DAGGER}: not told apart from it." if len(tied) else "")
    text = str(style.to_latex(hrules=True, caption=told, label=label, position_float="centering", column_format=shape))
    return text.replace(r"\begin{tabular}", "\\small\n\\setlength{\\tabcolsep}{4pt}\n\\begin{tabular}")


def _numeric(column: pd.Series[Any]) -> bool:
    """Tell whether every value begins as a number does."""
    return bool(column.astype(str).str.match(r"^(-|[-+]?\d)").all())


REPLACED = {
    **{"\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{sign: f"\\{sign}" for sign in "&%$#_"},
}


def _escaped(value: str) -> str:
    return "".join(REPLACED.get(sign, sign) for sign in str(value))
