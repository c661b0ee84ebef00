"""The page of the Tool Graph: complete, the same every time, safe whatever tools are called, and asking nobody."""

import json
import re

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

import toolflow_graph.encoder
from browser import Page, needs_browser
from toolflow_graph.cli.graph import graph_app
from toolflow_graph.errors import CatalogError, ResourceError
from toolflow_graph.report import graph_page, render_graph_page
from toolflow_graph.report.page import embed_json
from toolflow_graph.tool_graph import build_tool_graph
from toolflow_graph.types import Tool

HOSTILE = (
    "</script><img src=x onerror=document.title='broken'><!-- <script> ]]> & &amp; \" ' ` ${1} $title \u2028 \u2029"
    " \x00 \x07 \x1b[31m \x7f \u202e \ud800 </title></style>"
)


class NumberedEncoder:
    """Gives each string a direction of its own: only identical strings are similar."""

    name = "numbered"
    dimension = 64

    def encode(self, texts):
        rows = [np.random.default_rng(abs(hash_text(text))).normal(size=self.dimension) for text in texts]
        rows = np.array(rows, np.float32).reshape(-1, self.dimension)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def hash_text(text):
    return int.from_bytes(text.encode("utf-8", "surrogatepass"), "little") % (2**61 - 1)


def make_schema(names, text="About {}"):
    return {
        "type": "object",
        "properties": {name: {"type": "string", "description": text.format(name)} for name in names},
    }


def make_tool(name, takes, gives, domain="shop", description=""):
    return Tool(
        name=name,
        description=description or f"Does {name}.",
        parameters=make_schema(takes) | {"required": list(takes[:1])},
        returns=make_schema(gives),
        domain=domain,
    )


def make_many(count, filler=""):
    """Tools in groups of ten that hand an id on, all with a common parameter."""
    return [
        make_tool(
            f"{'find' if number % 10 == 0 else 'use'}_group{number // 10}_{number}",
            ["limit", f"id_{number // 10}"],
            [f"id_{number // 10}"] if number % 10 == 0 else [f"result_{number}"],
            domain=f"domain {number // 100}",
            description=f"Tool {number}. {filler}",
        )
        for number in range(count)
    ]


def draw(tools, title="test"):
    return render_graph_page(build_tool_graph(tools, NumberedEncoder()), {tool.name: tool for tool in tools}, title)


def read_data(page):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page.html, re.DOTALL)[1])


@pytest.fixture(scope="module")
def bundled_page(bundled_graph, bundled_catalog):
    return render_graph_page(bundled_graph, bundled_catalog.tools, "bundled catalog")


def test_every_tool_slot_and_edge_is_in(bundled_page, bundled_graph, bundled_catalog):
    data = read_data(bundled_page)
    assert [tool["name"] for tool in data["tools"]] == list(bundled_graph.tools)
    assert bundled_page.left_out == ()
    summary = bundled_graph.summary
    assert bundled_page.edges == len(data["edges"]) == summary.pp_edges + summary.pr_edges
    found = set()
    for kind, source, target, evidence, count in data["edges"]:
        one, other = data["tools"][source], data["tools"][target]
        for give, take, cosine in evidence:
            slots = one["takes" if kind == "P-P" else "gives"][give], other["takes"][take]
            found.add((kind, one["name"], other["name"], slots[0][0], slots[1][0], cosine))
        assert count >= len(evidence)
    for edge in bundled_graph.edges_between(bundled_graph.tools):
        assert (edge.kind, edge.source, edge.target, edge.source_slot, edge.target_slot, round(edge.cosine, 3)) in found
    for tool in data["tools"]:
        original = bundled_catalog.tools[tool["name"]]
        assert tool["description"] == original.description
        assert {slot[0] for slot in tool["takes"]} >= set(original.parameters["properties"])
        assert {slot[0] for slot in tool["takes"] if slot[3]} == set(original.required)
        assert data["domains"][tool["domain"]] == original.domain
        assert tool["neighbours"] == len(bundled_graph.neighbours(tool["name"]))


def test_tools_stand_apart_and_inside_their_communities(bundled_page):
    data = read_data(bundled_page)
    places = np.array([(tool["x"], tool["y"]) for tool in data["tools"]])
    apart = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))
    assert apart[~np.eye(len(places), dtype=bool)].min() > 0.5
    for place, tool in zip(places, data["tools"], strict=True):
        home = data["communities"][tool["community"]]
        assert np.hypot(place[0] - home["x"], place[1] - home["y"]) <= home["radius"] + 0.02


def test_same_graph_same_bytes(bundled_page, bundled_graph, bundled_catalog):
    assert render_graph_page(bundled_graph, bundled_catalog.tools, "bundled catalog").html == bundled_page.html


def test_page_names_no_other_resource(bundled_page):
    markup = re.sub(r"(?s)<(script|style)\b[^>]*>.*?</\1>", "", bundled_page.html)
    assert re.findall(r"""(?i)\b(?:src|href|action|srcset)\s*=\s*["']?([^"'\s>]*)""", markup) == ["data:,"]
    style = re.search(r"(?s)<style>(.*?)</style>", bundled_page.html)[1]
    assert "url(" not in style
    assert "@import" not in style
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', bundled_page.html)[1]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert "http" not in policy
    assert "sourceMappingURL" not in bundled_page.html


def test_page_carries_the_licences_of_its_libraries(bundled_page):
    assert bundled_page.html.count("Permission is hereby granted, free of charge") == 2


def hostile_tools():
    tool = make_tool("find_it", ["query"], ["item_id"], domain=HOSTILE, description=HOSTILE)
    parameters = make_schema(["item_id", HOSTILE, "__proto__", "constructor"])
    parameters["properties"][HOSTILE] = {"type": "string", "description": HOSTILE, "enum": [HOSTILE, None, 1]}
    other = Tool(
        name="__proto__",
        description=HOSTILE,
        parameters=parameters,
        returns=make_schema(["item_id"]),
        domain="toString",
    )
    return [tool, other]


def test_hostile_texts_stay_texts():
    page = draw(hostile_tools(), title=HOSTILE)
    harmless = draw([make_tool("find_it", ["query"], ["item_id"]), make_tool("other", ["item_id"], ["item_id"])])
    for opening in ("<script", "</script", "<!--", "<img", "</title", "</style"):
        assert page.html.lower().count(opening) == harmless.html.lower().count(opening)
    data = read_data(page)
    assert data["title"] == data["domains"][0] == data["tools"][0]["description"] == HOSTILE
    assert HOSTILE in [slot[0] for slot in data["tools"][1]["takes"]]
    page.html.encode("utf-8")


def test_embedded_json_reads_back():
    text = embed_json([HOSTILE])
    assert json.loads(text) == [HOSTILE]
    assert not set("<>&\u2028\u2029\ud800") & set(text)


@pytest.fixture(scope="module")
def large_page():
    """Two thousand tools that say more than fits."""
    tools = make_many(2000, filler="Long words about nothing. " * 400)
    assert sum(len(tool.description) for tool in tools) > graph_page.MOST_BYTES
    return draw(tools)


def test_large_catalog_is_grouped_and_bounded(large_page):
    page = large_page
    data = read_data(page)
    assert len(page.html.encode()) <= graph_page.MOST_BYTES
    assert data["grouped"] is True
    assert len(data["tools"]) == page.tools == 2000
    assert page.communities == len(data["communities"]) > 100
    assert max(np.bincount([tool["community"] for tool in data["tools"]])) <= 400
    assert any("pairs of tools are joined" in sentence for sentence in page.left_out)
    assert any("long texts are cut" in sentence for sentence in page.left_out)
    assert data["left_out"] == list(page.left_out)
    assert data["edges_in_all"]["P-P"] == 2000 * 1999 // 2
    feeds = {(source, target) for kind, source, target, *_ in data["edges"] if kind == "P-R"}
    assert {(0, number) for number in range(1, 10)} <= feeds  # what is rare is kept, `limit` is not what counts


def test_more_than_fits_is_an_error(monkeypatch):
    monkeypatch.setattr(graph_page, "MOST_BYTES", 1000)
    with pytest.raises(CatalogError, match=r"2 tools do not fit on a page of 1,000 bytes; give a part"):
        draw(hostile_tools())


@pytest.mark.parametrize(
    "tools",
    [[make_tool("only", [], [])], [make_tool(f"alone_{n}", [f"own_{n}"], []) for n in range(5)]],
    ids=["one-tool", "no-edges"],
)
def test_graphs_without_edges_are_drawn(tools):
    page = draw(tools)
    assert (page.tools, page.edges, page.communities) == (len(tools), 0, 1)


@pytest.fixture
def toolflow(monkeypatch):
    monkeypatch.setattr(toolflow_graph.encoder, "load_encoder", lambda *_, **__: NumberedEncoder())
    app = typer.Typer()
    app.add_typer(graph_app, name="graph")
    return lambda *arguments: CliRunner().invoke(app, list(map(str, arguments)))


@pytest.fixture
def catalog(tmp_path):
    path = tmp_path / "shop.json"
    tools = [make_tool("find_orders", ["shop"], ["order_id"]), make_tool("cancel_order", ["order_id"], ["refund"])]
    path.write_text(json.dumps([{**tool.to_openai(), "returns": tool.returns} for tool in tools]))
    return path


def test_command_writes_the_page(toolflow, catalog, tmp_path):
    out = tmp_path / "new" / "graph.html"
    result = toolflow("graph", "html", "--catalog", catalog, "--out", out)
    assert result.exit_code == 0, result.exception
    assert result.stdout == f"drawn in {out}: tools 2, edges 1, communities 1\n"
    assert "<title>Tool Graph: shop.json</title>" in out.read_text(encoding="utf-8")
    before = out.read_bytes()
    refused = toolflow("graph", "html", "--catalog", catalog, "--out", out)
    assert isinstance(refused.exception, ResourceError)
    assert "is there already; give --force" in str(refused.exception)
    again = toolflow("graph", "--catalog", catalog, "html", "--out", out, "--force")
    assert again.exit_code == 0
    assert out.read_bytes() == before


def test_command_says_when_it_cannot_write(toolflow, catalog, tmp_path):
    result = toolflow("graph", "html", "--catalog", catalog, "--out", catalog / "graph.html")
    assert isinstance(result.exception, ResourceError)
    assert "cannot be written" in str(result.exception)
    assert not list(tmp_path.glob("*.html"))


@pytest.fixture
def opened(bundled_page, tmp_path):
    path = tmp_path / "graph.html"
    path.write_text(bundled_page.html, encoding="utf-8")
    with Page(path) as page:
        page.wait("renderer !== null")
        yield page
        assert page.problems == []
        assert page.requests == [path.as_uri()]


@needs_browser
@pytest.mark.slow
def test_searching_filtering_and_selecting(opened):
    assert opened.run("element('shown').textContent").startswith("274 of 274 tools · ")
    opened.press("/")
    opened.type("cancel order")
    assert opened.run("state.matches.size") < 10
    assert "cancel_order" in opened.run("element('results').textContent")
    opened.run("byName.get('cancel_order').number; element('results').querySelector('button').click()")
    told = opened.run("element('told').textContent")
    assert "Cancel an order" in told
    assert "Takes what these return" in told
    assert opened.run("location.hash") == "#cancel_order"
    opened.run("element('told').querySelector('.edge').click()")
    assert re.search(r"cosine [01]\.\d{3}", opened.run("element('told').textContent"))
    before = opened.run("graph.size")
    opened.run("element('pr').click()")
    assert opened.run("graph.size") < before
    assert opened.run("element('pr-count').textContent") == "0"
    opened.run("element('none').click()")
    assert opened.run("graph.order") == 0
    opened.run("element('all').click(); element('theme').click()")
    assert opened.run("[graph.order, document.documentElement.dataset.theme]") == [274, "dark"]


@needs_browser
@pytest.mark.slow
def test_clicks_into_the_picture_show_tool_and_evidence(opened):
    opened.run("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(() => drawn(true))))")
    box = "const box = element('picture').getBoundingClientRect()"
    where = f"(() => {{{{ {box}; {{}}; return [box.x + at.x, box.y + at.y]; }}}})()"
    place = "const at = renderer.graphToViewport(graph.getNodeAttributes('tool 0'))"
    opened.click(*opened.run(where.format(place)))
    opened.wait("element('picture').dataset.selected === tools[0].name")
    assert opened.run("element('told').querySelector('h2').textContent === tools[0].name")
    opened.press("Escape")
    assert opened.run("element('panel').hidden")
    kept = "['tool 0', nodeOf(partner(edgesOf[0][0], 0))]"
    opened.run(f"graph.nodes().filter((node) => !{kept}.includes(node)).forEach((node) => graph.dropNode(node))")
    opened.run("void renderer.refresh()")
    ends = "const [a, b] = graph.nodes().map((node) => renderer.graphToViewport(graph.getNodeAttributes(node)))"
    opened.click(*opened.run(where.format(ends + "; const at = { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 }")))
    opened.wait("element('picture').dataset.selected.includes(',')")
    assert "cosine" in opened.run("element('told').textContent")


@needs_browser
@pytest.mark.slow
def test_hostile_texts_are_shown_as_they_are(tmp_path):
    path = tmp_path / "graph.html"
    path.write_text(draw(hostile_tools(), title=HOSTILE).html, encoding="utf-8")
    with Page(path, fragment="__proto__,find_it") as page:
        page.wait("element('picture').dataset.selected === '__proto__,find_it'")
        assert "P-R: find_it returns what __proto__ takes" in page.run("element('told').textContent")
        page.run("select([1])")
        assert "onerror=document.title='broken'" in page.run("element('told').textContent")
        assert page.run("document.images.length") == 0
        assert page.run("document.title").startswith("Tool Graph: </script><img")
        assert page.problems == []


@needs_browser
@pytest.mark.slow
def test_large_catalog_opens_by_community(large_page, tmp_path):
    path = tmp_path / "graph.html"
    path.write_text(large_page.html, encoding="utf-8")
    with Page(path, dark=True) as page:
        page.wait("renderer !== null")
        closed = page.run("graph.order")
        assert closed == page.run("data.communities.length")
        page.run("openCommunity(0)")
        assert page.run("graph.order") == closed - 1 + page.run("members[0].length")
        page.run("select([1999])")
        assert page.run("state.open.has(tools[1999].community) && graph.hasNode('tool 1999')")
        assert "the strongest" in page.run("element('told').textContent")
        page.run("element('close-all').click()")
        assert page.run("graph.order") == closed
        assert page.problems == []
