"""Checkpoints of a run in PostgreSQL: where they are, and what is done with all of them at once.

Several runs share a database: each run's threads are named after its id. Every process that plays has a connection and
a saver of its own (`shared_checkpoints.py`), and finds what any other has begun.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl, quote, unquote

from toolflow_graph.errors import RunError
from toolflow_graph.runner.seals import are_whole

if TYPE_CHECKING:
    import psycopg

__all__ = [
    "CONNECT_S",
    "PUT_SEALED",
    "Database",
    "blame_database",
    "drop_dialogues",
    "drop_run",
    "find_damaged_dialogues",
    "list_begun",
    "prepare_database",
    "read_address",
    "require_postgres",
]

CONNECT_S = 10
"""Seconds in which a database has to answer at the beginning."""

_T = TypeVar("_T")

_GO_ON = "all finished dialogues are kept: mend it, then resume the run"

_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})")

_TABLES = ("checkpoints", "checkpoint_blobs", "checkpoint_writes")

_BLOBS = """SELECT type, blob, thread_id, checkpoint_ns, channel, version FROM checkpoint_blobs
    WHERE thread_id = %s"""
_WRITES = """SELECT type, blob, thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel
    FROM checkpoint_writes WHERE thread_id = %s"""
_ROWS = (_BLOBS, _WRITES)
"""Kind and content, then the row's other columns in the order in which they were sealed."""

_COLUMNS = "thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, checkpoint, metadata"
_SEAL = f"'sha256:' || encode(sha256(convert_to(jsonb_build_array({_COLUMNS})::text, 'UTF8')), 'hex')"
"""Seal of a checkpoint, in its column `type`, which nobody else uses: how JSONB is written down, the server knows."""

PUT_SEALED = f"""
    WITH given ({_COLUMNS}) AS (VALUES (%s::text, %s::text, %s::text, %s::text, %s::jsonb, %s::jsonb))
    INSERT INTO checkpoints ({_COLUMNS}, type) SELECT given.*, {_SEAL} FROM given
    ON CONFLICT (thread_id, checkpoint_ns, checkpoint_id) DO UPDATE SET
        parent_checkpoint_id = EXCLUDED.parent_checkpoint_id,
        checkpoint = EXCLUDED.checkpoint,
        metadata = EXCLUDED.metadata,
        type = EXCLUDED.type
"""  # noqa: S608
_UNSEALED = f"SELECT 1 FROM checkpoints WHERE thread_id = %s AND type IS DISTINCT FROM {_SEAL} LIMIT 1"  # noqa: S608

_LOCK = 0x746F6F6C666C6F77
"""Key of the advisory lock under which tables are made: several runs may find an empty database at the same time."""


@dataclass(frozen=True)
class Database:
    """Where a run's checkpoints are: the address as it was written (`$NAME` stands for a variable), and the run's id.

    What the variables hold is read where it is needed, in each process, and kept nowhere.
    """

    address: str
    run: str

    def name_thread(self, dialogue: str) -> str:
        """Return the name of a dialogue's thread, which no other run has."""
        return f"{self.run}/{dialogue}"


def read_address(address: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Return the address with what the environment holds in place of `$NAME`, and what must not be shown of it.

    Each secret comes with what is shown in its place: its `$NAME`, or stars for the password in a whole address.

    A password may hold any character: where a variable is only a part of the address, its value is percent-encoded.
    Raises `RunError` for a variable that is not set.
    """
    secrets: dict[str, str] = {}
    whole = _VARIABLE.fullmatch(address) is not None

    def read(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        value = os.environ.get(name, "").strip()
        if not value:
            raise RunError(f"the environment has no {name}, which the address of the checkpoints ({address!r}) needs")
        given = value if whole else quote(value, safe="")
        secrets[value] = secrets[given] = f"${name}"
        return given

    filled = _VARIABLE.sub(read, address)
    if not filled.startswith(("postgresql://", "postgres://")):
        raise RunError(f"{address!r} is no address of a database; it begins with postgresql://")
    for password in _find_passwords(filled):  # the driver may complain about a part of the address
        for shown in (password, unquote(password)):
            secrets.setdefault(shown, "***")
    return filled, tuple(sorted(secrets.items(), key=lambda item: -len(item[0])))


def _find_passwords(address: str) -> Iterator[str]:
    before, at, _ = address.partition("://")[2].rpartition("@")
    written = [before.partition(":")[2]] if at else []
    written += [value for name, value in parse_qsl(address.partition("?")[2]) if "password" in name.lower()]
    yield from filter(None, written)


@contextmanager
def blame_database(database: Database, advice: str = _GO_ON) -> Iterator[None]:
    """Turn what a database can refuse into one `RunError` that shows no password, not in a traceback either."""
    import psycopg  # noqa: PLC0415 - an extra, which whoever comes here has

    try:
        yield
    except (psycopg.Error, OSError) as exc:
        raise RunError(f"{_tell(database, exc)}; {advice}") from None


def _tell(database: Database, exc: BaseException) -> str:
    said = " ".join(str(exc).split()) or type(exc).__name__
    for value, name in read_address(database.address)[1]:
        said = said.replace(value, name)
    return f"checkpoints in {database.address}: {said}"


def require_postgres() -> None:
    """Raise `RunError` when the packages of the extra are not installed."""
    try:
        import langgraph.checkpoint.postgres  # noqa: F401, PLC0415
        import psycopg  # noqa: F401, PLC0415
    except ImportError as exc:
        raise RunError(
            f"checkpoints in PostgreSQL need a package that is not installed ({exc.name}); get it with: "
            "pip install 'toolflow-graph[postgres]'"
        ) from exc


def prepare_database(database: Database) -> None:
    """Make the tables unless they are there; raises `RunError` when the database cannot be used."""
    require_postgres()
    from langgraph.checkpoint.postgres import PostgresSaver  # noqa: PLC0415
    from psycopg import Connection  # noqa: PLC0415
    from psycopg.rows import dict_row  # noqa: PLC0415

    address, _ = read_address(database.address)
    with (
        blame_database(database, "mend it, or take another address"),
        Connection.connect(address, autocommit=True, row_factory=dict_row, connect_timeout=CONNECT_S) as connection,
    ):
        connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        PostgresSaver(connection).setup()


def _work(database: Database, work: "Callable[[psycopg.Cursor[Any]], _T]") -> _T:
    """Do something in a transaction of its own."""
    from psycopg import connect  # noqa: PLC0415 - an extra

    address, _ = read_address(database.address)
    with blame_database(database), connect(address, connect_timeout=CONNECT_S) as connection:
        return work(connection.cursor())


def list_begun(database: Database) -> list[str]:
    """Return the dialogues of the run that have checkpoints."""
    return _work(database, lambda cursor: _find(cursor, database))


def _find(cursor: "psycopg.Cursor[Any]", database: Database) -> list[str]:
    """Find threads of the run; the bounds let the index be used, whatever the order of letters in the database."""
    prefix = database.name_thread("")
    query = (
        "SELECT DISTINCT thread_id FROM checkpoints WHERE thread_id BETWEEN %s AND %s AND starts_with(thread_id, %s)"
    )
    rows = cursor.execute(query, (prefix, f"{prefix}zzz", prefix)).fetchall()
    return sorted(thread.removeprefix(prefix) for (thread,) in rows)


def find_damaged_dialogues(database: Database, dialogues: Iterable[str]) -> list[str]:
    """Return those of the dialogues of which a row is not as it was written, or cannot be revived."""

    def look(cursor: "psycopg.Cursor[Any]") -> list[str]:
        return [dialogue for dialogue in dialogues if not _is_whole(cursor, database.name_thread(dialogue))]

    return _work(database, look)


def _is_whole(cursor: "psycopg.Cursor[Any]", thread: str) -> bool:
    if cursor.execute(_UNSEALED, (thread,)).fetchone() is not None:
        return False
    return all(are_whole(cursor.execute(statement, (thread,))) for statement in _ROWS)


def drop_dialogues(database: Database, dialogues: Iterable[str]) -> None:
    """Delete the checkpoints of these dialogues."""
    threads = [database.name_thread(dialogue) for dialogue in dialogues]
    if threads:
        _work(database, lambda cursor: _drop(cursor, threads))


def drop_run(database: Database) -> None:
    """Delete all checkpoints of the run."""
    drop_dialogues(database, list_begun(database))


def _drop(cursor: "psycopg.Cursor[Any]", threads: list[str]) -> None:
    for table in _TABLES:
        cursor.execute(f"DELETE FROM {table} WHERE thread_id = ANY(%s)", (threads,))  # noqa: S608
