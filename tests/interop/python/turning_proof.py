"""What two suites have in common that turn keys under the eyes of verifiers: everything that runs meanwhile, and the verdict."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

from suite import Suite
from turning_house import House
from turning_revoke import by_api, by_command, revoke
from turning_traffic import Traffic, Verifier, kid_of

here = Path(__file__).parent


@contextmanager
def postgres():
    """A throwaway cluster; the user it runs as must be able to go there."""
    folder = Path(tempfile.mkdtemp(prefix="frontdesk-turning."))
    folder.chmod(0o711)
    program = here.parents[1] / "postgres"
    try:
        started = subprocess.run([program, "start", folder / "cluster"], check=True, capture_output=True, text=True)
        yield started.stdout.strip()
    finally:
        subprocess.run([program, "stop", folder / "cluster"], check=False, capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)


class Proof:
    """Issuers, verifiers, and what goes on between them."""

    def __init__(self, tests: Suite) -> None:
        self.tests = tests
        self.houses: list[House] = []
        self.traffics: list[Traffic] = []
        self.verifiers: list[Verifier] = []
        # By key: when it was thrown out.
        self.revoked: dict[str, float] = {}
        # By issuer: all its keys in the end.
        self._books: dict[str, list[dict]] = {}
        self._ended = False

    def begin(self, max_age: int, every: float, watched_every: float) -> None:
        """Has every verifier check tokens of every house, a new one of each house every so many seconds."""
        for name, command in (
            ("jose", ["node", str(here.parent / "node/turning-jose.mjs")]),
            ("PyJWT", [sys.executable, "-B", str(here / "turning_pyjwt.py")]),
            ("Authlib", [sys.executable, "-B", str(here / "turning_authlib.py")]),
            ("our own", [os.environ["TURNING_VERIFIER"]]),
        ):
            self.verifiers.append(Verifier(name, [*command, str(max_age)]))
        self.traffics = [Traffic(house, self.verifiers, every, watched_every) for house in self.houses]

    def throw_out(self, check, house: House, way: str) -> None:
        """Revokes the key that signs: by `command` or by `API`."""
        with check(f"{house.name}: every process refuses what a key signed that was revoked by {way}"):
            one = revoke(house, {"command": by_command, "API": by_api}[way])
            self.revoked[one.kid] = time.time()
            first, *others = (f"{seconds:.2f} s" for seconds in one.waited)
            by = {"command": ("by the processes", ""), "API": ("by the same process", "by others ")}[way]
            waited = f"{by[0]} after {first}" + (f", {by[1]}{', '.join(others)}" if others else "")
            print(f"     {house.name}: revoked by {way} in {one.took:.2f} s; after that refused {waited}", flush=True)

    def end(self, check, enough: bool) -> None:
        """Ends tokens, verifiers and issuers. `enough`: each token is checked once more; else until it ends."""
        with check("the verifiers see the end of every token"):
            for traffic in self.traffics:
                traffic.stop()
            for traffic in self.traffics:
                traffic.end()
            for verifier in self.verifiers if enough else ():
                verifier.give("enough\n")
            statuses = {verifier.name: verifier.end() for verifier in self.verifiers}
            assert set(statuses.values()) == {0}, statuses
        with check("one key of each algorithm signs and one waits, everywhere"):
            for house in self.houses:
                self._books[house.name] = house.keys()
                standing = Counter((key["alg"], key["state"]) for key in self._books[house.name])
                for alg in house.algorithms:
                    assert standing[alg, "active"] == standing[alg, "pending"] == 1, (house.name, standing)
        with check("all processes stop with 0"):
            for house in self.houses:
                assert set(house.stop()) == {0}, house.name
        self._ended = True

    def kill(self) -> None:
        """Ends what still runs, after a failure."""
        for traffic in self.traffics:
            traffic.stop()
        for verifier in self.verifiers:
            verifier.kill()
        for house in self.houses:
            house.kill()

    def judge(self) -> None:
        """The verdict on what verifiers refused and on what was signed; there is none if it did not come to an end."""
        if not self._ended:
            return
        tokens, held_up = (sum(getattr(traffic, name) for traffic in self.traffics) for name in ("tokens", "held_up"))
        took = sum(traffic.took for traffic in self.traffics) / max(tokens, 1)
        print(f"     {tokens} tokens, each in {took:.2f} s; {held_up} were left out because a verifier was behind", flush=True)
        late = self._late_keys()
        for verifier in self.verifiers:
            with self.tests.flow(verifier.name) as check:
                self._judge_verifier(check, verifier, late)
        with self.tests.flow("signatures") as check:
            self._judge_signatures(check, late)
        with self.tests.flow("by the book") as check, check("no key signed before it had been published for long enough"):
            for house in self.houses:
                judge_book(house, self._books[house.name])

    def _late_keys(self) -> set[str]:
        """Keys that a process took so long to publish that nobody could know them in time: it hardly ran meanwhile, or did not
        reach its database. Where settings are in days, that takes nothing from the time that a key is known."""
        late, longest = set(), 0.0
        for traffic in self.traffics:
            clocks = traffic.house.clocks
            published = {key["kid"]: key["published_at"] for key in self._books[traffic.house.name]}
            for watcher in traffic.watchers:
                for kid, (absent, _) in watcher.since.items():
                    # Moments are whole seconds, cut off.
                    after = absent - published[kid] - 1
                    longest = max(longest, after)
                    if after > (clocks.ahead - clocks.max_age) / 2:
                        late.add(kid)
        print(f"     the slowest process published a key {longest:.1f} s late; {len(late)} keys were late for good", flush=True)
        return late

    def _judge_verifier(self, check, verifier: Verifier, late: set[str]) -> None:
        tokens = sum(traffic.tokens for traffic in self.traffics)
        behind = f", the latest {verifier.latest:.1f} s behind" if verifier.latest else ""
        print(f"     {verifier.name}: {verifier.checked} checks of {tokens} tokens{behind}", flush=True)
        max_age = self.houses[0].clocks.max_age
        with check("refuses no valid token"):
            assert verifier.checked and verifier.checked > tokens
            known_to_nobody = late | self.revoked.keys()
            wrong = [one for one in verifier.refusals if kid_of(one.token) not in known_to_nobody and not one.is_over()]
            # A key is in every set that was asked for since it was published. Older ones are kept by nobody, unless the answer was
            # held up on its way: libraries note the time when it comes.
            known = self.houses[0].clocks.ahead - 1
            old = [one for one in wrong if one.age > known]
            if old:
                print(f"     {verifier.name}: {len(old)} refused with key sets {max(one.age for one in old):.1f} s old", flush=True)
            refused = [one.why for one in wrong if one.age <= known]
            assert not refused, f"{len(refused)} refused: {Counter(refused).most_common(3)}"
            assert len(old) < tokens / 100, f"{len(old)} refused with old key sets"
        # Who keeps a key set may go on to accept it for as long.
        long_ago = {kid for kid, at in self.revoked.items() if time.time() - at > max_age + 30}
        if long_ago:
            with check(f"refuses what {len(long_ago)} revoked keys signed"):
                assert {kid_of(one.token) for one in verifier.refusals} >= long_ago

    def _judge_signatures(self, check, late: set[str]) -> None:
        faults = [fault for traffic in self.traffics for fault in traffic.faults]
        faults += [why for traffic in self.traffics for kid, why in traffic.early if kid not in late]
        tokens = sum(traffic.tokens for traffic in self.traffics)
        busy = sum(traffic.busy for traffic in self.traffics)
        with check("no key signs before it was known for as long as key sets are kept, and no token is denied"):
            if busy:
                print(f"     {busy} times a server had not reached its database for too long", flush=True)
            assert not faults, f"{len(faults)}: {faults[:3]}"
            assert busy < tokens / 4
        with check("nearly all keys are published in time by every process"):
            assert len(late) <= sum(traffic.turns() for traffic in self.traffics) / 50, late
        with check("the watchers saw that of most tokens"):
            looks = sum(traffic.tokens * len(traffic.watchers) for traffic in self.traffics)
            proven = sum(traffic.proven for traffic in self.traffics)
            print(f"     {proven} of {looks}", flush=True)
            assert proven > looks / 2


def judge_book(house: House, keys: list[dict]) -> None:
    birth = min(key["published_at"] for key in keys)
    for key in keys:
        # Nobody has ever seen a key set without those that are as old as the issuer.
        ahead = key["activate_at"] - key["published_at"]
        fine = key["published_at"] == birth or ahead >= house.clocks.ahead
        assert key["state"] == "pending" or fine, f"{house.name}: published {ahead} s before it signed: {key}"
