"""From revocation to refusal: tokens are taken back in every way there is, and two sample APIs are shown all of them, all the time. They
are the programs of our guides (`status_lists.py`, `revocations.py`): one polls the status lists at their `ttl`, one listens to the stream
besides. Every token that was taken back must be refused, and no other, ever; with one process over SQLite and three over PostgreSQL,
while processes are stopped and killed and come back.

How long that takes is measured and printed. At most `ttl` + 6 s and 1 s are what a machine with time keeps; this fails where that is
missed by far. FRONTDESK_TESTS=long has 1000 trials instead of 100. REVOCATION=unsafe has the APIs keep the first list they see: then the
suite must fail.
"""

import itertools
import math
import random
import signal
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from revocation_house import BusyHouse, is_long
from revocation_trials import BY_COMMAND, ONCE, THROUGH_SERVER, Trial, client_disabled, of_own_token, own_token
from revocation_watch import Api, Watch
from settings import settings
from suite import Suite
from turning_house import LONG, patiently
from turning_proof import postgres

TRIALS = 1000 if is_long() else 100
# What must be kept, in seconds: ttl + 6, and at once. And what is missed by far.
BOUNDS, FAR = {"polls": 16.0, "listens": 1.0}, 3
# Tokens that nobody takes back, besides those that stand beside some that are.
QUIET = 10
# Trials of which each has an app or a service of its own.
OWN_APP = of_own_token, client_disabled
# How many revocations there are between two processes that go.
ROUND = 16


class Stage:
    """A house, its trials, and what its APIs say."""

    def __init__(self, name: str, trials: int, database: str | None, processes: int) -> None:
        self.name, self._processes = name, processes
        kinds = THROUGH_SERVER + BY_COMMAND
        some = [kind for _, kind in zip(range(trials - len(ONCE) * (trials // 20)), itertools.cycle(kinds))]
        self._kinds = ONCE * (trials // 20) + some
        # No trial has more than two people, and few have as many; some have an app or a service of their own.
        apps = sum(kind in OWN_APP for kind in self._kinds)
        self.house = BusyHouse(name, trials + trials // 2 + QUIET, apps, database=database, processes=processes)
        self.watch = Watch(self.house, ("listener", settings["client_secret"]))
        self.trials: list[Trial] = []
        self.live: list[str] = []
        # Those that were given after a trial, and of which.
        self.fresh: dict[str, str] = {}

    def prepare(self) -> None:
        """Signs everybody in, and waits until both APIs accept all tokens."""
        names = (f"person{at}" for at in itertools.count())
        lock, numbers = threading.Lock(), itertools.count()

        def next_names():
            while True:
                with lock:
                    name = next(names)
                yield name

        def one(kind) -> Trial:
            with lock:
                number = next(numbers) if kind in OWN_APP else -1
            return patiently(lambda: kind(self.house, next_names(), number))

        with ThreadPoolExecutor(4) as signing_in:
            self.trials = list(signing_in.map(one, self._kinds))
            self.live = [token for trial in self.trials for token in trial.live]
        self.live += [patiently(lambda: own_token(self.house, "web")) for _ in range(QUIET)]
        self.watch.show([*self.live, *self.dead()])
        self.watch.until(self.watch.are_all("accepted", [*self.live, *self.dead()]), LONG)
        self.watch.must_be("accepted", [*self.live, *self.dead()])

    def dead(self) -> list[str]:
        return [token for trial in self.trials for token in trial.dead]

    def act(self) -> None:
        """All trials: some at peace, some while a process is stopped, some while one is killed."""
        at_peace = [trial for trial in self.trials if trial.kind == "password changed"]
        others = [trial for trial in self.trials if trial.kind != "password changed"]
        random.shuffle(others)
        self._some(at_peace)
        turns = itertools.cycle([None, signal.SIGTERM, signal.SIGKILL])
        processes = itertools.cycle(range(self._processes))
        for start in range(0, len(others), ROUND):
            some, how = others[start : start + ROUND], next(turns)
            if how is None:
                self._some(some)
            else:
                self._meanwhile(some, next(processes), how)

    def _some(self, trials: list[Trial]) -> None:
        with ThreadPoolExecutor(3) as acting:
            list(acting.map(self._one, trials))

    def _one(self, trial: Trial) -> None:
        trial.begun = time.time()
        patiently(trial.act)
        trial.done = time.time()
        fresh = patiently(trial.fresh)
        self.live += fresh
        self.fresh |= {token: f"given {time.time() - trial.done:.2f} s after: {trial.kind}" for token in fresh}
        self.watch.show(fresh)

    def _meanwhile(self, trials: list[Trial], at: int, how: signal.Signals) -> None:
        """Where one process is all there is, people and apps wait until it is back; admins need not."""
        with ThreadPoolExecutor(1) as acting:
            acted = acting.submit(self._some, trials)
            time.sleep(1)
            self.house.stop_one(at, how)
            time.sleep(2)
            self.house.start_one(at)
            acted.result()
        # It may be waiting for longer each time; and who is away already cannot be cut off.
        self.watch.until(lambda api: not api.stream or api.hears(), LONG)

    def settle(self) -> None:
        """Waits until everything that was taken back is refused, and some more."""
        self.watch.until(self.watch.are_all("refused revoked", self.dead()), FAR * BOUNDS["polls"] + 30)
        self.watch.until(self.watch.are_all("accepted", self.live), 30)
        time.sleep(3)

    def waited(self, api: Api) -> list[tuple[float, str]]:
        """After how many seconds each token was refused, and how it was taken back. With the stream only the seconds count in which it
        was there."""
        of = []
        for trial in self.trials:
            for token in trial.dead:
                refused = api.refused_at(token)
                waited = max(0.0, refused - trial.done)
                counted = api.heard_for(trial.done, refused) if api is self.watch.listens else waited
                of.append((counted, f"{trial.kind}, after {waited:.2f} s"))
        return sorted(of)

    def judge(self, check) -> None:
        for api in self.watch.apis:
            with check(f"{self.name}: the API that {api.name} refuses what {len(self.trials)} revocations took back, and nothing else"):
                self._judge(api)
            with check(f"{self.name}: the API that {api.name} does so in time"):
                bound, of = BOUNDS[api.name], self.waited(api)
                waited = [seconds for seconds, _ in of]
                kept = sum(seconds <= bound for seconds in waited)
                print(f"     {self.name}, {api.name}: {figures(waited)}; {kept} of {len(waited)} within {bound:.0f} s", flush=True)
                for seconds, how in of[-3:]:
                    if seconds > bound:
                        print(f"     {self.name}, {api.name}: late: {how}", flush=True)
                far = sum(seconds > FAR * bound for seconds in waited)
                assert far <= len(waited) / 20, f"{far} of {len(waited)} took more than {FAR * bound:.0f} s"
                assert max(waited) <= FAR * BOUNDS["polls"], f"{max(waited):.1f} s"

    def _judge(self, api: Api) -> None:
        dead = set(self.dead())
        never = [trial.kind for trial in self.trials if any(api.refused_at(token) is None for token in trial.dead)]
        assert not never, f"{len(never)} were never refused: {sorted(set(never))}"
        early = [trial.kind for trial in self.trials if any(api.refused_at(token) < trial.begun for token in trial.dead)]
        assert not early, f"refused before they were revoked: {early}"
        back = [token for token in dead if any(state == "accepted" for at, state in api.said[token] if at > api.refused_at(token))]
        assert not back, f"{len(back)} were accepted again"
        wrong = [token for token in self.live if any(state.startswith("refused") for _, state in api.said[token])]
        assert not wrong, f"{len(wrong)} live tokens were refused: {[self.fresh.get(token, 'from the beginning') for token in wrong][:5]}"
        unsure = sum(state.startswith("unavailable") for said in api.said.values() for _, state in said)
        print(f"     {self.name}, {api.name}: {len(dead)} dead and {len(self.live)} live tokens; {unsure} times nobody could say", flush=True)


def figures(ordered: list[float]) -> str:
    part = lambda share: ordered[math.ceil(share * len(ordered)) - 1]  # noqa: E731
    return f"median {statistics.median(ordered):.2f} s, 95 % {part(0.95):.2f} s, 99 % {part(0.99):.2f} s, longest {ordered[-1]:.2f} s"


def run(check, database: str, stages: list[Stage]) -> None:
    def both(body) -> None:
        with ThreadPoolExecutor(2) as doing:
            list(doing.map(body, stages))

    began = time.time()

    def so_far(what: str) -> None:
        print(f"     {what} after {time.time() - began:.0f} s", flush=True)

    with check("issuers start, one of them three processes over PostgreSQL"):
        stages.append(Stage("sqlite", TRIALS // 2, None, 1))
        stages.append(Stage("postgres", TRIALS - TRIALS // 2, database, 3))
        so_far("started")
    with check("people and services get tokens, and both APIs accept them"):
        both(Stage.prepare)
        so_far("all had tokens")
    with check("tokens are taken back in every way, while processes are stopped and killed"):
        both(Stage.act)
        so_far("all was taken back")
    with check("both APIs know all that was taken back, and accept what was given since"):
        both(Stage.settle)
        so_far("all was known")
    for stage in stages:
        stage.judge(check)
    with check("the stream came back after each process that went"):
        for stage in stages:
            away = stage.watch.listens.away()
            missed = sum(not stage.watch.listens.hears(trial.done) for trial in stage.trials)
            words = f"the stream went away {len(away)} times, for {max(away, default=0):.1f} s at most; {missed} trials were done meanwhile"
            print(f"     {stage.name}: {words}", flush=True)
            assert stage.watch.listens.hears()
            # One process is always the one that goes.
            assert len(away) >= 2 or stage.name != "sqlite", away
    with check("all processes stop with 0"):
        for stage in stages:
            assert {api.end() for api in stage.watch.apis} == {0}
            assert set(stage.house.stop()) == {0}, stage.name


tests = Suite("revocation")
stages: list[Stage] = []
try:
    with tests.flow("from revocation to refusal") as check, postgres() as database:
        run(check, database, stages)
finally:
    for stage in stages:
        stage.watch.kill()
        stage.house.kill()
tests.end()
