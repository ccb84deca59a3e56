"""Checks tokens again and again until shortly before they expire. What is read and printed is described in turning_suite.py."""

import heapq
import itertools
import queue
import sys
import threading
import time
from collections.abc import Callable

# Seconds before the end of a token at which it is checked for the last time.
MARGIN = 2.0
# For how long the key set may be kept.
KEPT = int(sys.argv[1])


def watch(check: Callable[[str, str, str], None]) -> None:
    """Checks every token of standard input. `check` gets issuer, audience and token, and raises what is wrong."""
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def read() -> None:
        for line in sys.stdin:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    due: list[tuple[float, int, str, list[float]]] = []
    order = itertools.count()
    checked, ended = 0, False
    while due or not ended:
        pause = max(due[0][0] - time.time(), 0) if due else 1.0
        try:
            line = lines.get(timeout=pause)
            if line is None:
                ended = True
            else:
                life = float(line.split()[3]) - time.time()
                later = [time.time() + at for at in (2.0, life / 2, life - MARGIN)]
                heapq.heappush(due, (time.time(), next(order), line, later))
        except queue.Empty:
            pass
        while due and due[0][0] <= time.time():
            _, _, line, later = heapq.heappop(due)
            issuer, audience, token, exp = line.split()
            # Who was held up until then would check a token that is over.
            if time.time() > float(exp) - MARGIN / 4:
                continue
            checked += 1
            try:
                check(issuer, audience, token)
            except Exception as error:
                words = f"{type(error).__name__} {error}".replace("\n", " ")
                print(f"refused {token} {words}", flush=True)
                continue
            if later:
                heapq.heappush(due, (later[0], next(order), line, later[1:]))
    print(f"checked {checked}", flush=True)
