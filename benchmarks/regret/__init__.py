"""Whether the search finds a good strategy for less: recorded trainings, replayed by many searches.

`build` trains every point of a coarse grid once and keeps its curves; `replay` lets searches spend
simulated compute on them; `benchmarks.experiments.regret` compares.
"""
