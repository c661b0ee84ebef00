"""How runs survive what happens to processes, disks and clocks: every fault many times, at random moments.

    python benchmarks/faults.py [--times 50] [--only kill "kill 2"] [--seed 1]

Each fault is injected into runs of the scripted cast (`tests/disturbances.py` says how), the run is then finished, and
its files are held against those of a run that nobody disturbed. `lost` and `twice` are dialogues that lack, or are
there more than once, `same` says whether all bytes are the same, `said` how often a run told of damage. Aim: 0, 0, yes,
whatever happened.
"""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent / "tests"))

from disturbances import FAULTS, Ground, can_mount

FEWER = {"kill worker": 0.6, "out of memory": 0.2, "terminate": 0.3, "interrupt": 0.3}
"""Share of the injections, for faults that take long or are much like another one."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--only", nargs="+", choices=FAULTS, default=list(FAULTS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dialogues", type=int, default=40)
    chosen = parser.parse_args()
    print(f"{'fault':36} {'injected':>8} {'survived':>8} {'lost':>5} {'twice':>5} {'same':>5} {'said':>5} {'s':>5}")
    with tempfile.TemporaryDirectory() as place:
        ground = Ground(Path(place), chosen.dialogues)
        for name in chosen.only:
            if name == "full disk" and not can_mount(ground.place / "catalog"):
                print("disk full: not measured, only root may mount a small disk")
                continue
            began = time.monotonic()
            times = max(1, round(chosen.times * FEWER.get(name, 1)))
            tally = FAULTS[name](ground, random.Random(f"{chosen.seed}:{name}"), times)
            print(
                f"{tally.fault:36} {tally.injected:8} {tally.survived:8} {tally.lost:5} {tally.duplicated:5} "
                f"{'yes' if tally.same else 'NO':>5} {tally.noticed or '-':>5} {time.monotonic() - began:5.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
