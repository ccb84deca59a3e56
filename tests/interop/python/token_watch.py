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
    (monotonic) the key set in use was asked for. Each issuer has a thread of its own, so that none waits for another."""
    watches: dict[str, _Watch] = {}
    for line in sys.stdin:
        if line == "enough\n":
            for one in watches.values():
                one.lines.put(line)
            continue
        issuer = line.split(" ", 1)[0]
        if issuer not in watches:
            watches[issuer] = _Watch(check, asked)
        watches[issuer].lines.put(line)
    for one in watches.values():
        one.lines.put(None)
    for one in watches.values():
        one.join()
    _say(f"checked {sum(one.checked for one in watches.values())}")


class _Watch(threading.Thread):
    """Checks the tokens of one issuer."""

    def __init__(self, check: Callable[[str, str, str], None], asked: Callable[[str], float]) -> None:
        super().__init__()
        self._check, self._asked = check, asked
        self.lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self.checked, self._told, self._ended = 0, 0.0, False
        # When, a number that orders what is due at once, the line, and when it is due again.
        self._due: list[tuple[float, int, str, list[float]]] = []
        self._order = itertools.count()
        self.start()

    def run(self) -> None:
        while self._due or not self._ended:
            pause = max(self._due[0][0] - time.time(), 0) if self._due else None
            try:
                self._take(self.lines.get(timeout=pause))
            except queue.Empty:
                pass
            while self._due and self._due[0][0] <= time.time():
                self._one(*heapq.heappop(self._due))

    def _take(self, line: str | None) -> None:
        if line is None:
            self._ended = True
        elif line == "enough\n":
            self._due = [(time.time(), next(self._order), line, []) for _, _, line, _ in self._due]
        else:
            self._again(time.time(), line, _later(float(line.split()[3])))

    def _again(self, at: float, line: str, later: list[float]) -> None:
        heapq.heappush(self._due, (at, next(self._order), line, later))

    def _one(self, at: float, _: int, line: str, later: list[float]) -> None:
        issuer, audience, token, exp = line.split()
        late = time.time() - at
        if late > 1 and time.time() - self._told > 1:
            self._told = time.time()
            _say(f"late {late:.1f}")
        # Who was held up until then would check a token that is over.
        if time.time() > float(exp) - MARGIN / 4:
            return
        try:
            self._check(issuer, audience, token)
        except NoAnswer:
            self._again(time.time() + AGAIN, line, later)
            return
        except Exception as error:
            words = f"{type(error).__name__} {error}".replace("\n", " ")
            age = time.monotonic() - self._asked(issuer)
            _say(f"refused {token} {time.time():.3f} {age:.3f} {words}")
        else:
            if later:
                self._again(later[0], line, later[1:])
        self.checked += 1


def _say(line: str) -> None:
    # One call, since there are many threads.
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _later(exp: float) -> list[float]:
    """When a token is checked that has just come and was checked at once."""
    now = time.time()
    last = exp - MARGIN
    steps = itertools.takewhile(lambda at: at < last - MARGIN, itertools.count(now + STEP, STEP))
    return [now + 2, *steps, last]
