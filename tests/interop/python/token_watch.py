"""Checks tokens again and again until shortly before they expire. What is read and printed is described in turning_traffic.py."""

import heapq
import itertools
import queue
import sys
import threading
import time
from collections.abc import Callable

# Seconds between two checks of a token, before its end at which it is checked for the last time, and before a question that
# was not answered is put again.
STEP, MARGIN, AGAIN = 30.0, 2.0, 0.5
# For how long the key set may be kept.
KEPT = int(sys.argv[1])


class NoAnswer(Exception):
    """The issuer could not be asked for its keys, which says nothing about the token."""


def watch(check: Callable[[str, str, str], None], asked: Callable[[str], float]) -> None:
    """Checks every token of standard input. `check` gets issuer, audience and token, and raises what is wrong. `asked` says when
    (monotonic) the key set in use was asked for."""
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def read() -> None:
        for line in sys.stdin:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    due: list[tuple[float, int, str, list[float]]] = []
    order = itertools.count()
    checked, ended, told = 0, False, 0.0
    while due or not ended:
        pause = max(due[0][0] - time.time(), 0) if due else 1.0
        try:
            line = lines.get(timeout=pause)
            if line is None:
                ended = True
            elif line == "enough\n":
                due = [(0, next(order), line, []) for _, _, line, _ in due]
            else:
                heapq.heappush(due, (time.time(), next(order), line, _later(float(line.split()[3]))))
        except queue.Empty:
            pass
        while due and due[0][0] <= time.time():
            at, _, line, later = heapq.heappop(due)
            issuer, audience, token, exp = line.split()
            late = time.time() - at
            if at and late > 1 and time.time() - told > 1:
                told = time.time()
                print(f"late {late:.1f}", flush=True)
            # Who was held up until then would check a token that is over.
            if time.time() > float(exp) - MARGIN / 4:
                continue
            try:
                check(issuer, audience, token)
            except NoAnswer:
                heapq.heappush(due, (time.time() + AGAIN, next(order), line, later))
                continue
            except Exception as error:
                checked += 1
                words = f"{type(error).__name__} {error}".replace("\n", " ")
                age = time.monotonic() - asked(issuer)
                print(f"refused {token} {time.time():.3f} {age:.3f} {words}", flush=True)
                continue
            checked += 1
            if later:
                heapq.heappush(due, (later[0], next(order), line, later[1:]))
    print(f"checked {checked}", flush=True)


def _later(exp: float) -> list[float]:
    """When a token is checked that has just come and was checked at once."""
    now = time.time()
    last = exp - MARGIN
    steps = itertools.takewhile(lambda at: at < last - MARGIN, itertools.count(now + STEP, STEP))
    return [now + 2, *steps, last]
