"""Many trials, one answer: Optuna proposes, Ray executes, the report says which strategy is best."""
