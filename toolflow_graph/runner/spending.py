"""What a run has spent on models: an entry per request, on the disk before the next request of the dialogue is made."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from pydantic import ValidationError

from toolflow_graph.errors import DatasetError
from toolflow_graph.models.ledger import Account, Expense, Ledger
from toolflow_graph.models.prices import load_prices
from toolflow_graph.models.settings import ModelSettings

__all__ = ["SPENDING", "Spending"]

SPENDING = "spending.jsonl"


class Spending:
    """The account of a run and the file of its entries.

    What a killed process has paid for is in the file, even where the dialogue's step was lost: so the limits are those
    of the whole run, however often it is resumed. Without a folder nothing is written.
    """

    def __init__(self, account: Account, path: Path | None = None, file: int | None = None) -> None:
        self.account = account
        self.path = path
        self._file = file

    @classmethod
    def open(cls, settings: ModelSettings, folder: Path | None) -> Self:
        """Open the account of a run, with all that it has spent before.

        Raises `DatasetError` when the file is damaged, and OSError.
        """
        prices = load_prices(settings.prices)
        if folder is None:
            return cls(Account(settings, Ledger(prices)))
        path = folder / SPENDING
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            ledger = Ledger(prices, _recover(path, file), lambda expense: _append(file, expense))
        except BaseException:
            os.close(file)
            raise
        return cls(Account(settings, ledger), path, file)

    def has_played(self) -> bool:
        """Say whether any role was asked; what finds out about the endpoint is not counted."""
        return any(role != "probe" for role in self.account.ledger.group("role"))

    def discard(self) -> None:
        """Close the file and remove it."""
        self.close()
        if self.path is not None:
            self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file; nothing can be entered any more."""
        if self._file is not None:
            os.fsync(self._file)
            os.close(self._file)
            self._file = None


def _recover(path: Path, file: int) -> Iterator[Expense]:
    """Yield the entries of the file; a last line that was never finished is cut off."""
    end = 0
    with path.open("rb") as lines:
        for number, raw in enumerate(lines, 1):
            if not raw.endswith(b"\n"):
                os.ftruncate(file, end)
                return
            try:
                yield Expense.model_validate_json(raw)
            except ValidationError as exc:
                raise DatasetError(
                    f"{path}, line {number}: no entry of what was spent; delete the line, its cost is then not counted"
                ) from exc
            end += len(raw)


def _append(file: int, expense: Expense) -> None:
    line = expense.model_dump_json(exclude_defaults=True).encode() + b"\n"
    written = os.write(file, line)
    if written < len(line):
        os.ftruncate(file, os.fstat(file).st_size - written)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
