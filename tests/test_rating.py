"""The rating page: saved at once, resumed, blind, and open to nobody else; by HTTP and in a headless browser."""

import csv
import http.client
import io
import json
import os
import signal
import subprocess
import sys
import time
from urllib.parse import urlsplit

import pytest
import typer
from typer.testing import CliRunner

from browser import BROWSER, Page
from judging import DIMENSIONS, make_dialogues, make_row, write_rows
from toolflow_graph.cli.rate import rate
from toolflow_graph.dataset import read_dialogues
from toolflow_graph.errors import DatasetError, ToolflowError
from toolflow_graph.evaluation.ratings import read_judgements
from toolflow_graph.report.rating import RatingServer, open_session
from toolflow_graph.report.rating.server import write_csv
from toolflow_graph.report.rating.view import show_dialogue

app = typer.Typer()
app.command()(rate)
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium found; install `chromium` to run this")
HOSTILE = "</script><script>document.title='broken'</script><img src=x onerror=document.title='broken'> \u2028 \ud800"


@pytest.fixture
def out(tmp_path):
    return tmp_path / "ratings.jsonl"


@pytest.fixture
def dialogues(tmp_path):
    return make_dialogues(tmp_path / "a.jsonl")


@pytest.fixture
def others(tmp_path):
    return make_dialogues(tmp_path / "b.jsonl", text="It is fourteen.")


class FullDisk:
    """A file on a disk that takes ten more bytes."""

    def __init__(self, file):
        self.file = file

    def __getattr__(self, name):
        return getattr(self.file, name)

    def write(self, line):
        return self.file.write(line[:10])


def rate_all(session, value):
    for place in range(len(session.items)):
        for dimension in DIMENSIONS:
            session.rate(place, dimension, value)


def ask(server, method, path, body=None, **headers):
    """Status and body of one request; headers given as None are left out."""
    parts = urlsplit(server.url)
    given = {"Host": parts.netloc, "Origin": f"http://{parts.netloc}", "Content-Type": "application/json"} | headers
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)
    connection.putrequest(method, path if path.startswith("/") else parts.path + path, skip_host=True)
    data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    for name, value in {"Content-Length": str(len(data)), **given}.items():
        if value is not None:
            connection.putheader(name, value)
    connection.endheaders(data)
    response = connection.getresponse()
    read = response.read()
    connection.close()
    return response.status, read


def test_clicks_are_on_disk_before_they_count(dialogues, out):
    session = open_session("ada", out, dialogues)
    session.rate(0, "NAT", 4)
    session.rate(0, "NAT", 5)
    session.rate(1, "ACC", 1)
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(row["dimension"], row["score"]) for row in rows] == [("NAT", 4), ("NAT", 5), ("ACC", 1)]
    assert {r.score for r in read_judgements([out]).ratings} == {5, 1}


def test_a_click_that_cannot_be_saved_does_not_count(dialogues, out):
    session = open_session("ada", out, dialogues)

    session._file = FullDisk(session._file)
    with pytest.raises(OSError, match="No space"):
        session.rate(0, "NAT", 4)
    assert session.values(0) == {}
    assert out.read_bytes() == b""


def test_session_goes_on_where_it_was(dialogues, out):
    first = open_session("ada", out, dialogues)
    first.rate(2, "COH", 3)
    first.rate(2, "COH", None)
    for dimension in DIMENSIONS:
        first.rate(0, dimension, 2)
    with out.open("ab") as file:
        file.write(b'{"rater": "ada", "dialo')
    again = open_session("ada", out, dialogues)
    assert [item.key for item in again.items] == [item.key for item in first.items]
    assert (again.done, again.values(0), again.values(2)) == (1, dict.fromkeys(DIMENSIONS, 2), {})
    again.rate(1, "NAT", 1)
    assert len(read_judgements([out]).ratings) == 5
    other = open_session("bob", out, dialogues)
    assert other.done == 0
    assert [item.key for item in other.items] != [item.key for item in first.items]


def test_undo_reaches_back_over_sittings(dialogues, out):
    first = open_session("ada", out, dialogues)
    first.rate(0, "NAT", 2)
    first.rate(0, "NAT", 3)
    first.rate(1, "ACC", 5)
    assert first.undo() == 1
    again = open_session("ada", out, dialogues)
    assert (again.values(0), again.values(1)) == ({"NAT": 3}, {})
    assert again.undo() == 0
    assert again.values(0) == {"NAT": 2}
    assert again.undo() == 0
    assert again.undo() is None
    assert read_judgements([out]).ratings == ()


@pytest.mark.parametrize("value", [0, 6, "4", "left", 4.5, True, [4]], ids=str)
def test_values_that_may_not_be_given(dialogues, out, value):
    session = open_session("ada", out, dialogues)
    with pytest.raises((ValueError, TypeError)):
        session.rate(0, "NAT", value)
    with pytest.raises(IndexError):
        session.rate(99, "NAT", 4)
    assert out.read_bytes() == b""


def test_file_of_something_else_is_left_as_it_is(dialogues, tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(path.read_bytes()[:-1])
    before = path.read_bytes()
    with pytest.raises(DatasetError, match="neither a rating nor a verdict"):
        open_session("ada", path, dialogues)
    assert path.read_bytes() == before


def test_pairs_are_blind_until_the_export(dialogues, others, out):
    session = open_session("ada", out, dialogues, others)
    assert len(session.items) == 6
    assert {item.first_left for item in session.items} == {True, False}
    for place, item in enumerate(session.items):
        session.rate(place, "NAT", "left" if item.first_left else "right")
        session.rate(place, "COH", "same")
    rows = session.export()
    assert [row["dialogue"] for row in rows[::2]] == [f"d{n}" for n in range(6)]
    assert {row["preferred"].rsplit("/", 1)[-1] for row in rows if row["dimension"] == "NAT"} == {"a.jsonl"}
    assert {row["preferred"] for row in rows if row["dimension"] == "COH"} == {"same"}
    assert "a.jsonl" not in out.read_text()
    assert "b.jsonl" not in out.read_text()
    turned = open_session("ada", out, dialogues, others, seed=1)
    assert sorted(map(str, turned.export())) == sorted(
        str(row | {"left": turned_row["left"]}) for row, turned_row in zip(rows, turned.export(), strict=True)
    )


def test_pairs_without_common_ids_go_by_place(tmp_path, dialogues, out):
    rows = [{**make_row(f"d{n}"), "id": f"other{n}"} for n in range(4)]
    rows[1]["messages"][4]["content"] = "Cold."
    rows[3]["messages"][4]["content"] = "Warm."
    session = open_session("ada", out, dialogues, read_dialogues(write_rows(tmp_path / "c.jsonl", rows)))
    assert {tuple(sorted(d.line for d in item.dialogues)) for item in session.items} == {(2, 2), (4, 4)}
    with pytest.raises(DatasetError, match="nothing to rate: no dialogue, or only equal ones"):
        open_session("ada", out, dialogues, dialogues)


def test_sample_is_that_of_the_judge(tmp_path, out):
    dialogues = make_dialogues(tmp_path / "many.jsonl", 30)
    ten = open_session("ada", out, dialogues, sample=10)
    bob = open_session("bob", out, dialogues, sample=10)
    assert len(ten.items) == 10
    assert {item.key for item in ten.items} == {item.key for item in bob.items}


def test_server_serves_and_saves(dialogues, out):
    session = open_session("ada", out, dialogues)
    with RatingServer(session) as server:
        status, page = ask(server, "GET", "")
        assert status == 200
        assert b"connect-src 'self'" in page
        assert ask(server, "POST", "rate", {"place": 0, "dimension": "NAT", "value": 4}) == (200, b'{"done":0}')
        item = json.loads(ask(server, "GET", "item/0")[1])
        assert item["values"] == {"NAT": 4}
        assert item["dialogues"][0]["parts"][2]["result"] == '{\n  "degrees": 14\n}'
        assert json.loads(ask(server, "GET", "export.json")[1])[0]["score"] == 4
        assert ask(server, "POST", "undo", {}) == (200, b'{"place":0,"done":0}')
    assert read_judgements([out]).ratings == ()


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status"),
    [
        ("GET", "", None, {"Host": "evil.example"}, 421),
        ("GET", "", None, {"Host": None}, 421),
        ("GET", "/", None, {}, 404),
        ("GET", "/wrong-token/", None, {}, 404),
        ("GET", "/wrong-token/item/0", None, {}, 404),
        ("GET", "/wrong-t%C3%B6ken/", None, {}, 404),
        ("GET", "../../../etc/passwd", None, {}, 404),
        ("GET", "item/99", None, {}, 404),
        ("GET", "item/-1", None, {}, 404),
        ("GET", "item/x", None, {}, 404),
        ("POST", "rate", {"place": 0, "dimension": "NAT", "value": 4}, {"Origin": "http://evil.example"}, 403),
        ("POST", "rate", {"place": 0, "dimension": "NAT", "value": 4}, {"Origin": None}, 403),
        ("POST", "rate", {"place": 0, "dimension": "NAT", "value": 4}, {"Origin": "null"}, 403),
        ("POST", "/rate", {"place": 0, "dimension": "NAT", "value": 4}, {}, 404),
        ("POST", "rate", {"place": 99, "dimension": "NAT", "value": 4}, {}, 404),
        ("POST", "rate", {"place": 0, "dimension": "FUN", "value": 4}, {}, 400),
        ("POST", "rate", {"place": 0, "dimension": ["NAT"], "value": {}}, {}, 400),
        ("POST", "rate", b"[1]", {}, 400),
        ("POST", "rate", b"{", {}, 400),
        ("POST", "rate", b"x" * 5000, {}, 400),
        ("POST", "rate", b"{}", {"Content-Length": "-1"}, 400),
        ("POST", "nowhere", {}, {}, 404),
        ("DELETE", "", None, {}, 501),
    ],
)
def test_server_refuses(dialogues, out, method, path, body, headers, status):
    session = open_session("ada", out, dialogues)
    with RatingServer(session) as server:
        assert ask(server, method, path, body, **headers)[0] == status
        assert ask(server, "GET", "item/0")[0] == 200
    assert out.read_bytes() == b""


def test_taken_port_is_an_error(dialogues, out):
    session = open_session("ada", out, dialogues)
    with RatingServer(session) as server, pytest.raises(ToolflowError, match="cannot be used"):
        RatingServer(session, urlsplit(server.url).port)


def test_comparison_page_does_not_tell_the_runs(dialogues, others, out):
    session = open_session("ada", out, dialogues, others)
    with RatingServer(session) as server:
        told = ask(server, "GET", "")[1] + b"".join(ask(server, "GET", f"item/{n}")[1] for n in range(6))
    assert b"a.jsonl" not in told
    assert b'"name":"d' not in told


def test_odd_messages_are_shown(tmp_path):
    row = make_row("d0")
    row["messages"] += [
        {"role": "tool", "tool_call_id": "lost", "content": None},
        {"role": "robot", "content": [{"type": "text", "text": "Beep."}]},
        {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": 3, "arguments": "{oops"}}]},
    ]
    row["tools"].append({"name": "bare"})
    (dialogue,) = read_dialogues(write_rows(tmp_path / "odd.jsonl", [row]))
    shown = show_dialogue(dialogue)
    assert shown["parts"][-3:] == [
        {"kind": "call", "name": "", "arguments": "", "result": "null"},
        {"kind": "other", "text": "Beep."},
        {"kind": "call", "name": "3", "arguments": "{oops", "result": None},
    ]
    assert shown["tools"][-1] == {"name": "bare", "description": ""}


def test_csv_is_no_formula(tmp_path, out):
    rows = [{**make_row("d0"), "id": "=HYPERLINK(1)"}]
    session = open_session("@ada", out, read_dialogues(write_rows(tmp_path / "rows.jsonl", rows)))
    session.rate(0, "NAT", 4)
    (row,) = csv.DictReader(io.StringIO(write_csv(session.export())))
    assert (row["rater"], row["dialogue"], row["score"]) == ("'@ada", "'=HYPERLINK(1)", "4")
    assert write_csv([]) == "\r\n"


@pytest.mark.parametrize("name", ["x.csv", "x.json"])
def test_export_from_the_command_line(tmp_path, dialogues, out, name):
    rate_all(open_session("ada", out, dialogues), 3)
    arguments = [str(tmp_path / "a.jsonl"), "--out", str(out), "--rater", "ada", "--export", str(tmp_path / name)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "24 judgements of 6 whole dialogues" in result.output
    assert (tmp_path / name).read_text().count("NAT") == 6


def test_usage_errors(dialogues, out):
    file = str(dialogues[0].path)
    for more in (["--rater", " "], ["--rater", "ada", "--export", "x.xls"], []):
        assert CliRunner().invoke(app, [file, "--out", str(out), *more]).exit_code == 2


@pytest.mark.slow
def test_command_ends_in_order(dialogues, out):
    code = "import typer; from toolflow_graph.cli.rate import rate; typer.run(rate)"
    command = [sys.executable, "-c", code, str(dialogues[0].path), "--rater", "ada", "--out", str(out), "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) as process:
        lines = [process.stdout.readline() for _ in range(3)]
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
    assert lines[0] == "6 dialogues, 0 of them rated. Open, if no browser does:\n"
    assert lines[1].startswith("http://127.0.0.1:")
    assert "0 of 6 dialogues rated, saved in" in rest
    assert process.returncode == 0


SHOWN = "document.querySelectorAll('.bubble').length > 0"


def given(page):
    return page.run("document.querySelectorAll('.card.given').length")


@needs_browser
@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_rating_by_keyboard(dialogues, out, dark):
    with RatingServer(open_session("ada", out, dialogues)) as server, Page(server.url, dark=dark) as page:
        page.wait(SHOWN)
        assert page.run("document.documentElement.dataset.theme ?? ''") == ("dark" if dark else "")
        for number, key in enumerate("4325", 1):
            page.press(key)
            page.wait(f"document.querySelectorAll('.card.given').length === {number}")
        assert page.run("document.getElementById('finished').textContent") == "1 rated"
        page.press("u")
        page.wait("document.querySelectorAll('.card.given').length === 3")
        page.press("1")
        page.wait("document.querySelectorAll('.card.given').length === 4")
        page.press("Enter")
        page.wait("document.getElementById('count').textContent === '2 of 6'")
        assert given(page) == 0
        page.press("ArrowDown")
        page.press("2")
        page.wait("document.querySelectorAll('.card.given').length === 1")
        page.press("t")
        assert page.run("document.querySelector('.call').open")
        page.press("ArrowLeft")
        page.wait("document.getElementById('count').textContent === '1 of 6'")
        page.run("window.old = true; location.hash = ''; location.reload()")
        page.wait("!window.old && document.readyState === 'complete' && " + SHOWN)
        page.wait("document.getElementById('count').textContent === '2 of 6'")  # the first that is not rated
        assert page.run("document.querySelector('#card-COH [aria-checked=true]').textContent") == "2"
        assert page.problems == []
        assert all(request.startswith((server.url, "data:")) for request in page.requests)
    first = open_session("ada", out, dialogues)
    assert first.values(0) == {"NAT": 4, "COH": 3, "HELP": 2, "ACC": 1}
    assert first.values(1) == {"COH": 2}


@needs_browser
@pytest.mark.slow
def test_keys_that_come_faster_than_saving(dialogues, out):
    session = open_session("ada", out, dialogues)
    save = session._save

    def save_slowly(*args, **more):
        time.sleep(0.3)
        save(*args, **more)

    session._save = save_slowly
    with RatingServer(session) as server, Page(server.url) as page:
        page.wait(SHOWN)
        for key in [*"4325", "Enter"]:
            page.press(key)
        page.wait("document.getElementById('count').textContent === '2 of 6'")
        assert page.problems == []
    assert session.values(0) == {"NAT": 4, "COH": 3, "HELP": 2, "ACC": 5}


@needs_browser
@pytest.mark.slow
def test_comparing_by_mouse(dialogues, others, out):
    with RatingServer(open_session("ada", out, dialogues, others)) as server, Page(server.url) as page:
        page.wait(SHOWN)
        assert page.run("document.querySelectorAll('.dialogue').length") == 2
        for number, place in enumerate((0, 1, 2, 2)):
            page.run(f"document.querySelectorAll('.options')[{number}].children[{place}].click()")
        page.wait("document.querySelectorAll('.card.given').length === 4")
        page.run("document.getElementById('next').click()")
        page.wait("document.getElementById('count').textContent === '2 of 6'")
        assert page.problems == []
    choices = [comparison.choice for comparison in read_judgements([out]).comparisons]
    assert choices == ["left", "same", "right", "right"]


@needs_browser
@pytest.mark.slow
def test_what_a_dialogue_holds_stays_text(tmp_path, out):
    row = make_row(HOSTILE, text=HOSTILE)
    row["messages"][0]["content"] = row["messages"][3]["content"] = HOSTILE
    row["messages"][2]["tool_calls"][0]["function"] = {"name": HOSTILE, "arguments": json.dumps({HOSTILE: HOSTILE})}
    row["tools"][0]["function"] |= {"name": HOSTILE, "description": HOSTILE}
    path = write_rows(tmp_path / "rows.jsonl", [row])
    with RatingServer(open_session(HOSTILE, out, read_dialogues(path))) as server, Page(server.url) as page:
        page.wait(SHOWN)
        page.press("t")
        page.press("5")
        page.wait("document.querySelectorAll('.card.given').length === 1")
        assert page.run("document.querySelectorAll('main script, main img').length") == 0
        assert page.run("document.title") == "1 of 1 · Rate dialogues"
        assert page.run("document.querySelector('.bubble.assistant').textContent").startswith("</script><script>")
        assert page.problems == []


@needs_browser
@pytest.mark.slow
def test_page_says_when_nothing_is_saved(dialogues, out):
    session = open_session("ada", out, dialogues)
    with RatingServer(session) as server, Page(server.url) as page:
        page.wait(SHOWN)
        session._file = FullDisk(session._file)
        page.press("4")
        page.wait("document.getElementById('problem').hidden === false")
        assert "No space left" in page.run("document.getElementById('problem').textContent")
        assert given(page) == 0
        session._file = session._file.file
        page.press("4")
        page.wait("document.querySelectorAll('.card.given').length === 1")
        assert page.run("document.getElementById('problem').hidden")
