"""Dialogues that are short to write, and judges that answer by a function."""

import json
import re

from toolflow_graph.dataset import read_dialogues

DIMENSIONS = ("NAT", "COH", "HELP", "ACC")


def make_row(name, *, text="It is 14 degrees.", tools=True):
    """A line with one call, in OpenAI format."""
    call = {"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Oslo"}'}}
    schema = {"type": "object", "properties": {"city": {"type": "string", "description": "Name of the city"}}}
    function = {"name": "get_weather", "description": "Weather of a city.", "parameters": schema}
    other = {"name": "send_mail", "description": "Send a mail.", "parameters": schema}
    return {
        "id": name,
        "messages": [
            {"role": "system", "content": "Today is Monday."},
            {"role": "user", "content": f"How warm is it in Oslo? ({name})"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": '{"degrees": 14}'},
            {"role": "assistant", "content": text},
        ],
        "tools": [{"type": "function", "function": f} for f in (function, other)] if tools else [],
    }


def write_rows(path, rows):
    """Write rows as JSON Lines; returns the path."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def make_dialogues(path, count=6, **more):
    """Stored dialogues `d0`, `d1` …"""
    return list(read_dialogues(write_rows(path, [make_row(f"d{n}", **more) for n in range(count)])))


def find_name(request):
    """The name of the dialogue that a request is about."""
    return re.search(r"\((\w+)\)", request["messages"][1]["content"])[1]


def list_keys(request):
    """The dimensions in the order in which a request asks for them."""
    return list(request["response_format"]["json_schema"]["schema"]["properties"])


def make_judge(score):
    """An endpoint's answer: `score(model, name, dimension)` points everywhere."""

    def answer(request):
        name = find_name(request)
        value = {
            key: {"reason": f"{key} of {name}", "message": 4, "score": score(request["model"], name, key)}
            for key in list_keys(request)
        }
        return {"value": value}

    return answer
