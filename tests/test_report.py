"""The report on runs: complete, the same every time, safe whatever the dialogues hold, and asking nobody."""

import base64
import gzip
import json
import re

import pytest

from browser import BROWSER, Page
from report_runs import (
    ERROR,
    HOSTILE,
    make_evaluation,
    make_record,
    write_foreign,
    write_good_run,
    write_hostile_run,
    write_run,
)
from toolflow_graph.cli.app import main
from toolflow_graph.dataset import open_dialogues
from toolflow_graph.errors import DatasetError
from toolflow_graph.evaluation import Comparison, Difference, analyse_dialogues, compare_analyses
from toolflow_graph.report import gather_run, render_report
from toolflow_graph.report.comparison import lay_measures
from toolflow_graph.report.packing import Packer, pack_json

needs_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium found; install `chromium` to run this")


def render(*runs, comparisons=()):
    return b"".join(render_report(runs, comparisons)).decode()


def unpack(text):
    return json.loads(gzip.decompress(base64.b64decode(text)))


def read_data(page):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1])


def read_pack(page, name, run=0):
    return unpack(re.search(rf'id="pack-{run}-{name}">([^<]*)<', page)[1])


@pytest.fixture
def run(tmp_path):
    return write_good_run(tmp_path / "good")


def test_everything_of_a_dialogue_is_in_but_the_agenda(run):
    page = render(gather_run(run))
    index, tools, dialogues = read_pack(page, "index"), read_pack(page, "tools"), read_pack(page, "0")
    stored = [*open_dialogues(run), *open_dialogues(run, rejected=True)]
    assert index["ids"] == [dialogue.id for dialogue in stored]
    assert index["accepted"] == [1, 1, 1, 0]
    for dialogue, packed in zip(stored, dialogues, strict=True):
        assert packed["messages"] == dialogue.messages
        assert [tools[number] for number in packed["tools"]] == dialogue.tools
        record = dialogue.record.model_dump(mode="json", exclude_defaults=True)
        assert packed["plan"]["requests"]
        assert "outline" not in packed["plan"]
        for field in ("turns", "provenance", "edges", "findings", "attempts"):
            assert packed.get(field) == record.get(field)
    assert len(tools) < sum(len(dialogue.tools) for dialogue in stored)


def test_summary_says_what_was_asked_and_what_came(run):
    told = gather_run(run).told
    assert told["verdict"] == {
        "good": True,
        "text": "3 of 3 wanted dialogues accepted; 1 rejected (25.0 % of all that were played); every kind of dialogue "
        "as often as it was wanted.",
    }
    assert told["mix"] == [
        {"patterns": ("sequential",), "wanted": 2, "accepted": 2, "rejected": 1},
        {"patterns": ("single", "chitchat"), "wanted": 1, "accepted": 1, "rejected": 0},
    ]
    errors, warnings = told["found"]
    assert (errors["check"], errors["errors"], errors["rejected"]) == ("provenance", 1, 1)
    assert errors["examples"] == [(3, "error", ERROR.message)]
    assert (warnings["check"], warnings["warnings"], warnings["rejected"]) == ("repetition", 1, 0)
    assert told["manifest"]["costs"]["total"]["cost"] == 0.5
    assert set(told["manifest"]["changed"]) == {"dialogues", "mix", "seed"}
    assert "key_env" not in json.dumps(told["manifest"])


@pytest.mark.parametrize(
    ("patterns", "status", "said"),
    [
        (("irrelevant",), "complete", "3 of other kinds than were wanted"),
        (("sequential",), "interrupted", "1 of other kinds than were wanted; the run was interrupted"),
    ],
    ids=["other-kinds", "interrupted"],
)
def test_verdict_is_not_good_when_something_is_missing(tmp_path, patterns, status, said):
    folder = write_run(tmp_path / "run", [make_record(n, patterns=patterns) for n in range(3)])
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"status": status}))
    verdict = gather_run(folder).told["verdict"]
    assert verdict["good"] is False
    assert said in verdict["text"]


def test_foreign_dialogues_say_what_is_not_known(tmp_path):
    gathered = gather_run(write_foreign(tmp_path / "theirs.jsonl"))
    assert gathered.told["manifest"] is None
    assert gathered.told["mix"] == []
    assert gathered.graph is None
    assert [text.split(":")[0] for text in gathered.told["absent"]] == [
        "No manifest",
        "No Tool Graph",
        "No plan stands beside the dialogues",
    ]
    spread = {one["key"]: one["bins"] for one in gathered.told["distributions"]}
    assert spread["turns"] == [{"label": "2", "count": 3.0, "expected": None}]
    assert spread["tools_used"] == [{"label": "get_weather", "count": 3.0, "expected": None}]


def test_unreadable_manifest_is_told(run):
    (run / "manifest.json").write_text('{"format": 99}')
    gathered = gather_run(run)
    assert gathered.told["manifest"] is None
    assert "The manifest cannot be read: " in gathered.told["absent"][0]


def test_run_without_any_dialogue_is_reported(tmp_path):
    told = gather_run(write_run(tmp_path / "run", []), lambda *_: pytest.fail("nothing to measure")).told
    assert told["verdict"]["text"].startswith("0 of 3 wanted dialogues accepted")
    assert told["distributions"] == []


def test_empty_file_is_an_error(tmp_path):
    (tmp_path / "empty.jsonl").write_text("")
    with pytest.raises(DatasetError, match="no dialogue in it; name a run's folder or a file"):
        gather_run(tmp_path / "empty.jsonl")


def test_page_holds_the_first_dialogues_and_figures_count_all(run):
    gathered = gather_run(run, shown=2)
    assert gathered.packed.dialogues == 2
    assert gathered.told["counts"]["accepted"] == 3
    assert gathered.told["absent"][-1] == "Only the first 2 dialogues are on this page; the figures count all."


def test_dialogues_are_read_once_and_measured_by_the_way(run):
    def analyse(dialogues, manifest):
        assert manifest.settings.dialogues == 3
        return analyse_dialogues("run", dialogues, quota={"single": 1.0})

    seen = []
    gathered = gather_run(run, analyse, on_dialogue=lambda: seen.append(1))
    assert len(seen) == 4
    assert gathered.analysis.evaluation.dialogues == 3
    assert "turns_per_dialogue" in {row["key"] for row in lay_measures([gathered.evaluation], [])}
    twice = compare_analyses([gathered.analysis, gathered.analysis])
    page = read_data(render(gathered, gathered, comparisons=twice))
    assert [run["name"] for run in page["runs"]] == ["good (1)", "good (2)"]
    assert all(len(row["values"]) == 2 for row in page["measures"])


def test_measures_stand_side_by_side():
    difference = Difference(key="h", label="", value=0.4, p=0.01, beyond_chance=True)
    other = Comparison(baseline="a", source="b", differences=(difference,))
    rows = {row["key"]: row for row in lay_measures([make_evaluation(), make_evaluation(shift=0.4)], [other])}
    assert rows["h"]["values"][0]["told"] == "9.40"
    assert rows["h"]["differences"] == [{"told": "+0.40", "beyond": True, "better": True, "note": ""}]
    assert rows["enr"]["values"][0]["value"] is None
    assert rows["enr"]["values"][0]["note"] == "no NLI backend"
    assert rows["turns_with_calls"]["values"][1]["interval"] == "[81.0, 99.0 %]"
    assert rows["turns_with_calls"]["differences"] == [None]


def test_graph_of_the_run_shows_its_tools_and_edges(run):
    page = render(gather_run(run))
    data = read_data(read_pack(page, "graph"))
    names = [tool["name"] for tool in data["tools"]]
    kinds = {(kind, names[source], names[target]) for kind, source, target, *_ in data["edges"]}
    assert kinds == {
        ("P-R", "search_trains", "reserve_train_seat"),
        ("P-P", "reserve_train_seat", "search_trains"),
    }
    for kind, source, target, evidence, _ in data["edges"]:
        (give, take, cosine), *_ = evidence
        one, other = data["tools"][source], data["tools"][target]
        slots = one["gives" if kind == "P-R" else "takes"][give][0], other["takes"][take][0]
        assert (*slots, cosine) in {("trains.train_id", "train_id", 0.93), ("travel_date", "travel_date", 1.0)}
    assert "5 edges" not in data["facts"]
    assert "2 edges between tools that were drawn together" in data["facts"]


def test_same_run_same_bytes(run):
    assert render(gather_run(run)) == render(gather_run(run))


def test_what_json_cannot_hold_is_packed_all_the_same(tmp_path):
    assert unpack(pack_json({"a": [float("nan"), float("inf")], "b": "\ud800"})) == {"a": ["nan", "inf"], "b": "\ud800"}
    path = tmp_path / "odd.jsonl"
    content = [{"type": "text", "text": "first"}, {"type": "image_url"}, None, "second"]
    row = {"messages": [{"role": "user", "content": content}, {"role": "assistant"}], "tools": [{"a": float("nan")}]}
    path.write_text(json.dumps(row) + "\n")
    packer = Packer()
    for dialogue in open_dialogues(path):
        packer.add(dialogue, accepted=True)
    assert unpack(packer.finish().index)["titles"] == ["first second"]


def test_page_names_no_other_resource(run):
    page = render(gather_run(run, make_evaluation()))
    markup = re.sub(r"(?s)<(script|style)\b[^>]*>.*?</\1>", "", page)
    links = re.findall(r"""(?i)\b(?:src|href|action|srcset)\s*=\s*["']?([^"'\s>]*)""", markup)
    assert set(links) == {"data:,", "#/report", "#/dialogues", "#/graph"}
    style = re.search(r"(?s)<style>(.*?)</style>", page)[1]
    assert "url(" not in style
    assert "@import" not in style
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert "http" not in policy


def test_page_carries_the_licences_of_its_libraries(run):
    page = render(gather_run(run))
    for words in ("Mike Bostock", "Observable, Inc.", "Robert Penner", "Mikola Lysenko"):
        assert words in page


def test_hostile_texts_stay_texts(tmp_path, run):
    hostile = gather_run(write_hostile_run(tmp_path / "hostile"), make_evaluation(words=HOSTILE))
    page, harmless = render(hostile), render(gather_run(run, make_evaluation()))
    for opening in ("<script", "</script", "<!--", "<img", "</title", "</style"):
        assert page.lower().count(opening) == harmless.lower().count(opening)
    assert read_pack(page, "0")[0]["messages"][0]["content"] == HOSTILE
    assert read_data(page)["measures"][0]["label"] == HOSTILE


def toolflow(*arguments):
    with pytest.raises(SystemExit) as end:
        main(list(map(str, arguments)))
    return end.value.code


def test_command_writes_the_page(run, tmp_path, capsys):
    out = tmp_path / "new" / "report.html"
    assert toolflow("report", run, "--no-evaluate", "--out", out) == 0
    size = out.stat().st_size
    assert capsys.readouterr().out == f"written to {out}: 4 dialogues, {size / 1e3:.0f} kB\n"
    assert "<title>Report: good</title>" in out.read_text(encoding="utf-8")
    assert toolflow("report", run, "--no-evaluate", "--out", out) == 1
    assert "is there already; give --force" in capsys.readouterr().err
    assert toolflow("report", run, run, "--no-evaluate", "--out", out, "--force") == 0
    assert "<title>Report: good (1) and good (2)</title>" in out.read_text(encoding="utf-8")


def test_command_reads_an_evaluation(run, tmp_path, capsys):
    evaluation, out = tmp_path / "evaluation.json", tmp_path / "report.html"
    content = {"evaluations": [make_evaluation().model_dump(mode="json")], "comparisons": []}
    evaluation.write_text(json.dumps(content))
    assert toolflow("report", run, "--evaluation", evaluation, "--out", out) == 0
    assert [row["key"] for row in read_data(out.read_text())["measures"]] == ["turns_with_calls", "enr", "h"]
    assert toolflow("report", run, run, "--evaluation", evaluation, "--out", out, "--force") == 1
    assert "holds 1 evaluations for 2 RUNs; write it anew by `toolflow evaluate" in capsys.readouterr().err
    evaluation.write_text("[1]")
    assert toolflow("report", run, "--evaluation", evaluation, "--out", out, "--force") == 1
    assert "not what `toolflow evaluate RUN… --json evaluation.json` writes" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["missing"], 1, "missing"),
        (["a", "b", "c", "d", "e"], 2, "5 given, at most 4 stand side by side"),
    ],
    ids=["missing", "too-many"],
)
def test_command_says_what_is_wrong(arguments, code, said, tmp_path, capsys):
    assert toolflow("report", *arguments, "--no-evaluate", "--out", tmp_path / "r.html") == code
    assert said in capsys.readouterr().err
    assert not (tmp_path / "r.html").exists()


def opened(tmp_path, *runs, comparisons=(), **options):
    path = tmp_path / "report.html"
    path.write_text(render(*runs, comparisons=comparisons), encoding="utf-8")
    page = Page(path, **options)
    page.wait("document.documentElement.dataset.ready === 'yes'")
    return page


def check_clean(page, tmp_path):
    assert page.problems == []
    assert page.requests == [(tmp_path / "report.html").as_uri()]


SHOWN = "[...document.querySelectorAll('.row .id')].map((row) => row.textContent)"
OPEN_ID = "document.querySelector('#dialogue h2')?.textContent"


@needs_browser
@pytest.mark.slow
def test_report_is_drawn_and_leads_to_the_dialogues(run, tmp_path):
    with opened(tmp_path, gather_run(run, make_evaluation())) as page:
        sections = page.run("[...document.querySelectorAll('#sections h2')].map((title) => title.textContent)")
        assert sections == [
            "Summary",
            "Mix against quota",
            "How it is spread",
            "How far back facts reach",
            "Measures",
            "Findings",
            "Cost",
        ]
        assert "arguments with a fact of an earlier turn" in page.run("element('section-reach').textContent")
        assert page.run("document.querySelectorAll('#section-reach svg').length") == 1
        assert "3 of 3 wanted dialogues accepted" in page.run("element('section-summary').textContent")
        assert "sequential 2 accepted, 2 wanted, 1 rejected on the way" in page.run(
            "element('section-mix').querySelector('svg').getAttribute('aria-label')"
        )
        assert page.run("document.querySelectorAll('#section-spread svg').length") == 2
        assert "not measured" in page.run("element('section-measures').textContent")
        assert page.run("document.querySelectorAll('#section-measures svg').length") == 1
        assert page.run("element('section-costs').textContent.includes('planner')")
        bar = page.run(
            "(() => { const bar = document.querySelector('#section-mix [aria-label=bar] rect'); "
            "bar.scrollIntoView({ block: 'center' }); "
            "const box = bar.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        page._call("Input.dispatchMouseEvent", type="mouseMoved", x=bar[0], y=bar[1])
        page.wait("document.querySelector('#section-mix [aria-label=tip] text')?.textContent.includes('2 accepted')")
        page.run("element('section-findings').querySelector('button').click()")
        page.wait(f"{OPEN_ID} === 's7-000003'")
        assert page.run(SHOWN) == ["s7-000003"]
        assert page.run("document.querySelector('#dialogue .finding').textContent") == f"provenance: {ERROR.message}"
        check_clean(page, tmp_path)


@needs_browser
@pytest.mark.slow
def test_filters_search_and_keys(run, tmp_path):
    with opened(tmp_path, gather_run(run), fragment="/dialogues") as page:
        page.wait(f"{OPEN_ID} === 's7-000000'")
        assert page.run(SHOWN) == ["s7-000000", "s7-000001", "s7-000002", "s7-000003"]
        choose = (
            "(() => {{ const box = element('filter-{0}'); box.value = '{1}'; "
            "box.dispatchEvent(new Event('change')); }})()"
        )
        for key, value, left in (
            ("pattern", "tool_error", ["s7-000000", "s7-000001", "s7-000003"]),
            ("outcome", "accepted", ["s7-000000", "s7-000001"]),
            ("tool", "return_item", ["s7-000001"]),
        ):
            page.run(choose.format(key, value))
            assert page.run(SHOWN) == left
        assert page.run("element('found').textContent") == "1 of 4 dialogues"
        page.press("x")
        assert len(page.run(SHOWN)) == 4
        page.run(choose.format("check", "=repetition"))
        assert page.run(SHOWN) == ["s7-000002"]
        page.press("x")
        for key, identity in (("j", 1), ("ArrowDown", 2), ("k", 1)):
            page.press(key)
            page.wait(f"{OPEN_ID} === 's7-00000{identity}'")
        page.press("/")
        assert page.run("document.activeElement.id") == "search"
        page.type("DESK lamp")
        page.wait(f"JSON.stringify({SHOWN}) === '[\"s7-000001\"]'")
        assert page.run("CSS.highlights.get('found').size") > 1
        page.run("element('search').select()")
        page.type('"lamp desk"')
        page.wait(f"{SHOWN}.length === 0")
        assert "No dialogue fits" in page.run("element('list').textContent")
        page.press("Escape")
        assert page.run("document.activeElement.id") == "list"
        page.press("?")
        assert page.run("element('help').open")
        check_clean(page, tmp_path)


@needs_browser
@pytest.mark.slow
def test_arguments_show_where_they_came_from(run, tmp_path):
    with opened(tmp_path, gather_run(run), fragment="s7-000000") as page:
        page.wait(f"{OPEN_ID} === 's7-000000'")
        traced = "[...document.querySelectorAll('#dialogue .signature .traced')]"
        assert page.run(f"{traced}.map((one) => one.textContent)") == ["Geneva", "TER96560", "window"]
        page.run(f"{traced}[0].focus()")
        assert page.run("document.querySelector('.message.origin').dataset.message") == "1"
        assert page.run("[...CSS.highlights.get('origin')].map(String)") == ["Geneva"]
        assert page.run("element('traced').textContent") == "Geneva: from the user's words, message 1"
        page.run(f"{traced}[1].focus()")
        assert page.run("document.querySelector('.call.origin .tool').textContent") == "search_trains"
        page.press("e")
        page.wait("document.querySelector('#dialogue .result[data-message=\"3\"]') !== null")
        inside = "[...document.querySelectorAll('#dialogue .json .traced')]"
        page.wait(f"{inside}.length === 3")
        page.run(f"{inside}[1].focus()")
        assert page.run("document.querySelector('.result.origin').dataset.message") == "3"
        assert page.run("[...CSS.highlights.get('origin')].map(String)") == ["TER96560"]
        assert page.run(f"{inside}[2].classList.contains('from-none')")
        page.run("document.activeElement.blur()")
        assert page.run("document.querySelectorAll('.origin').length") == 0
        page.run("document.querySelector('.requests li:nth-child(2)').focus()")
        addressed = "[...document.querySelectorAll('.addressed')].map((one) => one.dataset.message).filter(Boolean)"
        assert page.run(addressed) == ["15"]
        told = page.run("element('plan').textContent")
        assert "find an early train and reserve it" in told
        assert "search_trains.trains.train_id" in told
        assert "some-model" in told
        assert "no such tool" in told
        check_clean(page, tmp_path)


@needs_browser
@pytest.mark.slow
def test_hostile_texts_are_shown_as_they_are(tmp_path):
    hostile = gather_run(write_hostile_run(tmp_path / "hostile"), make_evaluation(words=HOSTILE))
    with opened(tmp_path, hostile, fragment="/dialogues") as page:
        page.wait(f"{OPEN_ID} !== undefined")
        page.press("e")
        page.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        page.wait("document.querySelectorAll('#dialogue .json').length > 2")
        assert "onerror=document.title='broken'" in page.run("document.querySelector('#dialogue .said').textContent")
        assert "onerror=document.title='broken'" in page.run("element('plan').textContent")
        page.run("goTo('/graph')")
        page.wait(
            "document.querySelector('iframe')?.contentDocument?.getElementById('title')?.textContent === 'hostile'"
        )
        assert page.run("document.images.length") == 0
        assert page.run("document.querySelector('iframe').contentDocument.images.length") == 0
        assert page.run("document.title") == "Report: hostile"
        check_clean(page, tmp_path)


@needs_browser
@pytest.mark.slow
def test_dark_page_and_its_graph(run, tmp_path):
    with opened(tmp_path, gather_run(run), dark=True, fragment="/graph") as page:
        assert page.run("document.documentElement.dataset.theme") == "dark"
        inner = "document.querySelector('iframe')?.contentDocument"
        page.wait(f"{inner}?.documentElement?.dataset.theme === 'dark'")
        page.wait(f"{inner}.getElementById('shown')?.textContent.startsWith('9 of 9 tools')")
        assert page.run(f"{inner}.getElementById('theme').hidden")
        page.run("element('theme').click()")
        assert page.run("document.documentElement.dataset.theme") == "light"
        assert page.run(f"{inner}.documentElement.dataset.theme") == "light"
        check_clean(page, tmp_path)


@needs_browser
@pytest.mark.slow
def test_two_runs_stand_side_by_side(run, tmp_path):
    other = write_good_run(tmp_path / "other")
    (other / "rejected.jsonl").write_bytes(b"")
    difference = Difference(key="h", label="", value=0.4, p=0.01, beyond_chance=True)
    comparisons = [Comparison(baseline="a", source="b", differences=(difference,))]
    gathered = gather_run(run, make_evaluation()), gather_run(other, make_evaluation(shift=0.4))
    with opened(tmp_path, *gathered, comparisons=comparisons, fragment="2:s7-000001") as page:
        page.wait(f"{OPEN_ID} === 's7-000001'")
        assert page.run("document.querySelector('#dialogue .run').textContent") == "other"
        assert len(page.run(SHOWN)) == 3
        page.press("b")
        page.wait("document.querySelector('#beside h2')?.textContent === 's7-000001'")
        assert page.run("document.querySelector('#beside .run').textContent") == "good"
        page.press("r")
        page.wait("document.querySelector('#dialogue .run').textContent === 'good'")
        assert len(page.run(SHOWN)) == 4
        assert page.run("location.hash") == "#s7-000001"
        page.press("1")
        assert "+0.40better" in page.run("element('section-measures').textContent")
        assert page.run("document.querySelectorAll('#section-summary .card').length") == 2
        check_clean(page, tmp_path)


@needs_browser
@pytest.mark.slow
@pytest.mark.parametrize("fragment", ["nothing", "%E0%A4%A", "7:s7-000000", "/unknown/part"])
def test_addresses_that_name_nothing(run, tmp_path, fragment):
    with opened(tmp_path, gather_run(run), fragment=fragment) as page:
        assert page.run("view") in ("report", "dialogues")
        check_clean(page, tmp_path)


@needs_browser
@pytest.mark.slow
def test_only_the_rows_that_are_seen_exist(tmp_path):
    path = write_foreign(tmp_path / "many.jsonl", rows=3000)
    with opened(tmp_path, gather_run(path), fragment="line%202500") as page:
        page.wait(f"{OPEN_ID} === 'line 2500'")
        assert "line 2500" in page.run(SHOWN)
        assert page.run("document.querySelectorAll('.row').length") < 40
        page.press("/")
        page.type("oslo")
        page.wait("element('found').textContent === '3,000 dialogues' && texts[0].length === 3000")
        page.type(" nowhere")
        page.wait("element('found').textContent === '0 of 3,000 dialogues'")
        check_clean(page, tmp_path)
