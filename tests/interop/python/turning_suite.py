"""Keys turn all the time, and four verifiers check tokens all the time: none may refuse a good one.

Each verifier (jose, PyJWT, Authlib, our own) is a program of its own that reads lines `ISSUER AUDIENCE TOKEN EXP`, checks each token
at once and until shortly before it expires, and prints `refused TOKEN REASON` and in the end `checked N`. They keep the key set for
as long as its max-age and not a moment longer or shorter. In particular they do not ask for it when a token names a key that they do
not know, as most libraries would: what saves a key that came too late must not save it here.

FRONTDESK_TESTS=long turns the keys 1000 times instead of 200. TURNING=unsafe has two admins who turn them at once with `--now`, so
that keys sign which nobody knows yet: then the suite must fail.
"""

import base64
import hashlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import requests

import browser
from settings import settings
from suite import Suite
from turning_house import MAX_AGE, House, audience

here = Path(__file__).parent
turns_wanted = 1000 if os.environ.get("FRONTDESK_TESTS") == "long" else 200
tests = Suite("turning")
unsafe = os.environ.get("TURNING") == "unsafe"
stopped = threading.Event()


def decoded(part: str) -> dict:
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def kid_of(token: str) -> str:
    return decoded(token.split(".")[0])["kid"]


def in_background(body, *arguments) -> threading.Thread:
    thread = threading.Thread(target=body, args=arguments, daemon=True)
    thread.start()
    return thread


class Verifier:
    """A program that checks tokens."""

    def __init__(self, name: str, command: list[str]) -> None:
        self.name, self.refusals, self.checked = name, [], None
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._lock = threading.Lock()
        self._reading = in_background(self._read)

    def give(self, line: str) -> None:
        with self._lock:
            self._process.stdin.write(line)
            self._process.stdin.flush()

    def _read(self) -> None:
        for line in self._process.stdout:
            what, rest = line.rstrip("\n").split(" ", 1)
            if what == "refused":
                token, why = rest.split(" ", 1)
                self.refusals.append((time.time(), token, why))
            else:
                self.checked = int(rest)

    def end(self) -> int:
        """Waits until it has seen the end of every token."""
        self._process.stdin.close()
        status = self._process.wait(120)
        self._reading.join(10)
        return status


class Watcher:
    """Reads the key set of one process all the time: since when is each key in it?"""

    def __init__(self, process: str) -> None:
        # By kid: when it was certainly not there, and when it certainly was. What is there at first was always there.
        self.since: dict[str, tuple[float, float]] = {}
        self.url, self._last = f"{process}/.well-known/jwks.json", None
        self._look()
        in_background(self._run)

    def _run(self) -> None:
        while not stopped.wait(0.1):
            try:
                self._look()
            except requests.RequestException:
                pass

    def _look(self) -> None:
        asked = time.time()
        keys = requests.get(self.url, timeout=10).json()["keys"]
        there = time.time()
        for key in keys:
            self.since.setdefault(key["kid"], (self._last, there) if self._last else (0.0, 0.0))
        self._last = asked


class Traffic:
    """Gets tokens of one issuer and hands them to all verifiers, and judges which key signed."""

    def __init__(self, house: House, verifiers: list[Verifier]) -> None:
        self.house, self._verifiers = house, verifiers
        self.watchers = [Watcher(process) for process in house.processes]
        self.kids: dict[str, dict[str, None]] = defaultdict(dict)
        self.tokens, self.proven, self.faults = 0, 0, []
        self._thread = in_background(self._run)

    def end(self) -> None:
        """Waits for the last token, once all has been stopped."""
        self._thread.join(60)

    def turns(self, alg: str | None = None) -> int:
        """How often tokens came with a new key."""
        return sum(len(kids) - 1 for own, kids in list(self.kids.items()) if alg in (None, own))

    def _run(self) -> None:
        at = 0
        while not stopped.wait(0.15):
            alg = "RS256" if "RS256" in self.house.algorithms and at % 8 == 0 else "ES256"
            at += 1
            try:
                self._one(alg)
            except Exception as error:
                self.faults.append(f"no token: {type(error).__name__} {error}")

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
            if got - absent < MAX_AGE:
                self.faults.append(f"{kid} signed {got - absent:.2f} s after {watcher.url} was without it")
            self.proven += asked - there >= MAX_AGE


def turn_by_hand(house: House, hand: threading.Event) -> None:
    """An admin who turns the key as often as is safe, of RSA now and then."""
    at = 0
    while not hand.wait(4 if unsafe else 0.3):
        alg = "RS256" if at % 25 == 10 else "ES256"
        at += 1
        if unsafe:
            # Both at the same time: the key that the one publishes is the one that the other has sign.
            both = [in_background(house.run, "keys", "rotate", "--alg", alg, "--now", "--json") for _ in range(2)]
            for one in both:
                one.join()
        else:
            house.run("keys", "rotate", "--alg", alg, "--json")


def persons_token(house: House) -> str:
    """An access token that userinfo takes."""
    # The browser knows one issuer at a time.
    browser.settings["issuer"] = house.issuer
    verifier = secrets.token_urlsafe(32)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    query = {
        "client_id": "web",
        "response_type": "code",
        "redirect_uri": settings["web_redirect_uri"],
        "scope": "openid es256:read",
        "state": "s",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    answer, _ = browser.Browser().act(f"{house.issuer}/oauth2/authorize?{urlencode(query)}")
    code = parse_qs(urlsplit(answer).query)["code"][0]
    uri = settings["web_redirect_uri"]
    return house.token("web", grant_type="authorization_code", code=code, redirect_uri=uri, code_verifier=verifier)["access_token"]


def accepted(process: str, token: str) -> tuple[bool, bool]:
    """Whether one process takes a token: at introspection, at userinfo."""
    auth = ("api", settings["client_secret"])
    told = requests.post(f"{process}/oauth2/introspect", data={"token": token}, auth=auth, timeout=10).json()
    person = requests.get(f"{process}/oauth2/userinfo", headers={"Authorization": f"Bearer {token}"}, timeout=10)
    assert person.status_code in (200, 401), person.status_code
    return told["active"], person.status_code == 200


def revoke(house: House) -> tuple[str, list[float]]:
    """Throws out the key that signs. Gives its name, and after how long each process refused its tokens."""
    token = persons_token(house)
    kid = kid_of(token)
    assert [key["state"] for key in house.keys() if key["kid"] == kid] == ["active"]
    for process in house.processes:
        assert accepted(process, token) == (True, True), process
    house.run("keys", "revoke", kid, "--reason", "thrown out in a test", "--json")
    began, waited = time.time(), []

    def until_refused(process: str) -> None:
        while accepted(process, token) != (False, False) and time.time() - began < 30:
            time.sleep(0.02)
        waited.append(time.time() - began)

    for thread in [in_background(until_refused, process) for process in house.processes]:
        thread.join()
    return kid, waited


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
    """Everything that runs while keys turn."""

    def __init__(self) -> None:
        self.houses: list[House] = []
        self.traffics: list[Traffic] = []
        self.verifiers: list[Verifier] = []
        self.revoked: set[str] = set()

    def run(self, check, database: str) -> None:
        with check("six issuers start, one of them three processes over PostgreSQL"):
            both = ["ES256", "RS256"]
            self.houses.append(House("sqlite", both, period="30d"))
            self.houses.append(House("postgres", both, period="30d", database=database, processes=3))
            # These turn by themselves.
            for at in range(4):
                self.houses.append(House(f"own{at}", ["ES256"], period="4s"))
        by_hand = self.houses[:2]
        kept = str(MAX_AGE)
        for name, command in (
            ("jose", ["node", str(here.parent / "node/turning-jose.mjs")]),
            ("PyJWT", [sys.executable, "-B", str(here / "turning_pyjwt.py")]),
            ("Authlib", [sys.executable, "-B", str(here / "turning_authlib.py")]),
            ("our own", [os.environ["TURNING_VERIFIER"]]),
        ):
            self.verifiers.append(Verifier(name, [*command, kept]))
        self.traffics = [Traffic(house, self.verifiers) for house in self.houses]
        hand = threading.Event()
        admins = [in_background(turn_by_hand, house, hand) for house in by_hand]
        with check(f"keys turn {turns_wanted} times, of both algorithms and in every issuer"):
            self._until_turned()
        hand.set()
        for admin in admins:
            admin.join(60)
        # The key that waits has been published for long enough when it has to take over.
        time.sleep(5)
        for house in by_hand:
            with check(f"{house.name}: a revoked key is refused by every process within five seconds"):
                kid, waited = revoke(house)
                self.revoked.add(kid)
                print(f"     {house.name}: refused after " + ", ".join(f"{seconds:.2f} s" for seconds in waited), flush=True)
                assert len(waited) == len(house.processes) and max(waited) <= 5
        time.sleep(5)
        stopped.set()
        with check("the verifiers see the end of every token"):
            for traffic in self.traffics:
                traffic.end()
            statuses = {verifier.name: verifier.end() for verifier in self.verifiers}
            assert set(statuses.values()) == {0}, statuses
        with check("one key of each algorithm signs and one waits, everywhere, and all stop with 0"):
            for house in self.houses:
                standing = Counter((key["alg"], key["state"]) for key in house.keys())
                for alg in house.algorithms:
                    assert standing[alg, "active"] == standing[alg, "pending"] == 1, (house.name, standing)
                assert set(house.stop()) == {0}, house.name

    def _until_turned(self) -> None:
        began = time.time()
        while sum(traffic.turns() for traffic in self.traffics) < turns_wanted and time.time() - began < 4 * turns_wanted:
            time.sleep(0.5)
        by_issuer = {traffic.house.name: traffic.turns() for traffic in self.traffics}
        of_rsa = sum(traffic.turns("RS256") for traffic in self.traffics)
        print(f"     turns after {time.time() - began:.0f} s: {by_issuer}, {of_rsa} of them of RS256", flush=True)
        assert sum(by_issuer.values()) >= turns_wanted
        assert all(count >= turns_wanted / 20 for count in by_issuer.values())
        assert all(traffic.turns("RS256") for traffic in self.traffics[:2])

    def judge(self, check, verifier: Verifier) -> None:
        tokens = sum(traffic.tokens for traffic in self.traffics)
        print(f"     {verifier.name}: {verifier.checked} checks of {tokens} tokens", flush=True)
        with check("refuses no valid token"):
            assert verifier.checked and verifier.checked > 2 * tokens
            refused = [why for at, token, why in verifier.refusals if kid_of(token) not in self.revoked and not is_over(at, token, why)]
            assert not refused, f"{len(refused)} refused: {Counter(refused).most_common(3)}"
        with check("refuses what a revoked key signed"):
            assert {kid_of(token) for _, token, _ in verifier.refusals} >= self.revoked

    def judge_signatures(self, check) -> None:
        faults = [fault for traffic in self.traffics for fault in traffic.faults]
        with check("no key signs before it was known for as long as key sets are kept, and no token is denied"):
            assert not faults, f"{len(faults)}: {faults[:3]}"
        with check("the watchers saw that of nearly every token"):
            looks = sum(traffic.tokens * len(traffic.watchers) for traffic in self.traffics)
            proven = sum(traffic.proven for traffic in self.traffics)
            print(f"     {proven} of {looks}", flush=True)
            assert proven > 0.9 * looks


def is_over(at: float, token: str, why: str) -> bool:
    """Whether a check was held up, as by a busy machine, until the token was over."""
    return "expired" in why.lower() and at >= decoded(token.split(".")[1])["exp"]


proof = Proof()
try:
    with tests.flow("all at once") as check, postgres() as database:
        proof.run(check, database)
finally:
    stopped.set()
    for house in proof.houses:
        house.kill()
for verifier in proof.verifiers:
    with tests.flow(verifier.name) as check:
        proof.judge(check, verifier)
with tests.flow("signatures") as check:
    proof.judge_signatures(check)
tests.end()
