"""Into how many tasks work on images is cut."""

TASKS_PER_CORE = 4  # so that progress is seen, and no core waits long for another


def count_tasks(total_bytes: int, cores: int, task_bytes: int) -> int:
    """A few tasks per core, or as many as the bytes ask for, at so many a task."""
    return max(TASKS_PER_CORE * cores, -(-total_bytes // task_bytes))
