"""The tasks, by name. A literal table; importing it costs torch."""

from __future__ import annotations

from trainables.tasks.image import IMAGE_CLASSIFICATION
from trainables.tasks.task import Task
from trainables.tasks.text import TEXT_CLASSIFICATION

TASKS: dict[str, Task] = {task.name: task for task in (IMAGE_CLASSIFICATION, TEXT_CLASSIFICATION)}
