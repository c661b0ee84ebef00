"""The writer as a chat model: the baselines in which one request brings the whole dialogue."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage, ToolMessage

from toolflow_graph.agents.llm.drafts import (
    AssistantLine,
    DialogueDraft,
    ReasonedDraft,
    ToolLine,
    WrittenCall,
    WrittenRequest,
)
from toolflow_graph.agents.llm.setting import Voices, describe_tools, leave_aside, say_day
from toolflow_graph.agents.openai_format import to_openai_messages
from toolflow_graph.agents.place import place_of
from toolflow_graph.agents.roles import Brief, Writing
from toolflow_graph.agents.search_tools import SEARCH_TOOLS
from toolflow_graph.types import Pattern, Tool
from toolflow_graph.validation import validate_dialogue

__all__ = ["LLMWriter", "check_writing", "make_messages"]

Draft = DialogueDraft | ReasonedDraft

_WITHOUT_TOOLS: frozenset[Pattern] = frozenset({"missing_function", "irrelevant", "chitchat"})
_PLAIN: frozenset[Pattern] = frozenset({"single", "sequential"})
_CHECKS = frozenset(
    {"arguments", "empty", "known_tool", "links", "provenance", "repeated_call", "results", "roles"},
)
_MOST_TOLD = 8


class LLMWriter:
    """Writes a dialogue with the planner's model; what breaks a rule that a played turn is held to is sent back."""

    def __init__(self, voices: Voices) -> None:
        """Keep the models."""
        self.voices = voices

    async def write(self, brief: Brief, tools: Sequence[Tool], system: str, *, reasons: bool) -> Writing:
        """Return the dialogue; raises `ModelOutputError` when the model cannot be brought to write a valid one."""
        rng = brief.rng("writer")
        city, now = place_of(brief.seed, brief.index)
        date, time = say_day(now)
        needed = [tool for tool in tools if tool.name not in brief.distractors]
        others = [tool for tool in tools if tool.name in brief.distractors]
        head = self.voices.prompts.fill(
            "writer",
            rng,
            date=date,
            time=time,
            city=city,
            tools=describe_tools(needed, returns=True),
            others=describe_tools(others, returns=False) or "(none)",
        )
        fewest, most = brief.requests
        notes = self.voices.prompts.sections("patterns")
        ask = self.voices.prompts.fill(
            "writer_cot" if reasons else "writer_direct",
            rng,
            fewest=str(max(fewest, len(brief.patterns) - 2, 1)),
            most=str(max(most, len(brief.patterns))),
            wishes="\n".join(f"- {name}: {explain(notes[name])}" for name in sorted(brief.patterns)),
        )
        completion = await self.voices.ask(
            "planner",
            brief.seed,
            brief.index,
            [{"role": "system", "content": head}, {"role": "user", "content": ask}],
            schema=ReasonedDraft if reasons else DialogueDraft,
            check=lambda draft: check_writing(draft, brief, tools, system),
        )
        draft: Draft = completion.value
        aside = leave_aside("writer", completion)
        if isinstance(draft, ReasonedDraft):
            (usage,) = aside.usage
            thought = "\n".join(part for part in (completion.reasoning, draft.reasoning) if part)
            aside = replace(aside, usage=({**usage, "reasoning": thought},))
        ids = {name: f"call_{brief.index}_{place}" for place, name in enumerate(_list_ids(draft))}
        return Writing(make_messages(draft, ids), _list_searched(draft), aside)


def explain(note: str) -> str:
    """Return what a pattern is, without what a plan would say of it."""
    return "; ".join(part for part in note.split("; ") if "`" not in part)


def make_messages(draft: Draft, ids: Mapping[str, str] | None = None) -> list[AnyMessage]:
    """Return a draft as messages, each with its request and the patterns of that; calls get other ids where given."""
    ids = ids or {}
    names = {call.id: call.name for request in draft.requests for call in _list_calls(request)}
    messages: list[AnyMessage] = []
    for number, request in enumerate(draft.requests):
        noted = {"request": number, "patterns": list(dict.fromkeys(request.patterns))}
        for line in request.messages:
            message: AnyMessage
            if isinstance(line, ToolLine):
                failed = "error" in line.result and len(line.result) <= 2
                message = ToolMessage(
                    json.dumps(line.result, ensure_ascii=False),
                    tool_call_id=ids.get(line.call, line.call),
                    name=names.get(line.call, ""),
                    status="error" if failed else "success",
                )
            elif isinstance(line, AssistantLine):
                calls = [
                    {"id": ids.get(c.id, c.id), "name": c.name, "args": c.arguments, "type": "tool_call"}
                    for c in line.calls
                ]
                message = AIMessage(line.text.strip(), tool_calls=calls)
            else:
                message = HumanMessage(line.text.strip())
            messages.append(message.model_copy(update={"additional_kwargs": noted}))
    return messages


def check_writing(draft: Draft, brief: Brief, tools: Sequence[Tool], system: str) -> str | None:
    """Say what is wrong with a written dialogue, its patterns first; None when it will do."""
    given = {pattern for request in draft.requests for pattern in request.patterns}
    missing, extra = sorted(brief.patterns - given), sorted(given - brief.patterns - _PLAIN)
    if missing or extra:
        told = [f"missing: {', '.join(missing)}"] if missing else []
        told += [f"not asked for: {', '.join(extra)}"] if extra else []
        return f"the patterns of the requests together must be {', '.join(sorted(brief.patterns))} ({'; '.join(told)})"
    for number, request in enumerate(draft.requests):
        if problem := _check_request(request):
            return f"request {number}: {problem}"
    searched = _list_searched(draft)
    report = validate_dialogue(
        to_openai_messages([SystemMessage(system), *make_messages(draft)]),
        [tool.to_openai() for tool in tools if tool.name not in searched],
        returns={tool.name: tool.returns for tool in tools},
    )
    places = [
        f"request {number}, message {place}: "
        for number, request in enumerate(draft.requests)
        for place in range(len(request.messages))
    ]
    found = [
        f"{places[finding.message_index - 1] if finding.message_index else ''}{finding.message}"
        for finding in report.errors
        if finding.check in _CHECKS
    ]
    more = f" (and {len(found) - _MOST_TOLD} more)" if len(found) > _MOST_TOLD else ""
    return "; ".join(found[:_MOST_TOLD]) + more or None


def _check_request(request: WrittenRequest) -> str | None:
    calls = [call for call in _list_calls(request) if call.name != SEARCH_TOOLS.name]
    quiet = _WITHOUT_TOOLS & set(request.patterns)
    if quiet and calls:
        return f"a {min(quiet)} request calls nothing, but {calls[0].name!r} is called"
    if not quiet and not calls:
        return f"its patterns ({', '.join(request.patterns)}) need a call"
    return None


def _list_calls(request: WrittenRequest) -> list[WrittenCall]:
    return [call for line in request.messages if isinstance(line, AssistantLine) for call in line.calls]


def _list_ids(draft: Draft) -> list[str]:
    return [call.id for request in draft.requests for call in _list_calls(request)]


def _list_searched(draft: Draft) -> frozenset[str]:
    """Return the tools that are called where they have to be searched for first."""
    return frozenset(
        call.name
        for request in draft.requests
        if "search_tools" in request.patterns
        for call in _list_calls(request)
        if call.name != SEARCH_TOOLS.name
    )
