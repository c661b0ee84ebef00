"""OpenAPI documents in several files: read where it is allowed, within limits, and never led where they must not be."""

import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from typer.testing import CliRunner

from toolflow_graph.catalog import fetching, load_catalog, other_documents, read_source
from toolflow_graph.cli.app import app

PET = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}


def document(**references):
    """An OpenAPI document with an operation for each reference, which is the schema of its body."""
    paths = {
        f"/{name}": {
            "post": {"operationId": name, "requestBody": {"content": {"application/json": {"schema": schema}}}}
        }
        for name, reference in references.items()
        for schema in [{"type": "object", "properties": {"pet": {"$ref": reference}, "note": {"type": "string"}}}]
    }
    return {"openapi": "3.0.0", "info": {"title": "Pets"}, "paths": paths}


class Pages:
    """What a server hands out by path: text, or a function that is given the request's handler."""

    def __init__(self):
        self.pages = {}
        self.asked = []

    def put(self, path, content):
        self.pages[path] = content if callable(content) or isinstance(content, str) else json.dumps(content)


@contextmanager
def serve():
    pages = Pages()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            pages.asked.append(self.path)
            page = pages.pages.get(self.path)
            if callable(page):
                page(self)
                return
            self.send_response(404 if page is None else 200)
            self.end_headers()
            self.wfile.write((page or "").encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    pages.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield pages
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def pages():
    with serve() as served:
        yield served


@pytest.fixture
def read(tmp_path):
    """Read a document from a file, allowing references."""

    def read(content, *, allowed=True):
        path = tmp_path / "api" / "openapi.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content))
        return read_source(path, allow_remote_refs=allowed)

    return read


def reasons(reading):
    return [skipped.reason for skipped in reading.skipped]


def pet(reading, name):
    return next(tool for tool in reading.tools if tool.name == name).parameters["properties"]["pet"]


def test_nothing_is_read_unless_allowed(read, pages):
    pages.put("/pet.json", PET)
    reading = read(document(adopt=f"{pages.url}/pet.json"), allowed=False)
    assert not reading.tools
    assert pages.asked == []
    assert "`toolflow catalog import --allow-remote-refs` reads it" in reasons(reading)[0]


def test_servers_and_files_are_read_once_each(read, pages, tmp_path):
    pages.put("/v1/pets.json", {"Pet": PET, "Cat": {"$ref": "#/Pet"}, "Dog": {"$ref": "kinds/dog.yaml#/Dog"}})
    pages.put("/v1/kinds/dog.yaml", "Dog: {type: object, properties: {bark: {$ref: '../loud.json'}}}")
    pages.put("/v1/loud.json", {"type": "boolean"})
    (tmp_path / "api" / "schemas").mkdir(parents=True)
    (tmp_path / "api" / "schemas" / "bird.yaml").write_text(
        "{type: object, properties: {wing: {$ref: '../w.json#/W'}}}"
    )
    (tmp_path / "api" / "w.json").write_text('{"W": {"$ref": "openapi.json#/components/schemas/Own"}}')
    remote = f"{pages.url}/v1/pets.json"
    content = document(a=f"{remote}#/Pet", b=f"{remote}#/Cat", c=f"{remote}#/Dog", d="schemas/bird.yaml")
    reading = read({**content, "components": {"schemas": {"Own": {"type": "integer"}}}})
    assert reading.skipped == []
    assert pet(reading, "a") == pet(reading, "b") == PET
    assert pet(reading, "c")["properties"] == {"bark": {"type": "boolean"}}
    assert pet(reading, "d")["properties"] == {"wing": {"type": "integer"}}
    assert sorted(pages.asked) == ["/v1/kinds/dog.yaml", "/v1/loud.json", "/v1/pets.json"]
    assert reading.notes["other documents read"] == 5


def test_paths_parameters_and_returns_may_lie_elsewhere(read, tmp_path):
    (tmp_path / "api" / "paths").mkdir(parents=True)
    operation = {
        "operationId": "find_pet",
        "parameters": [{"$ref": "../parts.yaml#/parameters/Name"}],
        "responses": {"200": {"description": "", "content": {"application/json": {"schema": {"$ref": "pet.json"}}}}},
    }
    (tmp_path / "api" / "paths" / "pets.json").write_text(json.dumps({"get": operation}))
    (tmp_path / "api" / "paths" / "pet.json").write_text(json.dumps(PET))
    (tmp_path / "api" / "parts.yaml").write_text("parameters: {Name: {name: name, in: query, schema: {type: string}}}")
    reading = read({"openapi": "3.1.0", "paths": {"/pets": {"$ref": "paths/pets.json"}, "/no": {"$ref": "no.json"}}})
    (tool,) = reading.tools
    assert tool.parameters["properties"] == {"name": {"type": "string"}}
    assert tool.returns["properties"] == {"name": {"type": "string"}}
    assert next(s for s in reading.skipped if s.name == "/no").reason == "refers to 'no.json': there is no such file"


def test_folder_is_read_without_complaints_about_its_parts(tmp_path):
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "pet.json").write_text(json.dumps(PET))
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "api.json").write_text(json.dumps(document(adopt="../parts/pet.json")))
    reading = read_source(tmp_path, allow_remote_refs=True)
    assert reading.skipped == []
    assert pet(reading, "adopt") == PET


def test_operation_is_skipped_and_the_others_kept(read, pages):
    pages.put("/pet.json", PET)
    pages.put("/text.txt", "hello")
    reading = read(document(kept=f"{pages.url}/pet.json", gone=f"{pages.url}/gone.json", text=f"{pages.url}/text.txt"))
    assert [tool.name for tool in reading.tools] == ["kept"]
    told = {skipped.name or skipped.where: skipped.reason for skipped in reading.skipped}
    assert told["POST /gone"] == f"refers to '{pages.url}/gone.json': its server answers 404"
    assert told["POST /text"] == f"refers to '{pages.url}/text.txt', which is not defined or refers to itself"
    assert told[f"{pages.url}/gone.json"] == "its server answers 404"


def test_cycles_between_documents_end(read, pages):
    pages.put("/a.json", {"$ref": "b.json"})
    pages.put("/b.json", {"$ref": "a.json"})
    pages.put(
        "/tree.json", {"type": "object", "properties": {"name": {"type": "string"}, "left": {"$ref": "leaf.json"}}}
    )
    pages.put(
        "/leaf.json", {"type": "object", "properties": {"up": {"$ref": "tree.json"}, "size": {"type": "integer"}}}
    )
    reading = read(document(chain=f"{pages.url}/a.json", tree=f"{pages.url}/tree.json"))
    assert "refers to itself" in reasons(reading)[0]
    assert pet(reading, "tree")["properties"]["left"]["properties"]["size"] == {"type": "integer"}
    assert sorted(pages.asked) == ["/a.json", "/b.json", "/leaf.json", "/tree.json"]


def test_bomb_of_documents_is_bounded(read, pages, monkeypatch):
    monkeypatch.setattr(other_documents, "MOST_DOCUMENTS", 20)

    def multiply(handler):
        handler.send_response(200)
        handler.end_headers()
        name = handler.path[1:]
        inner = {f"p{i}": {"$ref": f"{name}{i}"} for i in range(10)}
        handler.wfile.write(json.dumps({"type": "object", "properties": inner}).encode())

    pages.pages = type("Endless", (dict,), {"get": lambda _, __: multiply})()
    began = time.process_time()
    reading = read(document(bomb=f"{pages.url}/x"))
    assert len(pages.asked) <= 20
    assert time.process_time() - began < 10
    assert "more than 20 other documents are referred to" in reasons(reading)[0]


def test_bomb_inside_a_document_is_bounded(read, pages):
    levels = {
        f"L{n}": {"type": "object", "properties": {k: {"$ref": f"#/L{n + 1}"} for k in "abcdefgh"}} for n in range(30)
    }
    pages.put("/bomb.json", {**levels, "L30": {"type": "string"}})
    began = time.process_time()
    reading = read(document(bomb=f"{pages.url}/bomb.json#/L0"))
    assert time.process_time() - began < 10
    assert len(json.dumps(reading.tools[0].parameters)) < 100_000


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "endless"])
def test_huge_document_is_left(read, pages, monkeypatch, announced):
    monkeypatch.setattr(other_documents, "LARGEST", 2**20)
    sent = []

    def flood(handler):
        handler.send_response(200)
        if announced:
            handler.send_header("Content-Length", str(2**40))
        handler.end_headers()
        try:
            for _ in range(1000):
                handler.wfile.write(b" " * 2**16)
                sent.append(2**16)
        except OSError:
            pass

    pages.put("/huge.json", flood)
    reading = read(document(huge=f"{pages.url}/huge.json"))
    assert "it has more than the 1 MiB that are read" in reasons(reading)[0]
    assert sum(sent) < 2**25


def drip_head(handler):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for _ in range(1200):
        handler.wfile.write(b"X: y\r\n")
        time.sleep(0.05)


def drip_body(handler):
    handler.send_response(200)
    handler.end_headers()
    for _ in range(1200):
        handler.wfile.write(b" ")
        time.sleep(0.05)


@pytest.mark.parametrize("drip", [drip_head, drip_body, lambda _: time.sleep(60)], ids=["head", "body", "silent"])
def test_slow_server_is_left(read, pages, monkeypatch, drip):
    monkeypatch.setattr(other_documents, "SLOWEST_S", 0.5)
    pages.put("/slow.json", drip)
    began = time.monotonic()
    reading = read(document(slow=f"{pages.url}/slow.json"))
    assert "it did not come within 0.5 seconds" in reasons(reading)[0]
    assert time.monotonic() - began < 30


def test_slow_servers_together_are_left(read, pages, monkeypatch):
    monkeypatch.setattr(other_documents, "SLOWEST_TOGETHER_S", 0.3)
    pages.put("/slow.json", lambda _: time.sleep(0.6))
    reading = read(document(slow=f"{pages.url}/slow.json", next=f"{pages.url}/other.json"))
    assert "have taken more than 0.3 seconds" in reasons(reading)[1]
    assert pages.asked == ["/slow.json"]


def redirect(to, code=302):
    def answer(handler):
        handler.send_response(code)
        handler.send_header("Location", to)
        handler.end_headers()

    return answer


@pytest.mark.parametrize(
    ("to", "told"),
    [
        ("/loop.json", "redirects more than 5 times"),
        ("file:///etc/hostname", "only http, https"),
        ("http://localhost:1/x.json", "no file here refers to that host"),
        ("http://169.254.169.254/latest/meta-data", "no file here refers to that host"),
        ("http://[::1]:1/", "no file here refers to that host"),
        ("http://[::ffff:10.0.0.1]/", "no file here refers to that host"),
        ("//[", "Invalid IPv6 URL"),
    ],
)
def test_redirects_lead_nowhere_else(read, pages, monkeypatch, to, told):
    known = fetching._resolve
    monkeypatch.setattr(fetching, "_resolve", lambda host, port: known(host, port) if host == "localhost" else [host])
    pages.put("/loop.json", redirect(to))
    reading = read(document(loop=f"{pages.url}/loop.json"))
    assert told in reasons(reading)[0]


def test_redirected_document_is_read_from_where_it_is(read, pages):
    pages.put("/old.json", redirect("/new/pets.json"))
    pages.put("/new/pets.json", {"Pet": {"$ref": "pet.json"}})
    pages.put("/new/pet.json", PET)
    assert pet(read(document(adopt=f"{pages.url}/old.json#/Pet")), "adopt") == PET


@pytest.mark.parametrize("target", ["http://localhost:{port}/secret", "file:///etc/hostname", "ftp://127.0.0.1/x"])
def test_document_of_a_server_leads_neither_to_files_nor_to_private_hosts(read, pages, target):
    with serve() as inner:
        inner.put("/secret", PET)
        pages.put("/evil.json", {"$ref": target.format(port=inner.url.rpartition(":")[2])})
        reading = read(document(evil=f"{pages.url}/evil.json"))
        assert not reading.tools
        assert inner.asked == []
    told = reasons(reading)[0]
    assert "only http, https and relative references" in told or "no file here refers to that host" in told


@pytest.mark.parametrize("addresses", [["169.254.169.254"], ["93.184.216.34", "fe80::1"]], ids=["all", "one"])
def test_link_local_addresses_are_never_asked(read, monkeypatch, addresses):
    monkeypatch.setattr(fetching, "_resolve", lambda *_: addresses)
    assert "link-local" in reasons(read(document(meta="http://169.254.169.254/latest/meta-data")))[0]


@pytest.mark.parametrize("reference", ["../outside.json", "link.json", "file:///etc/hostname", "//server/share.json"])
def test_files_outside_the_folder_are_not_read(read, tmp_path, reference):
    (tmp_path / "outside.json").write_text(json.dumps(PET))
    (tmp_path / "api").mkdir()
    (tmp_path / "api" / "link.json").symlink_to(tmp_path / "outside.json")
    assert "it lies outside the folder" in reasons(read(document(out=reference)))[0]


@pytest.mark.parametrize(
    ("address", "named", "asked"),
    [
        ("93.184.216.34", False, True),
        ("10.1.2.3", False, False),
        ("10.1.2.3", True, True),
        ("127.0.0.1", False, False),
        ("100.64.0.1", False, False),
        ("0.0.0.0", True, False),  # noqa: S104
        ("224.0.0.1", True, False),
        ("::ffff:127.0.0.1", False, False),
        ("64:ff9b::7f00:1", True, False),
        ("2002:7f00:1::", True, False),
        ("fe80::1%eth0", True, False),
        ("fd00::1", False, False),
        ("2606:2800:220:1:248:1893:25c8:1946", False, True),
    ],
)
def test_which_addresses_may_be_asked(address, named, asked):
    assert fetching._may_be_asked(address, named=named) is asked


def test_compressed_answers_are_refused(read, pages):
    def zipped(handler):
        handler.send_response(200)
        handler.send_header("Content-Encoding", "gzip")
        handler.end_headers()
        handler.wfile.write(b"\x1f\x8b")

    pages.put("/bomb.gz", zipped)
    assert "compressed" in reasons(read(document(bomb=f"{pages.url}/bomb.gz")))[0]


def test_command_imports_and_the_catalog_refers_to_nothing(pages, tmp_path):
    pages.put("/pet.json", PET)
    path = tmp_path / "api.json"
    path.write_text(json.dumps(document(adopt=f"{pages.url}/pet.json")))
    arguments = ["catalog", "import", str(path), "--out", str(tmp_path / "mine"), "--allow-remote-refs"]
    ended = CliRunner().invoke(app, arguments)
    assert ended.exit_code == 0, ended.output
    assert "other documents read" in ended.output
    assert "$ref" not in (tmp_path / "mine" / "pets.json").read_text()
    assert load_catalog(tmp_path / "mine").tools["adopt"].parameters["properties"]["pet"] == PET
