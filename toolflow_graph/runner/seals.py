"""Rows of checkpoints under a checksum, so that a damaged one is noticed and never played on from."""

import zlib
from collections.abc import Iterable, Sequence
from typing import Any

from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

__all__ = ["SealedSerializer", "are_whole", "seal"]

_SEALED = "+crc32"
_SIZE = 4
_KINDS = frozenset({"null", "bytes", "bytearray", "msgpack"})


class SealedSerializer(JsonPlusSerializer):
    """Revives plain data and LangChain messages, sealed or not: no pickle, no other type."""

    def __init__(self) -> None:
        super().__init__(pickle_fallback=False, allowed_json_modules=None, allowed_msgpack_modules=None)

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """Return a value; whether it is whole was asked when its thread was taken up (`are_whole`).

        Raises `ValueError` for a form that a run does not write.
        """
        kind, content = data
        if kind.endswith(_SEALED):
            kind, content = kind.removesuffix(_SEALED), content[:-_SIZE]
        if kind not in _KINDS:
            raise ValueError(f"no run writes checkpoints of the kind {kind!r}")
        return super().loads_typed((kind, content))


def seal(place: Iterable[object], kind: str, content: bytes) -> tuple[str, bytes]:
    """Return kind and content as they are stored, with a checksum of them and of the row's other columns."""
    return kind + _SEALED, content + _sum(place, kind, content)


def are_whole(rows: Iterable[Sequence[Any]]) -> bool:
    """Say whether rows are as they were written and can be revived: kind and content, then what else was sealed."""
    serde = SealedSerializer()
    for kind, content, *place in rows:
        if not _is_sealed(place, kind, content):
            return False
        try:
            serde.loads_typed((kind, content))
        except Exception:  # noqa: BLE001 - whatever stands there, it was not written by a run
            return False
    return True


def _is_sealed(place: Iterable[object], kind: object, content: object) -> bool:
    if not isinstance(kind, str) or not isinstance(content, bytes) or not kind.endswith(_SEALED):
        return False
    whole = content[:-_SIZE]
    return content[-_SIZE:] == _sum(place, kind.removesuffix(_SEALED), whole)


def _sum(place: Iterable[object], kind: str, content: bytes) -> bytes:
    columns = "\0".join(map(repr, (*place, kind))).encode("utf-8", "surrogatepass")
    return zlib.crc32(content, zlib.crc32(columns)).to_bytes(_SIZE)
