"""Keys turn all the time, and four verifiers check tokens all the time: none may refuse a good one. All clocks are scaled.

FRONTDESK_TESTS=long turns the keys 1000 times instead of 200. TURNING=unsafe has two admins who turn them at once with `--now`, so
that keys sign which nobody knows yet: then the suite must fail.
"""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from suite import Suite
from turning_house import LONG, House, scaled
from turning_proof import Proof, postgres
from turning_traffic import in_background

turns_wanted = 1000 if os.environ.get("FRONTDESK_TESTS") == "long" else 200
unsafe = os.environ.get("TURNING") == "unsafe"
BOTH = ["ES256", "RS256"]
# Issuers that turn their keys by themselves.
OWN = 10
# Seconds in which an issuer starts on a machine that has time.
QUICK = 5


class Admin:
    """Turns the key as often as is safe, of RSA now and then."""

    def __init__(self, house: House) -> None:
        self._house, self._stopped, self._fault = house, threading.Event(), None
        self._thread = in_background(self._run)

    def end(self) -> None:
        self._stopped.set()
        self._thread.join(3 * LONG)
        assert self._fault is None, self._fault

    def _run(self) -> None:
        at = 0
        try:
            while not self._stopped.wait(4 if unsafe else 1):
                self._turn("RS256" if at % 8 == 4 else "ES256")
                at += 1
        except Exception as error:
            self._fault = error

    def _turn(self, alg: str) -> None:
        if not unsafe:
            self._house.run("keys", "rotate", "--alg", alg, "--json")
            return
        # Both at the same time: the key that the one publishes is the one that the other has sign.
        both = [in_background(self._house.run, "keys", "rotate", "--alg", alg, "--now", "--json") for _ in range(2)]
        for one in both:
            one.join()


def start(proof: Proof, database: str) -> int:
    """Starts all issuers. By how long that takes for the first, gives the factor that their clocks are scaled with."""
    began = time.time()
    proof.houses.append(House("sqlite", BOTH, scaled(1, "30d")))
    took = time.time() - began
    factor = 1 if took < QUICK else 2
    clocks = f"key sets are kept for {factor} s, keys published {4 * factor} s ahead"
    print(f"     the first issuer started in {took:.1f} s: {clocks}", flush=True)
    if factor > 1:
        proof.houses.pop().stop()
        proof.houses.append(House("slow-sqlite", BOTH, scaled(factor, "30d")))
    with ThreadPoolExecutor(3) as starting:
        others = [starting.submit(House, "postgres", BOTH, scaled(factor, "30d"), database=database, processes=3)]
        period = f"{5 * factor}s"
        others += [starting.submit(House, f"own{at}", ["ES256"], scaled(factor, period)) for at in range(OWN)]
        proof.houses += [house.result() for house in others]
    return factor


def until_turned(proof: Proof) -> None:
    began = time.time()
    while sum(traffic.turns() for traffic in proof.traffics) < turns_wanted and time.time() - began < 4 * turns_wanted:
        time.sleep(0.5)
    by_issuer = {traffic.house.name: traffic.turns() for traffic in proof.traffics}
    of_rsa = sum(traffic.turns("RS256") for traffic in proof.traffics)
    print(f"     turns after {time.time() - began:.0f} s: {by_issuer}, {of_rsa} of them of RS256", flush=True)
    assert sum(by_issuer.values()) >= turns_wanted
    assert all(count >= turns_wanted / 40 for count in by_issuer.values())
    assert all(traffic.turns("RS256") for traffic in proof.traffics[:2])


def run(proof: Proof, check, database: str) -> None:
    with check("issuers start, one of them three processes over PostgreSQL"):
        max_age = start(proof, database)
    proof.begin(max_age, 0.3, 0.4)
    by_hand = proof.houses[:2]
    admins = [Admin(house) for house in by_hand]
    with check(f"keys turn {turns_wanted} times, of both algorithms and in every issuer"):
        until_turned(proof)
        for admin in admins:
            admin.end()
    # The tokens of the others run out meanwhile.
    for traffic in proof.traffics[2:]:
        traffic.stop()
    for way in ("command", "API"):
        for house in by_hand:
            proof.throw_out(check, house, way)
    # The verifiers see tokens of the keys that came in their place.
    time.sleep(3 * max_age)
    proof.end(check, enough=False)


tests = Suite("turning")
proof = Proof(tests)
try:
    with tests.flow("all at once") as check, postgres() as database:
        run(proof, check, database)
finally:
    proof.kill()
proof.judge()
tests.end()
