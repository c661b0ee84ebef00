"""What an overlap says: how much of a data set also stands in a benchmark, and what."""

from typing import Literal

from pydantic import Field

from toolflow_graph.types import Record

__all__ = ["PAPER_ENCODER", "Match", "Overlap", "Test"]

Test = Literal["ngrams", "cosine"]

PAPER_ENCODER = "all-MiniLM-L12-v2"


class Match(Record):
    """A tool or a message beside what is most like it in the benchmark; a leak when it fails one of the `tests`.

    `name` is the tool's, or the id of the first dialogue that has the message, at `message` there; `dialogues` says in
    how many it stands. `contaminated` is the share of its tokens that lie in an n-gram of more than ten tokens which
    the benchmark has too, `stretch` the longest run of them, found in `stretch_of`. `cosine` is None where it was not
    measured, else that with `nearest`.
    """

    kind: Literal["tool", "message"]
    name: str
    message: int | None = None
    dialogues: int = 0
    contaminated: float = 0.0
    stretch: str = ""
    stretch_of: str = ""
    cosine: float | None = None
    nearest: str = ""
    tests: tuple[Test, ...] = ()


class Overlap(Record):
    """The paper's two leakage tests on a data set, tool by tool and message by message.

    A dialogue leaks when one of its tools or messages does; `leaking_lines` lists these by file. `closest` are, of what
    does not leak, the tool and the message with the largest share and those with the largest cosine. Without `encoder`
    the second test was left out.
    """

    sources: tuple[str, ...]
    benchmarks: tuple[str, ...]
    benchmark_tools: int
    benchmark_texts: int
    benchmark_skipped: int = 0
    encoder: str | None
    paper_encoder: str = PAPER_ENCODER
    tools: int
    messages: int
    dialogues: int
    leaking_dialogues: int
    leaks: tuple[Match, ...]
    closest: tuple[Match, ...] = ()
    leaking_lines: dict[str, tuple[int, ...]] = Field(default={})

    def count(self, kind: Literal["tool", "message"], test: Test | None = None) -> int:
        """Return how many leaks there are of a kind, or those that one test found."""
        return sum(leak.kind == kind and (test is None or test in leak.tests) for leak in self.leaks)
