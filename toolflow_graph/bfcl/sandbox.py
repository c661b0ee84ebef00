"""The benchmark's own checker in a process of its own, run as a script: a request a line in, an answer a line out.

The checker of multi-turn cases calls `eval` on what a model has called and keeps the state of each case in global
variables. So it runs here, with limits on memory, files and processes, in an empty folder; the parent process watches
the time. Only calls whose names and keys are checked there arrive here.

The checker wants the registry of all models of the leaderboard, which wants all their libraries. All that it reads from
it is whether dots in names become underscores, which a stand-in of one entry tells it.

It imports nothing of this project, so that it can be run with Python's isolated mode.
"""

import json
import os
import resource
import sys
import types
from typing import Any

MODEL = "toolflow"
_MEMORY = 2 << 30
_FILES = 256


def limit_resources() -> None:
    """Bound what the process may take: 2 GiB of memory, no file written, no further process."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_FILES, _FILES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if os.getuid():  # root has no such limit
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))


def load_checker() -> None:
    """Import the checker with the stand-in for the registry of models."""
    registry: Any = types.ModuleType("bfcl_eval.constants.model_config")
    registry.MODEL_CONFIG_MAPPING = {MODEL: types.SimpleNamespace(underscore_to_dot=True)}
    sys.modules[registry.__name__] = registry


def check_calls(request: dict[str, Any]) -> dict[str, Any]:
    """Check the calls of a single turn: `functions`, `calls` (`[{name: arguments}]`), `truth`, `category`."""
    from bfcl_eval.constants.enums import Language  # noqa: PLC0415
    from bfcl_eval.eval_checker.ast_eval.ast_checker import ast_checker  # noqa: PLC0415

    verdict = ast_checker(
        request["functions"], request["calls"], request["truth"], Language.PYTHON, request["category"], MODEL
    )
    error = verdict.get("error", "")
    return {
        "valid": verdict["valid"],
        "error_type": verdict.get("error_type", ""),
        "error": error if isinstance(error, str) else json.dumps(error, ensure_ascii=False, default=str),
    }


def run_calls(request: dict[str, Any]) -> dict[str, Any]:
    """Execute calls of a multi-turn case, in the state that its earlier calls have left."""
    from bfcl_eval.eval_checker.multi_turn_eval.multi_turn_utils import execute_multi_turn_func_call  # noqa: PLC0415

    entry = request["entry"]
    results, _ = execute_multi_turn_func_call(
        request["calls"],
        entry["initial_config"],
        entry["involved_classes"],
        MODEL,
        entry["id"],
        long_context="long_context" in request["category"],
    )
    return {"results": results}


def check_dialogue(request: dict[str, Any]) -> dict[str, Any]:
    """Check a played multi-turn case: `calls` as strings by turn and step, against `truth`; its state is dropped."""
    from bfcl_eval.eval_checker.multi_turn_eval import multi_turn_utils  # noqa: PLC0415
    from bfcl_eval.eval_checker.multi_turn_eval.multi_turn_checker import multi_turn_checker  # noqa: PLC0415

    entry = request["entry"]
    try:
        verdict = multi_turn_checker(request["calls"], request["truth"], entry, request["category"], MODEL)
    finally:
        forget_instances(vars(multi_turn_utils))
    return {
        "valid": verdict["valid"],
        "error_type": verdict.get("error_type", ""),
        "error": str(verdict.get("error_message", "")),
    }


def forget_instances(names: dict[str, Any]) -> None:
    """Delete the state of the cases that are done."""
    for name in [name for name in names if name.startswith(MODEL) and name.endswith("_instance")]:
        del names[name]


_ACTIONS = {"check_calls": check_calls, "run_calls": run_calls, "check_dialogue": check_dialogue}


def serve() -> None:
    """Answer requests until the parent closes the pipe; what the checker prints goes nowhere."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - until the process ends
    load_checker()
    limit_resources()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = _ACTIONS[request["action"]](request)
        except Exception as exc:  # noqa: BLE001 - whatever the checker raises is the verdict on this case alone
            answer = {"failed": f"{type(exc).__name__}: {exc}"}
        answers.write(json.dumps(answer, default=str) + "\n")
        answers.flush()


if __name__ == "__main__":
    serve()
