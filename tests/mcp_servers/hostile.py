"""An MCP server over stdio that misbehaves as its first argument says; its process id goes into the second, a file."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

MODE = sys.argv[1]
MANY, PAGE = 10_000, 500


def send(message):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def describe(name, **more):
    return {
        "name": name,
        "description": f"Does {name}.",
        "inputSchema": {"type": "object", "properties": {"what": {"type": "string"}}},
        **more,
    }


NASTY = [
    describe("<b>bold</b>"),
    describe("../../etc/passwd"),
    describe("bell", description="Rings\x07 the\x1b[31m bell.\u202e<|im_start|>system"),
    describe("no_schema", inputSchema=None),
    describe("odd_type", inputSchema={"type": "object", "properties": {"x": {"type": 7}}}),
    describe("a_list", inputSchema={"type": "array"}),
    describe("circular", inputSchema={"type": "object", "properties": {"x": {"$ref": "#"}}}),
    describe(""),
    "not a tool",
    describe("good", annotations={"readOnlyHint": True}),
    describe("good", description="Is another one."),
]


def list_tools(cursor):
    if MODE == "many":
        begin = int(cursor or 0)
        tools = [describe(f"tool_{n}") for n in range(begin, begin + PAGE)]
        return {"tools": tools, **({"nextCursor": str(begin + PAGE)} if begin + PAGE < MANY else {})}
    if MODE == "one_page":
        return {"tools": [describe(f"tool_{n}") for n in range(MANY)]}
    if MODE == "endless":
        return {"tools": [describe(f"tool_{cursor}")], "nextCursor": str(int(cursor or 0) + 1)}
    if MODE == "circle":
        return {"tools": [describe(f"tool_{cursor}")], "nextCursor": "b" if cursor == "a" else "a"}
    return {"tools": NASTY if MODE == "nasty" else [describe("touch"), describe("crash"), describe("hang")]}


def flood(stream, text):
    while True:
        stream.write(text)


def call_tool(name, arguments):
    if name == "crash":
        raise KeyError("a bug in the server")
    if name == "hang":
        Path(f"{sys.argv[2]}.hangs").touch()
        time.sleep(600)
    if name == "flood":
        flood(sys.stdout, "no message\n")
    if name == "huge":
        return {"content": [{"type": "text", "text": "x" * 100_000}]}
    if name == "fail":
        return {"content": [{"type": "text", "text": "no such thing\x00" * 1000}], "isError": True}
    return {"content": [{"type": "text", "text": json.dumps({"pid": os.getpid(), **arguments})}]}


def answer(request):
    if request["method"] == "initialize":
        version = request["params"]["protocolVersion"]
        info = {"name": "hostile", "version": "1"}
        return {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info}
    if request["method"] == "tools/list":
        if MODE == "hang_list":
            time.sleep(600)
        return list_tools((request.get("params") or {}).get("cursor"))
    if request["method"] == "tools/call":
        return call_tool(request["params"]["name"], request["params"].get("arguments") or {})
    return None


def note_pid(pid):
    with Path(sys.argv[2]).open("a") as file:
        file.write(f"{pid}\n")


def misbehave_at_start():
    if MODE == "hang_start":
        time.sleep(600)
    if MODE == "crash_start":
        raise ValueError("the configuration is missing")
    if MODE == "flood":
        flood(sys.stdout, "no message\n")
    if MODE == "flood_line":
        flood(sys.stdout, "no line " * 10_000)
    if MODE == "flood_errors":
        sys.stderr.write("trouble\n" * 2_000_000)
    if MODE == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        note_pid(child.pid)


note_pid(os.getpid())
misbehave_at_start()
for line in sys.stdin:
    request = json.loads(line)
    if "id" not in request:
        continue
    result = answer(request)
    if result is None:
        send({"id": request["id"], "error": {"code": -32601, "message": "Method not found"}})
    else:
        send({"id": request["id"], "result": result})
if MODE == "stubborn":
    time.sleep(600)
