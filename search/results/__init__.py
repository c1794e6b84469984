"""From what Optuna holds to tables, intervals and a verdict."""
