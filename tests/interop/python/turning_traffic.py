"""Tokens on their way from issuers to verifiers, and key sets that are watched meanwhile.

Each verifier (jose, PyJWT, Authlib, our own) is a program of its own that reads lines `ISSUER AUDIENCE TOKEN EXP` and checks each
token at once, two seconds later, every half minute, and shortly before it expires; after a line `enough` it checks each once more
and no longer. It prints `refused TOKEN TIME AGE REASON`, where the age is that of the key set in seconds since it was asked for,
`late SECONDS` when a check comes more than a second late, and in the end `checked N`. Verifiers keep the key set for as long as its
max-age and not a moment longer or shorter. In particular they do not ask for it when a token names a key that they do not know, as
most libraries would: what saves a key that came too late must not save it here.
"""

import base64
import json
import subprocess
import threading
import time
from collections import defaultdict
from dataclasses import dataclass

import requests

from turning_house import LONG, Busy, House, audience


def decoded(part: str) -> dict:
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def kid_of(token: str) -> str:
    return decoded(token.split(".")[0])["kid"]


def in_background(body, *arguments) -> threading.Thread:
    thread = threading.Thread(target=body, args=arguments, daemon=True)
    thread.start()
    return thread


@dataclass(frozen=True)
class Refusal:
    """A token that a verifier refused: when, and how old the key set was that it had."""

    token: str
    at: float
    age: float
    why: str

    def is_over(self) -> bool:
        """Whether the check was held up, as by a busy machine, until the token was over."""
        return "expired" in self.why.lower() and self.at >= decoded(self.token.split(".")[1])["exp"]


class Verifier:
    """A program that checks tokens."""

    def __init__(self, name: str, command: list[str]) -> None:
        self.name, self.checked, self.latest = name, None, 0.0
        self.refusals: list[Refusal] = []
        self._behind_at = 0.0
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._lock = threading.Lock()
        self._reading = in_background(self._read)

    def give(self, line: str) -> None:
        with self._lock:
            self._process.stdin.write(line)
            self._process.stdin.flush()

    def is_behind(self) -> bool:
        """Whether it has more to do than it can."""
        return time.time() - self._behind_at < 2

    def _read(self) -> None:
        for line in self._process.stdout:
            what, rest = line.rstrip("\n").split(" ", 1)
            if what == "refused":
                token, at, age, why = rest.split(" ", 3)
                self.refusals.append(Refusal(token, float(at), float(age), why))
            elif what == "late":
                self._behind_at, self.latest = time.time(), max(self.latest, float(rest))
            else:
                self.checked = int(rest)

    def end(self) -> int:
        """Waits until it has seen the end of every token."""
        self._process.stdin.close()
        status = self._process.wait(3 * LONG)
        self._reading.join(LONG)
        return status

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


class Watcher:
    """Reads the key set of one process all the time: since when is each key in it?"""

    def __init__(self, process: str, every: float, stopped: threading.Event) -> None:
        # By kid: when it was certainly not there, and when it certainly was. What is there at first was always there.
        self.since: dict[str, tuple[float, float]] = {}
        self.url, self._last, self._session = f"{process}/.well-known/jwks.json", None, requests.Session()
        self._every, self._stopped = every, stopped
        self._look()
        in_background(self._run)

    def _run(self) -> None:
        while not self._stopped.wait(self._every):
            try:
                self._look()
            except requests.RequestException:
                pass

    def _look(self) -> None:
        asked = time.time()
        keys = self._session.get(self.url, timeout=LONG).json()["keys"]
        there = time.time()
        for key in keys:
            self.since.setdefault(key["kid"], (self._last, there) if self._last else (0.0, 0.0))
        self._last = asked


class Traffic:
    """Gets tokens of one issuer and hands them to all verifiers, and judges which key signed."""

    def __init__(self, house: House, verifiers: list[Verifier], every: float, watched_every: float) -> None:
        self.house, self._verifiers, self._every = house, verifiers, every
        self._stopped, self._unwatched = threading.Event(), threading.Event()
        self.watchers = [Watcher(process, watched_every, self._unwatched) for process in house.processes]
        self.kids: dict[str, dict[str, None]] = defaultdict(dict)
        self.tokens, self.proven, self.busy, self.held_up, self.took = 0, 0, 0, 0, 0.0
        self.faults: list[str] = []
        # Keys that signed too early, and how that was seen.
        self.early: list[tuple[str, str]] = []
        self._thread = in_background(self._run)

    def stop(self) -> None:
        self._stopped.set()

    def end(self) -> None:
        """Waits for the last token."""
        self.stop()
        self._thread.join(2 * LONG)
        self._unwatched.set()

    def turns(self, alg: str | None = None) -> int:
        """How often tokens came with a new key."""
        return sum(len(kids) - 1 for own, kids in list(self.kids.items()) if alg in (None, own))

    def _run(self) -> None:
        at, pause = 0, self._every
        while not self._stopped.wait(pause):
            if any(verifier.is_behind() for verifier in self._verifiers):
                self.held_up += 1
                continue
            alg = "RS256" if "RS256" in self.house.algorithms and at % 8 == 0 else "ES256"
            at += 1
            began = time.time()
            try:
                self._one(alg)
            except Busy:
                self.busy += 1
            except Exception as error:
                self.faults.append(f"no token: {type(error).__name__} {error}")
            took = time.time() - began
            self.took += took
            # A machine that is slow is asked for less.
            pause = max(self._every, 2 * took)

    def _one(self, alg: str) -> None:
        asked = time.time()
        token = self.house.token("service", grant_type="client_credentials", scope=f"{alg.lower()}:read")["access_token"]
        got = time.time()
        claims, kid = decoded(token.split(".")[1]), kid_of(token)
        line = f"{self.house.issuer} {audience(alg)} {token} {claims['exp']}\n"
        for verifier in self._verifiers:
            verifier.give(line)
        self.tokens += 1
        self.kids[alg].setdefault(kid)
        for watcher in self.watchers:
            absent, there = watcher.since.get(kid, (got, got))
            # Without doubt published for less than max-age, or without doubt for longer; the watcher does not see everything.
            if got - absent < self.house.clocks.max_age:
                self.early.append((kid, f"{kid} signed {got - absent:.2f} s after {watcher.url} was without it"))
            self.proven += asked - there >= self.house.clocks.max_age
