"""Runs of models that are sometimes wrong and are sent their answers back: what preference pairs are made of."""

import json

from endpoint import Endpoint
from players import Players, recognise_role, without_repairs
from toolflow_graph import generate
from toolflow_graph.settings import parse_settings

MIX = [
    {"share": 1, "patterns": patterns}
    for patterns in (("single", "missing_parameter"), ("parallel", "chitchat"), ("sequential", "tool_error"))
]
INVENTED = "Zanzibar-4711"


class Slips:
    """Players whose assistant invents a value in every call, until the call is sent back."""

    def __init__(self, players):
        self.players = players

    def __call__(self, body):
        answer = self.players(body)
        sent_back = len(without_repairs(body["messages"])) < len(body["messages"])
        return answer if sent_back or recognise_role(body) != "assistant" else spoil(json.loads(json.dumps(answer)))


def spoil(answer):
    calls = answer["value"]["calls"] if "value" in answer else [c["function"] for c in answer.get("tool_calls", ())]
    for call in calls:
        arguments = json.loads(call["arguments"])
        for name, value in arguments.items():
            if isinstance(value, str):
                call["arguments"] = json.dumps({**arguments, name: INVENTED})
                return answer
    return answer


def settle_slips(catalog):
    """Return settings of three dialogues that the players can play, without the models."""
    for seed in range(20):
        values = {"cast": "llm", "catalog": catalog, "mix": MIX, "tools": 3, "seed": seed, "dialogues": 3}
        if Players(parse_settings(values)).can_play():
            return values
    raise AssertionError("no seed will do")


def run_slips(plain, out, tools):
    """Play them into a folder; `tools` is how the endpoint takes them, `native` or `ignored`."""
    with Endpoint(Slips(Players(parse_settings(plain))), tools=tools) as endpoint:
        models = {"base_url": endpoint.base_url, "model": "test-model", "patience_s": 2}
        return list(generate(parse_settings({**plain, "models": models}), out=out))
