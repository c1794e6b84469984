"""Figures as SVG: our own small writer, because a plotting library in a page weighs megabytes."""
