"""Plays cases: asks the model, hands its calls to the checker, and in multi-turn cases their results back to it."""

import keyword
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from toolflow_graph.bfcl.answerers import Answer, Answerer, Question
from toolflow_graph.bfcl.cases import MULTI_TURN, Case
from toolflow_graph.bfcl.checker import Checker, Verdict
from toolflow_graph.types import JSON, Record

__all__ = ["MAX_STEPS", "CaseResult", "play_cases"]

MAX_STEPS = 20
"""Answers with calls in one turn after which a multi-turn case has failed, as in the benchmark."""

_MORE_FUNCTIONS = "I have updated some more functions you can choose from. What about now?"
"""What the benchmark's user says when functions come with a later turn."""


class CaseResult(Record):
    """What came of a case: solved or not and the checker's word for why, and what was called, by turn and step.

    `unread` counts answers whose calls could not be read; `called` says whether anything was called.
    """

    id: str
    category: str
    valid: bool
    error_type: str = ""
    error: str = ""
    calls: list[list[list[JSON]]]
    texts: list[str]
    unread: int = 0
    answers: int = 1

    @property
    def called(self) -> bool:
        """Whether the model called anything."""
        return any(step for turn in self.calls for step in turn)


def play_cases(cases: Sequence[Case], answerer: Answerer, checker: Checker) -> Iterator[CaseResult]:
    """Yield the result of each case; cases of like length are asked together, as many at once as suits the model."""
    single = sorted((case for case in cases if case.category not in MULTI_TURN), key=_measure)
    for start in range(0, len(single), answerer.batch):
        chunk = single[start : start + answerer.batch]
        questions = [Question(case.turns[0], tuple(case.tools())) for case in chunk]
        for case, answer in zip(chunk, answerer.answer(questions), strict=True):
            calls = [{name: arguments} for name, arguments in answer.calls]
            verdict = checker.check_calls(case, calls) if not answer.unread else _judge_unread(case, checker, answer)
            yield CaseResult(
                id=case.id,
                category=case.category,
                valid=verdict.valid,
                error_type=verdict.error_type,
                error=verdict.error,
                calls=[[calls]],
                texts=[answer.text],
                unread=int(bool(answer.unread)),
            )
    multi = [case for case in cases if case.category in MULTI_TURN]
    for start in range(0, len(multi), answerer.batch):
        yield from _play_together(multi[start : start + answerer.batch], answerer, checker)


def _measure(case: Case) -> int:
    return len(str(case.turns[0])) + len(str(case.tools()))


def _judge_unread(case: Case, checker: Checker, answer: Answer) -> Verdict:
    """As in the benchmark, what cannot be read is no call: right where none is wanted, wrong elsewhere."""
    if case.category.endswith("relevance"):
        return checker.check_calls(case, [])
    return Verdict(valid=False, error_type="ast_decoder:decoder_failed", error=answer.unread)


@dataclass
class _Table:
    """A multi-turn case that is being played."""

    case: Case
    messages: list[JSON] = field(default_factory=list)
    turn: int = -1
    steps: list[list[list[JSON]]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    unread: int = 0
    answers: int = 0
    failed: str = ""
    over: bool = False

    def begin_turn(self) -> None:
        self.turn += 1
        if self.turn == len(self.case.turns) or self.failed:
            self.over = True
            return
        self.steps.append([])
        added = ({"role": "user", "content": _MORE_FUNCTIONS},) if self.turn in self.case.added else ()
        self.messages += [*self.case.turns[self.turn], *added]

    def take(self, answer: Answer, checker: Checker) -> None:
        """Write an answer down, execute its calls, and go on to the next turn when there are none."""
        self.answers += 1
        self.unread += bool(answer.unread)
        self.texts.append(answer.text)
        if answer.unread or not answer.calls:
            self.messages.append({"role": "assistant", "content": answer.text})
            self.begin_turn()
            return
        if len(self.steps[-1]) == MAX_STEPS:
            self.failed = f"more than {MAX_STEPS} answers with calls in turn {self.turn}"
            self.over = True
            return
        self.steps[-1].append([{name: arguments} for name, arguments in answer.calls])
        named = [(f"call_{len(self.messages)}_{place}", *call) for place, call in enumerate(answer.calls)]
        self.messages.append(
            {
                "role": "assistant",
                "content": answer.text,
                "tool_calls": [
                    {"id": name_of, "type": "function", "function": {"name": name, "arguments": arguments}}
                    for name_of, name, arguments in named
                ],
            }
        )
        offered = {tool["function"]["name"] for tool in self.case.tools(self.turn)}
        for name_of, name, arguments in named:
            line = _write_call(name, arguments, offered)
            result = checker.run_calls(self.case, [line])[0] if line else _refuse_call(name, arguments, offered)
            self.messages.append({"role": "tool", "tool_call_id": name_of, "name": name, "content": result})


def _play_together(cases: Sequence[Case], answerer: Answerer, checker: Checker) -> Iterator[CaseResult]:
    """Play cases side by side: in each round, every case that is not over gets one answer."""
    tables = [_Table(case) for case in cases]
    for table in tables:
        table.begin_turn()
    while running := [table for table in tables if not table.over]:
        questions = [Question(tuple(table.messages), tuple(table.case.tools(table.turn))) for table in running]
        for table, answer in zip(running, answerer.answer(questions), strict=True):
            table.take(answer, checker)
    for table in tables:
        yield _judge_table(table, checker)


def _judge_table(table: _Table, checker: Checker) -> CaseResult:
    case = table.case
    if table.failed:
        verdict = Verdict(valid=False, error_type="multi_turn:force_terminated", error=table.failed)
    else:
        offered = {tool["function"]["name"] for turn in range(len(case.turns)) for tool in case.tools(turn)}
        lines = [
            [
                [
                    line
                    for call in step
                    for name, arguments in call.items()
                    if (line := _write_call(name, arguments, offered))
                ]
                for step in turn
            ]
            for turn in table.steps
        ]
        verdict = checker.check_dialogue(case, lines)
    return CaseResult(
        id=case.id,
        category=case.category,
        valid=verdict.valid,
        error_type=verdict.error_type,
        error=verdict.error,
        calls=table.steps,
        texts=table.texts,
        unread=table.unread,
        answers=table.answers,
    )


def _write_call(name: str, arguments: JSON, offered: set[str]) -> str:
    """Write a call as the benchmark executes it; what is no call of an offered function is never executed."""
    if name not in offered or not all(key.isidentifier() and not keyword.iskeyword(key) for key in arguments):
        return ""
    return f"{name}({', '.join(f'{key}={value!r}' for key, value in arguments.items())})"


def _refuse_call(name: str, arguments: JSON, offered: set[str]) -> str:
    if name not in offered:
        return f"Error during execution: name {name!r} is not defined"
    return f"Error during execution: invalid argument names in {sorted(arguments)}"
