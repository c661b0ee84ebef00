"""What a dialogue is made from: tools drawn for its patterns, with the edges between them and what else is offered."""

from collections.abc import Sequence
from dataclasses import replace

from toolflow_graph.agents.roles import Brief, derive_rng
from toolflow_graph.dialogue.stage import Stage
from toolflow_graph.sampling import sample_tools
from toolflow_graph.settings import DialogueSettings, assign_patterns
from toolflow_graph.types import Edge, Pattern, Tool

__all__ = ["count_improvised", "draw_brief", "draw_patterns", "find_brief", "make_brief"]

_OTHERS_NEAR, _OTHERS_FAR = 40, 20


def draw_patterns(settings: DialogueSettings, index: int) -> tuple[Pattern, ...]:
    """Return the patterns that the mix gives to this index, in blocks of a hundred dialogues."""
    block, place = divmod(index, 100)
    return assign_patterns(settings.mix, 100, settings.seed + block)[place]


def count_improvised(settings: DialogueSettings, index: int) -> int:
    """Return how many requests the user of an unplanned dialogue makes up."""
    return derive_rng(settings.seed, index, "improvised").randint(settings.min_requests, settings.max_requests)


def find_brief(
    settings: DialogueSettings, stage: Stage, index: int, patterns: list[str], draws: int
) -> tuple[Brief, list[str]] | None:
    """Draw until the planner can do something with the tools; return them with the patterns that they bear.

    Tools that are drawn without the Tool Graph seldom feed one another. To go on until two of them do would bring the
    graph back in: a request that should build on another one stands alone instead.
    """
    kinds = [patterns]
    if not settings.with_graph and "sequential" in patterns:
        kinds.append(list(dict.fromkeys("single" if pattern == "sequential" else pattern for pattern in patterns)))
    for attempt in range(draws):
        drawn = draw_brief(settings, stage, index, patterns, attempt)
        for kind in kinds:
            brief = replace(drawn, patterns=frozenset(kind))  # type: ignore[arg-type]
            if stage.cast.planner.accepts(brief):
                return brief, kind
    return None


def draw_brief(settings: DialogueSettings, stage: Stage, index: int, patterns: list[str], attempt: int) -> Brief:
    """Draw tools for a dialogue; another attempt draws others."""
    rng = derive_rng(settings.seed, index, "sampler", attempt)
    strategy = settings.strategy if settings.with_graph else "random"
    names = sample_tools(stage.tool_graph, settings.tools, rng, strategy)
    if "topic_shift" in patterns:
        near = {stage.catalog.tools[name].domain for name in names}
        far = [name for name, tool in stage.catalog.tools.items() if tool.domain not in near]
        if not far:  # a catalog without domains: what shares no slot with the drawn tools
            joined = {*names, *(n for name in names for n in stage.tool_graph.neighbours(name))}
            far = [name for name in stage.catalog.tools if name not in joined]
        names += rng.sample(far, min(2, len(far)))
    close = _list_close(settings, stage, names)
    distractors = rng.sample(close, min(settings.distractors, len(close)))
    return make_brief(settings, stage, index, patterns, names, distractors, stage.tool_graph.edges_between(names))


def _list_close(settings: DialogueSettings, stage: Stage, names: Sequence[str]) -> list[str]:
    """Return the tools among which distractors are drawn."""
    if settings.distractors_from == "retriever":
        return _list_alike(stage, names, 2 * settings.distractors)
    if settings.with_graph:
        beside = dict.fromkeys(n for name in names for n in stage.tool_graph.neighbours(name))
    else:
        beside = dict.fromkeys(stage.catalog.tools)
    return [name for name in beside if name not in names]


def _list_alike(stage: Stage, names: Sequence[str], count: int) -> list[str]:
    """Return the tools that are described most like one of the named tools, the most alike first."""
    best: dict[str, float] = {}
    for name in names if count else ():
        for other, cosine in stage.retriever.nearest(name, count + len(names)):
            if other not in names:
                best[other] = max(cosine, best.get(other, cosine))
    return sorted(best, key=lambda name: (-best[name], name))[:count]


def make_brief(
    settings: DialogueSettings,
    stage: Stage,
    index: int,
    patterns: list[str],
    names: list[str],
    distractors: list[str],
    edges: Sequence[Edge],
) -> Brief:
    """Return the brief for tools that were drawn."""
    given = {*names, *distractors}
    others: list[Tool] = []
    if "missing_function" in patterns:
        rng = derive_rng(settings.seed, index, "others", *names)
        domains = {stage.catalog.tools[name].domain for name in names}
        near = [t for t in stage.catalog.tools.values() if t.domain in domains and t.name not in given]
        far = [t for t in stage.catalog.tools.values() if t.domain not in domains]
        others = rng.sample(near, min(_OTHERS_NEAR, len(near))) + rng.sample(far, min(_OTHERS_FAR, len(far)))
    return Brief(
        index=index,
        seed=settings.seed,
        tools={name: stage.catalog.tools[name] for name in names},
        edges=edges,
        distractors=distractors,
        others=others,
        domains=stage.catalog.domains,
        patterns=frozenset(patterns),  # type: ignore[arg-type]
        requests=(settings.min_requests, settings.max_requests),
        planned=settings.with_plan,
        find_tools=stage.find_tools,
    )
