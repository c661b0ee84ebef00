"""A column of a progress bar: what is done per second, or per minute."""

from rich.progress import ProgressColumn, Task
from rich.text import Text

__all__ = ["RateColumn"]


class RateColumn(ProgressColumn):
    """What is done per second, or per minute."""

    def render(self, task: Task) -> Text:
        """Return the rate of a task, nothing while there is none."""
        speed = task.finished_speed or task.speed
        if speed is None:
            return Text("")
        return Text(f"{speed:.1f}/s" if speed >= 0.1 else f"{speed * 60:.1f}/min", style="progress.data.speed")
