"""An hour with the settings and clocks that people have: keys turn by `keys rotate --now` and one of each issuer is thrown out,
while four verifiers check tokens all the time.

`--now` warns here, since by the settings a key is known only after a day. It breaks nobody all the same once the key has been
published for longer than key sets are kept, and that is what is shown: no verifier refuses a valid token. TURNING_HOUR says how
many seconds an hour has (3600); two minutes are enough for a turn and a revocation of keys that are as old as the issuer.
"""

import os
import time

from suite import Suite
from turning_house import REAL, House
from turning_proof import Proof, postgres

HOUR = int(os.environ.get("TURNING_HOUR") or 3600)
BOTH = ["ES256", "RS256"]


def until(proof: Proof, end: float, algorithms: list[str]) -> int:
    """Turns the keys of these algorithms whenever the next is known, one every half minute. Gives how often."""
    turns = 0
    while (left := end - time.time()) > 0:
        time.sleep(min(30, left))
        for house in proof.houses:
            turns += any(house.turn(alg) for alg in algorithms)
    return turns


def run(proof: Proof, check, database: str) -> None:
    with check("two issuers start, one of them three processes over PostgreSQL"):
        proof.houses.append(House("sqlite", BOTH, REAL))
        proof.houses.append(House("postgres", BOTH, REAL, database=database, processes=3))
    proof.begin(REAL.max_age, 2, 1)
    began = time.time()
    # The key that takes over in an emergency must be known, too: so before it no key of its algorithm turns for a while.
    emergency = began + HOUR * 0.6
    with check(f"keys turn for {HOUR} s"):
        turns = until(proof, emergency - REAL.ahead - 60, BOTH)
        turns += until(proof, emergency, ["RS256"])
    for house in proof.houses:
        proof.throw_out(check, house, "API")
    with check("keys turn after a revocation too"):
        turns += until(proof, began + HOUR, BOTH)
        seen = sum(traffic.turns() for traffic in proof.traffics)
        acts = f"{turns} turns and {len(proof.revoked)} revocations in {time.time() - began:.0f} s"
        print(f"     {acts}; tokens came with a new key {seen} times", flush=True)
        # The last turn may have been a moment ago.
        assert turns >= len(proof.houses)
        assert seen >= turns + len(proof.revoked) - 2 * len(proof.houses)
    proof.end(check, enough=True)


tests = Suite("turning-hour")
proof = Proof(tests)
try:
    with tests.flow("all at once") as check, postgres() as database:
        run(proof, check, database)
finally:
    proof.kill()
proof.judge()
tests.end()
