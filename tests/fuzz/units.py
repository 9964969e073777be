"""A search for mails that take long: random units of a few characters, repeated in every field and in bodies.

    python tests/fuzz/units.py --seconds 600 [--seed 1] [--size 60000]

Prints each unit that is slower than all before in its place, in CPU seconds a MB, and at the end the worst of
each place. Ends with 1 if the time of one of these is not linear (tests/support/units.py).
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path

sys.path[:0] = [
    str(Path(__file__).resolve().parents[2]),
    str(Path(__file__).resolve().parents[1]),
]

from support.units import LINEAR, PLACES, Unit, growth, seconds, unit_at  # noqa: E402

SLOW_S_PER_MB = 0.5
BODIES_ARE_LARGER = 8


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--size", type=int, default=60_000)
    asked = parser.parse_args()
    rng = random.Random(asked.seed)
    end = time.monotonic() + asked.seconds
    worst: dict[str, tuple[float, Unit, int]] = {}
    count = 0
    while time.monotonic() < end:
        for place in PLACES:
            unit = unit_at(rng, place)
            # Bodies have no bound like that of fields: what is slow there may show in larger ones only.
            size = asked.size * (BODIES_ARE_LARGER if place.islower() and rng.random() < 0.2 else 1)
            raw = unit.mail(size)
            took = seconds(raw) / len(raw) * 1e6
            if took > worst.get(place, (SLOW_S_PER_MB,))[0]:
                took = min(took, seconds(raw, 2) / len(raw) * 1e6)
            if took > worst.get(place, (SLOW_S_PER_MB,))[0]:
                worst[place] = (took, unit, size)
                print(f"{took:8.2f} s/MB {unit}", flush=True)
            count += 1
    print(f"{count} units; the worst of each place:")
    failed = False
    for took, unit, size in sorted(worst.values(), reverse=True):
        grows = growth(unit.mail, size // 4, size, 0.003)
        failed |= grows >= LINEAR
        print(f"{took:8.2f} s/MB, growth {grows:4.1f} {unit}")
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
