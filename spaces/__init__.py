"""What may be tried: strategies as pure data, and the space they are drawn from.

The lowest floor: standard library and pydantic only. Nothing here knows torch, Ray or Optuna.
"""
