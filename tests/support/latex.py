"""Compile what goes into a paper, as its author would."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

PAGE = r"\documentclass{article}\usepackage{booktabs}\begin{document}%s\end{document}"


def compiles(folder: Path, *tables: str) -> None:
    """Check that pdflatex takes the tables, each on a page of its own; skip the test where there is no pdflatex."""
    if not shutil.which("pdflatex"):
        pytest.skip("pdflatex is not installed (Debian: texlive-latex-base texlive-latex-recommended)")
    (folder / "page.tex").write_text(PAGE % "\\clearpage ".join(tables))
    command = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "page.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout[-2000:]
    assert (folder / "page.pdf").stat().st_size > 1000
