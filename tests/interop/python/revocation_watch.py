"""The sample APIs, as the proof sees them: which token each accepts, and since when."""

import itertools
import math
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from revocation_house import API, BusyHouse, guide
from turning_house import LONG
from turning_traffic import in_background

here = Path(__file__).parent


class Api:
    """A program that is shown all tokens, again and again."""

    def __init__(self, name: str, house: BusyHouse, client: list[str]) -> None:
        self.name = name
        # By token: what was said of it, and when, in this order.
        self.said: dict[str, list[tuple[float, str]]] = {}
        # When the stream came and went.
        self.stream: list[tuple[float, bool]] = []
        self._tokens: list[str] = []
        command = [sys.executable, "-B", str(here / "revocation_api.py"), str(house.folder), house.issuer, API, *client]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._reading = in_background(self._read)

    def show(self, tokens: Iterable[str]) -> None:
        for token in tokens:
            self.said[token] = []
            self._tokens.append(token)
            self._process.stdin.write(f"{len(self._tokens) - 1} {token}\n")
        self._process.stdin.flush()

    def state(self, token: str) -> str:
        return self.said[token][-1][1] if self.said[token] else "not seen"

    def refused_at(self, token: str) -> float | None:
        return next((at for at, state in self.said[token] if state == "refused revoked"), None)

    def heard_for(self, start: float, end: float) -> float:
        """In how many seconds of these the stream was there."""
        ups = [(at, is_up) for at, is_up in self.stream if at <= end] + [(end, False)]
        return sum(max(0.0, min(until, end) - max(at, start)) for (at, is_up), (until, _) in itertools.pairwise(ups) if is_up)

    def hears(self, at: float = math.inf) -> bool:
        """Whether the stream was there at a moment; or is now."""
        return next((is_up for when, is_up in reversed(self.stream) if when <= at), False)

    def away(self) -> list[float]:
        """For how long the stream was away, each time."""
        return [up - down for (down, is_up), (up, _) in itertools.pairwise(self.stream) if not is_up]

    def _read(self) -> None:
        for line in self._process.stdout:
            who, at, state = line.rstrip("\n").split(" ", 2)
            if who == "-":
                self.stream.append((float(at), state == "up"))
            else:
                self.said[self._tokens[int(who)]].append((float(at), state))

    def end(self) -> int:
        self._process.stdin.close()
        status = self._process.wait(LONG)
        self._reading.join(LONG)
        return status

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


class Watch:
    """The APIs of a house."""

    def __init__(self, house: BusyHouse, client: tuple[str, str]) -> None:
        guide("docs/protect-an-api.md", "status_lists.py", house.folder)
        guide("docs/revocation.md", "revocations.py", house.folder)
        self.polls, self.listens = Api("polls", house, []), Api("listens", house, list(client))
        self.apis = [self.polls, self.listens]

    def show(self, tokens: Iterable[str]) -> None:
        for api in self.apis:
            api.show(tokens)

    def until(self, wanted: Callable[[Api], bool], seconds: float) -> None:
        """Waits for something of all APIs, but not for ever: what does not come is seen in the end."""
        began = time.time()
        while not all(wanted(api) for api in self.apis) and time.time() - began < seconds:
            time.sleep(0.1)

    def are_all(self, state: str, tokens: Iterable[str]) -> Callable[[Api], bool]:
        tokens = list(tokens)
        return lambda api: all(api.state(token) == state for token in tokens)

    def must_be(self, state: str, tokens: Iterable[str]) -> None:
        for api in self.apis:
            others = Counter(api.state(token) for token in tokens if api.state(token) != state)
            assert not others, f"the API that {api.name} says of tokens that are to be {state}: {dict(others)}"

    def kill(self) -> None:
        for api in self.apis:
            api.kill()
