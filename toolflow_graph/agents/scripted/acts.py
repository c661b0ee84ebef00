"""The parts of dialogue acts, as plain JSON: what the composer writes and user and assistant put into words."""

from toolflow_graph.types import JSON

__all__ = ["answer", "ask", "change", "give", "is_reference", "request", "say"]


def say(line: str, *, leads: bool = False) -> JSON:
    """A line as it stands; one that leads goes before something else and may end on a comma or colon."""
    return {"kind": "text", "text": line, "leads": True} if leads else {"kind": "text", "text": line}


def request(call: int, frame: str, said: set[str], lead: str = "") -> JSON:
    """A request for a call, in a frame that mentions the arguments in `said`."""
    part: JSON = {"kind": "request", "call": call, "frame": frame, "said": sorted(said)}
    return {**part, "lead": lead} if lead else part


def give(call: int, parameter: str) -> JSON:
    """Just the value of one argument."""
    return {"kind": "give", "call": call, "parameter": parameter}


def change(call: int, parameter: str, frame: str, lead: str) -> JSON:
    """A correction of one argument."""
    return {"kind": "change", "call": call, "parameter": parameter, "frame": frame, "lead": lead}


def ask(call: int, parameter: str, frame: str) -> JSON:
    """A question for one argument; without a frame, a general one."""
    return {"kind": "ask", "call": call, "parameter": parameter, "frame": frame}


def answer(call: int) -> JSON:
    """What is to be said of a call's result."""
    return {"kind": "answer", "call": call}


def is_reference(value: object) -> bool:
    """Say whether an argument refers to an earlier result, `{"$from": [call, path]}`."""
    return isinstance(value, dict) and set(value) == {"$from"}
