"""The ablation: arms are played once, go on where they stopped, and stand beside the paper's figures."""

import json
import shutil
from pathlib import Path

import pytest

from endpoint import Endpoint
from judging import list_keys
from players import Players
from runs import copy_catalog, read_files
from toolflow_graph.ablation import Ablation, list_arms, measure_arms, open_arm, render_ablation
from toolflow_graph.ablation.rendering import list_caveats
from toolflow_graph.cli.app import main
from toolflow_graph.encoder import load_encoder
from toolflow_graph.errors import RunError
from toolflow_graph.evaluation import EvaluationSettings, Measure
from toolflow_graph.runner import generate, read_manifest
from toolflow_graph.settings import parse_settings
from toolflow_graph.types import METHODS

SCRIPTED = ["toolflow", "no-graph", "no-plan", "no-graph-no-plan"]
DIALOGUES = 12


@pytest.fixture(scope="module")
def options(catalog):
    return ["--dialogues", str(DIALOGUES), "--seed", "3", "--catalog", catalog]


def ablate(*arguments):
    with pytest.raises(SystemExit) as left:
        main(["ablate", *map(str, arguments)])
    return left.value.code


@pytest.fixture(scope="module")
def played(tmp_path_factory, options):
    """The folder of an ablation by rules."""
    out = tmp_path_factory.mktemp("ablation")
    assert ablate(*options, "--out", out, "--quiet") == 0
    return out


@pytest.fixture(scope="module")
def found(played):
    return Ablation.model_validate_json((played / "ablation.json").read_bytes())


def test_arms_are_runs_with_one_seed(played):
    manifests = {method: read_manifest(played / method) for method in SCRIPTED}
    assert [manifest.settings.method for manifest in manifests.values()] == SCRIPTED
    assert {(manifest.seed, manifest.counts.accepted) for manifest in manifests.values()} == {(3, DIALOGUES)}
    assert sorted(path.name for path in played.iterdir() if path.is_dir()) == sorted(SCRIPTED)


def test_one_request_arms_take_a_model(tmp_path):
    assert [arm.method for arm in list_arms(parse_settings({}), tmp_path)] == SCRIPTED
    with_model = list_arms(parse_settings({"models": {"model": "m"}}), tmp_path)
    assert [arm.method for arm in with_model] == [*SCRIPTED, "direct", "cot"]
    assert {arm.folder for arm in with_model} == {tmp_path / arm.method for arm in with_model}


@pytest.mark.parametrize(
    ("key", "part", "arm", "scale"), [("h", "graph", 1, 1), ("d3", "graph", 1, 1), ("ss", "plan", 2, 1)]
)
def test_contrast_is_what_the_part_adds(found, key, part, arm, scale):
    contrast = next(one for one in found.contrasts if one.key == key)
    full, without = found.evaluations[0][key].value, found.evaluations[arm][key].value
    assert (contrast.part, found.evaluations[arm].source) == (part, f"no-{part}")
    assert (contrast.full, contrast.without) == (full * scale, without * scale)
    assert contrast.low <= contrast.value <= contrast.high
    if not contrast.note:  # else H and D-3 are compared on equally many words
        assert contrast.value == pytest.approx(contrast.full - contrast.without)
    assert contrast.beyond_chance == (contrast.p < 0.05)
    assert contrast.caveat


def test_papers_table(found):
    figures = {one.key: (one.paper_without, one.paper_full) for one in found.contrasts}
    assert figures == {
        "h": (9.82, 10.36),
        "d3": (0.3393, 0.4865),
        "ss": (58.65, 63.36),
        "enr": (35.4, 47.3),
        "coh": (3.66, 3.91),
    }


def test_what_was_not_measured_says_why(found, played):
    unmeasured = {one.key: one for one in found.contrasts if one.full is None}
    assert unmeasured.keys() == {"enr", "coh"}
    assert all(one.note and one.value is None for one in unmeasured.values())
    told = list_caveats(found.contrasts)
    assert any("drawn apart from one another" in line for line in told)
    assert all(line in (played / "ablation.md").read_text(encoding="utf-8") for line in told)


class _Entails:
    """An NLI backend that finds entailed what repeats a word of five letters or more."""

    name = "words"

    def find_entailed(self, pairs, on_progress=None):  # noqa: ARG002
        return [bool({w for w in p.split() if len(w) > 4} & set(h.split())) for p, h in pairs]


def test_entailment_in_percent(catalog, played):
    settings = parse_settings({"catalog": catalog, "dialogues": DIALOGUES, "seed": 3})
    arms = list_arms(settings, played)
    measured = measure_arms(arms, encoder=load_encoder(), nli=_Entails(), settings=EvaluationSettings(seed=3))
    contrast = next(one for one in measured.contrasts if one.key == "enr")
    assert contrast.full == pytest.approx(100 * measured.evaluations[0]["enr"].value)
    assert contrast.value == pytest.approx(contrast.full - contrast.without)


def test_coherence_by_a_judge_is_compared(played, catalog):
    """The judge likes the whole method better; what it says stands where the paper has COH."""

    def judge(evaluation, dialogues):
        points = {"toolflow": 4.0, "no-plan": 3.0}.get(evaluation.source, 3.5)
        assert len(list(dialogues)) == evaluation.dialogues
        measure = Measure(
            key="coh", label="COH", family="judge", value=points, low=points - 0.1, high=points + 0.1, unit="points"
        )
        return evaluation.with_measures([measure])

    run = parse_settings({"dialogues": DIALOGUES, "seed": 3, "catalog": catalog})
    found = measure_arms(list_arms(run, played), encoder=None, judge=judge, settings=EvaluationSettings())
    contrast = next(one for one in found.contrasts if one.key == "coh")
    assert (contrast.without, contrast.full) == (3.0, 4.0)
    assert contrast.note != "not measured: takes a judge (--judge)"


@pytest.mark.slow
def test_all_arms_by_models_and_judged_by_one(tmp_path, catalog):
    """Six runs, EnR and COH over HTTP; what was played and judged is not asked for again."""
    given = tmp_path / "settings.json"
    mix = [{"share": 1, "patterns": patterns} for patterns in (["single"], ["single", "missing_parameter"])]
    values = {"catalog": catalog, "mix": mix, "tools": 12, "max_attempts": 1}
    given.write_text(json.dumps(values), encoding="utf-8")

    def cast(seed):
        runs = {"cast": "llm", "dialogues": 2, "seed": seed, **values}
        return {method: Players(parse_settings({**runs, "method": method})) for method in METHODS}

    seed = next(seed for seed in range(30) if all(one.can_play() for one in cast(seed).values()))
    players = cast(seed)
    out, asked = tmp_path / "out", []

    def answer(request):
        head = request["messages"][0]["content"]
        if "natural language inference" in head:
            asked.append("nli")
            return {"value": {"label": ("entailment", "neutral")[len(request["messages"][1]["content"]) % 2]}}
        if head.startswith("You judge dialogues"):
            asked.append("judge")
            points = 5 if "tool_calls" in request["messages"][1]["content"] else 3
            return {"value": {key: {"reason": "So.", "message": None, "score": points} for key in list_keys(request)}}
        playing = [method for method in METHODS if (out / method).exists()][-1]  # arms are played one by one
        asked.append(playing)
        return players[playing](request)

    with Endpoint(answer) as endpoint:
        options = ["--settings", given, "--dialogues", 2, "--seed", seed, "--out", out, "--quiet"]
        options += ["--model", "test-model", "--base-url", endpoint.base_url]
        judges = ["--judge", "test-model", "--nli-judge", "test-model", "--judge-cache", tmp_path / "verdicts.jsonl"]
        assert ablate(*options, *judges) == 0
        first = (out / "ablation.json").read_bytes()
        before = len(asked)
        assert ablate(*options, *judges) == 0
    assert set(asked) == {"nli", "judge", *METHODS}
    assert asked.count("judge") == 10  # direct and cot write the same two here
    assert asked.count("direct") == asked.count("cot") == 2
    assert len(asked) == before
    assert (out / "ablation.json").read_bytes() == first
    found = Ablation.model_validate_json(first)
    assert [(one.source, one.dialogues) for one in found.evaluations] == [(method, 2) for method in METHODS]
    assert all(0 <= one["enr"].value <= 1 and one["coh"].value in (3, 4, 5) for one in found.evaluations)
    contrasts = {one.key: one for one in found.contrasts}
    assert contrasts["enr"].full == 100 * found.evaluations[0]["enr"].value
    assert contrasts["coh"].full == found.evaluations[0]["coh"].value


def test_judges_alone_leave_the_arms_to_rules(tmp_path, played, options):
    """With an address and a judge, but no model that plays, the arms are those that rules have played."""
    shutil.copytree(played, tmp_path / "out")
    with Endpoint(lambda _: {"value": {"label": "neutral"}}) as endpoint:
        judge = ["--nli-judge", "test-model", "--base-url", endpoint.base_url, "--judge-cache", tmp_path / "v.jsonl"]
        assert ablate(*options, "--out", tmp_path / "out", "--quiet", *judge) == 0
    found = Ablation.model_validate_json((tmp_path / "out" / "ablation.json").read_bytes())
    assert [one["enr"].value for one in found.evaluations] == [0, 0, 0, 0]


def test_markdown_has_tables_and_all_measures(found):
    text = render_ablation(found)
    assert "| H, entropy of the words | graph | 9.82 → 10.36 | +0.54 |" in text
    assert "| D-3, distinct trigrams | graph | 0.3393 → 0.4865 | +0.1472 |" in text
    assert "not measured" in text
    assert text.count("\n# ") + text.startswith("# ") == 1
    assert "## Evaluation" in text


def test_complete_arms_are_not_played_again(played, options, capsys):
    before = {method: read_files(played / method) for method in SCRIPTED}
    times = {path: path.stat().st_mtime_ns for path in played.glob("*/*")}
    capsys.readouterr()
    assert ablate(*options, "--out", played) == 0
    told = capsys.readouterr()
    assert told.err.count("complete already") == 4
    assert "What a part adds" in told.out
    assert "paper" in told.out
    assert {method: read_files(played / method) for method in SCRIPTED} == before
    assert {path: path.stat().st_mtime_ns for path in times} == times


def test_interrupted_arm_goes_on(tmp_path, played, catalog):
    arm = list_arms(
        parse_settings({"catalog": catalog, "dialogues": DIALOGUES, "seed": 3, "concurrency": 2}), tmp_path
    )[1]
    for _ in generate(arm.settings, out=arm.folder):
        break
    assert read_manifest(arm.folder).status == "interrupted"
    run = open_arm(arm)
    assert 0 < run.counts.done < DIALOGUES
    run.close()
    assert ablate("--dialogues", DIALOGUES, "--seed", 3, "--catalog", catalog, "--out", tmp_path, "-q") == 0
    assert read_files(arm.folder) == read_files(played / "no-graph")
    assert open_arm(arm) is None


@pytest.mark.parametrize(
    ("changes", "told"),
    [({"seed": 4}, "holds a run with other settings"), ({"dialogues": 5}, "holds a run with other settings")],
)
def test_folder_of_another_ablation_is_refused(played, catalog, changes, told):
    values = {"catalog": catalog, "dialogues": DIALOGUES, "seed": 3, **changes}
    with pytest.raises(RunError, match=told):
        open_arm(list_arms(parse_settings(values), played)[0])


def test_changed_catalog_is_refused(tmp_path):
    folder = Path(copy_catalog(tmp_path / "tools"))
    (arm, *_) = list_arms(parse_settings({"catalog": str(folder), "dialogues": 2}), tmp_path / "out")
    list(generate(arm.settings, out=arm.folder))
    assert open_arm(arm) is None
    path = next(folder.iterdir())
    changed = json.loads(path.read_text(encoding="utf-8"))
    changed["tools"][0]["function"]["description"] += " Or so."
    path.write_text(json.dumps(changed), encoding="utf-8")
    with pytest.raises(RunError, match="the catalog has changed since"):
        open_arm(arm)


def test_method_is_not_a_setting_of_it(tmp_path, capsys):
    path = tmp_path / "settings.toml"
    path.write_text('method = "no-plan"')
    assert ablate("--settings", path, "--out", tmp_path / "out") == 2
    assert "the arms are all methods" in capsys.readouterr().err


def test_arm_that_falls_short_is_measured_all_the_same(tmp_path, capsys):
    tools = Path(copy_catalog(tmp_path / "tools")) / "weather.json"
    settings = tmp_path / "settings.json"
    mix = [{"share": 2, "patterns": ["single"]}, {"share": 1, "patterns": ["topic_shift", "single"]}]
    settings.write_text(json.dumps({"mix": mix, "tools": 3, "distractors": 0, "max_attempts": 1}), encoding="utf-8")
    options = ["--dialogues", 6, "--catalog", tools, "--settings", settings, "--out", tmp_path / "out"]
    assert ablate(*options) == 0
    assert "4 of 6 dialogues were accepted" in capsys.readouterr().err  # one domain has no other to shift to
    found = Ablation.model_validate_json((tmp_path / "out" / "ablation.json").read_bytes())
    assert [one.dialogues for one in found.evaluations] == [4, 4, 6, 6]
    assert next(one for one in found.contrasts if one.key == "h").beyond_chance is None  # too few to judge by
