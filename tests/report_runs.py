"""Small runs for the tests of reports, made by hand: with plans, origins, findings, costs, and hostile texts."""

import json

from good_dialogues import GOOD
from toolflow_graph.dataset import encode_record
from toolflow_graph.evaluation import Bin, Distribution, Evaluation, Example, Measure
from toolflow_graph.runner import Manifest
from toolflow_graph.runner.costs import Costs, Share, Spent
from toolflow_graph.runner.manifest import CatalogNote, Counts
from toolflow_graph.settings import RunSettings
from toolflow_graph.types import DialogueRecord, Edge, Finding, Provenance

HOSTILE = (
    "</script><img src=x onerror=document.title='broken'><!-- <script>document.title='broken'</script> ]]> & &amp; "
    "\" ' ` ${1} $title \u2028 \x00 \x1b[31m \u202e </title></style>"
)
MIX = [{"share": 2, "patterns": ["sequential"]}, {"share": 1, "patterns": ["single", "chitchat"]}]
EDGES = (
    Edge(
        kind="P-R",
        source="search_trains",
        target="reserve_train_seat",
        source_slot="trains.train_id",
        target_slot="train_id",
        cosine=0.93,
    ),
    Edge(
        kind="P-P",
        source="search_trains",
        target="reserve_train_seat",
        source_slot="travel_date",
        target_slot="travel_date",
        cosine=1.0,
    ),
)
ERROR = Finding(check="provenance", message="'TER1' comes from nowhere", message_index=2)
WARNING = Finding(check="repetition", message="it opens alike", severity="warning")


def make_record(index, name="trip", *, findings=(), patterns=("sequential",), seed=7):
    """A dialogue of good_dialogues.py as a run holds it; in `trip`, the seat's train comes from the search."""
    good = GOOD[name]()
    provenance = (
        Provenance(call_id="call_1", path="destination", source="user", message=1),
        Provenance(call_id="call_2", path="train_id", source="result", message=3),
        Provenance(call_id="call_2", path="seat_preference", source="none"),
    )
    return DialogueRecord(
        id=f"s{seed}-{index:06d}",
        messages=good.messages,
        tools=good.tools,
        index=index,
        seed=seed,
        patterns=patterns,
        plan=good.plan,
        edges=EDGES if name == "trip" else (),
        turns=tuple(good.labels),
        provenance=provenance if name == "trip" else (),
        findings=findings,
        models={"assistant": "some-model"},
        attempts=({"agent": "assistant", "problem": "no such tool", "text": "call_me"},),
    )


def make_manifest(*, accepted, rejected, **settings):
    spent = Spent(requests=10, prompt=1000, cached=800, completion=100, cost=0.5)
    costs = Costs(
        total=spent,
        roles={"planner": spent},
        models={"some-model": spent},
        per_dialogue=Share(requests=2.5, prompt=250, cached=200, completion=25, cost=0.125),
        per_accepted=None,
        estimated=0.0,
        refused=1,
        unpriced=0,
        without_price=(),
    )
    chosen = RunSettings.model_validate({"dialogues": 3, "seed": 7, "mix": MIX, **settings})
    return Manifest(
        status="complete",
        started="2026-06-01T10:00:00Z",
        finished="2026-06-01T10:01:00Z",
        seconds=60.0,
        seed=chosen.seed,
        counts=Counts(planned=chosen.dialogues, accepted=accepted, rejected=rejected),
        costs=costs,
        catalog=CatalogNote(path="mcp:not started for a report", tools=5, sha256=""),
        encoder=chosen.encoder,
        edges="paper",
        prompts_sha256="",
        cast="scripted",
        settings=chosen,
        settings_sha256="",
        versions={"toolflow-graph": "0.1.0"},
    )


def write_run(folder, accepted, rejected=(), **settings):
    folder.mkdir(parents=True)
    (folder / "dialogues.jsonl").write_bytes(b"".join(map(encode_record, accepted)))
    (folder / "rejected.jsonl").write_bytes(b"".join(map(encode_record, rejected)))
    make_manifest(accepted=len(accepted), rejected=len(rejected), **settings).write(folder)
    return folder


def write_good_run(folder, seed=7):
    """Three accepted dialogues as wanted, one of them with a warning, and a rejected one."""
    return write_run(
        folder,
        [
            make_record(0, seed=seed),
            make_record(1, "order", seed=seed),
            make_record(2, "budget", patterns=("single", "chitchat"), findings=(WARNING,), seed=seed),
        ],
        [make_record(3, findings=(ERROR,), seed=seed)],
        seed=seed,
    )


def write_foreign(path, rows=3, text="Hello there"):
    good = GOOD["foreign"]()
    messages = [{"role": "user", "content": text}, *good.messages[1:]]
    row = json.dumps({"messages": messages, "tools": good.tools})
    path.write_text(f"{row}\n" * rows, encoding="utf-8")
    return path


def write_hostile_run(folder):
    """Whatever can hold a text holds a hostile one."""
    good = make_record(0)
    calls = {
        "id": HOSTILE,
        "type": "function",
        "function": {"name": HOSTILE, "arguments": json.dumps({HOSTILE: HOSTILE})},
    }
    messages = [
        {"role": "system", "content": HOSTILE},
        {"role": "user", "content": HOSTILE, "name": HOSTILE},
        {"role": "assistant", "content": HOSTILE, "tool_calls": [calls, {**calls, "id": "b"}]},
        {"role": "tool", "tool_call_id": HOSTILE, "name": HOSTILE, "content": json.dumps({"error": HOSTILE})},
        {"role": "tool", "tool_call_id": "b", "name": HOSTILE, "content": HOSTILE},
        {"role": HOSTILE, "content": HOSTILE},
    ]
    plan = good.plan.model_dump()
    plan["scenario"] |= {"persona": HOSTILE, "situation": HOSTILE, "goal": HOSTILE}
    plan["requests"] = [{**plan["requests"][0], "intent": HOSTILE, "tools": [HOSTILE], "known": {HOSTILE: HOSTILE}}]
    tool = {"name": HOSTILE, "description": HOSTILE, "parameters": {"properties": {HOSTILE: {"description": HOSTILE}}}}
    edge = {"source": HOSTILE, "target": "__proto__", "source_slot": HOSTILE, "target_slot": HOSTILE}
    record = good.model_dump(mode="json") | {
        "id": HOSTILE,
        "messages": messages,
        "tools": [{"type": "function", "function": tool}],
        "plan": plan,
        "edges": [{**good.edges[0].model_dump(), **edge}],
        "turns": [],
        "provenance": [{"call_id": HOSTILE, "path": HOSTILE, "source": "user", "message": 1}],
        "findings": [{"check": HOSTILE, "message": HOSTILE, "message_index": 1, "severity": "warning"}],
        "models": {HOSTILE: HOSTILE},
        "attempts": [{"agent": HOSTILE, "problem": HOSTILE, "text": HOSTILE}],
        "distractors": [HOSTILE],
    }
    write_run(folder, [good])
    (folder / "dialogues.jsonl").write_bytes(encode_record(DialogueRecord.model_validate(record)))
    return folder


def make_evaluation(source="run", *, shift=0.0, words="share of turns"):
    def measure(key, family, value, unit, better=None, note=""):
        ends = {} if value is None else {"low": value * 0.9, "high": value * 1.1}
        return Measure(key=key, label=words, family=family, value=value, unit=unit, better=better, note=note, **ends)

    return Evaluation(
        source=source,
        dialogues=3,
        measures=(
            measure("turns_with_calls", "structure", 0.5 + shift, "share"),
            measure("enr", "coherence", None, "share", "higher", "no NLI backend"),
            measure("h", "diversity", 9.4 + shift, "bits", "higher"),
        ),
        distributions=(
            Distribution(key="turns", label="user turns", bins=(Bin(label="1", count=2), Bin(label="2", count=1))),
            Distribution(key="patterns", label=words, bins=(Bin(label="single", count=1, expected=2.0),)),
        ),
        worst={"h": (Example(dialogue="s7-000001", line=2, message=1, excerpt=words, score=1.0),)},
        settings={"seed": 0},
    )
