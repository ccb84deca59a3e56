"""Providers of our own, of one process or several. Some have clocks that are scaled, so that what takes days elsewhere takes seconds
here."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import requests

from settings import settings

# Seconds that anything may take that a busy machine does in the end.
LONG = 120

T = TypeVar("T")


@dataclass(frozen=True)
class Clocks:
    """How long things take, in seconds."""

    # For how long verifiers keep the key set, and how long a key must at least be published before it signs for them.
    max_age: int
    ahead: int
    # How long tokens live.
    life: int
    # The settings.
    text: str


def scaled(factor: int, period: str) -> Clocks:
    """All clocks together; a token cannot live shorter than a minute. Where a process has not looked into the database for long,
    as on a machine that stands still, nobody is sent away before the default of 30 seconds: a key that was replaced stays for
    as long as such a process may still sign with it."""
    max_age, ahead, life = factor, 4 * factor, 60
    text = f"""
[keys]
algorithms = ALGORITHMS
period = "{period}"
publish_ahead = "{ahead}s"
jwks_max_age = "{max_age}s"
clock_skew = "500ms"
patience = "0s"
retire_window = "{life + max_age + 31}s"
[tokens]
access_token_ttl = "{life}s"
id_token_ttl = "{life}s"
[limits]
change_poll = "100ms"
stale_log = "1s"
"""
    return Clocks(max_age, ahead, life, text)


# The settings that nobody wrote. A key is published a day ahead, but no key set is kept for longer than five minutes: with a poll
# of one second and clocks that are a minute apart, that is how long a key must be known before `--now` breaks nothing.
REAL = Clocks(300, 361, 900, "[keys]\nalgorithms = ALGORITHMS\n[limits]\n")


_ports = random.sample(range(20_000, 32_000), 12_000)


def free_port() -> int:
    """Below what the kernel hands out for outgoing connections, of which there will be many; and never the same twice."""
    while True:
        port = _ports.pop()
        with socket.socket() as server:
            try:
                server.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).status_code == 200
    except requests.RequestException:
        return False


class Busy(Exception):
    """The program says that it cannot now, and is right if it does not reach the database in time."""


def patiently(body: Callable[[], T]) -> T:
    """Tries again what may be tried again, as long as the program says that it cannot now or nobody answers."""
    began = time.time()
    while True:
        try:
            return body()
        except (Busy, requests.RequestException):
            if time.time() - began > LONG:
                raise
        time.sleep(0.5)


class House:
    """One issuer: some processes over one database."""

    def __init__(
        self, name: str, algorithms: list[str], clocks: Clocks, *, database: str | None = None, processes: int = 1
    ) -> None:
        self.name, self.algorithms, self.clocks, self._servers = name, algorithms, clocks, []
        # Suites that run after one another may call their houses alike.
        self.folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=".")).absolute()
        ports = [free_port() for _ in range(processes)]
        port = ports[0] if processes == 1 else free_port()
        self.issuer = f"http://localhost:{port}"
        self.processes = [f"http://127.0.0.1:{port}" for port in ports]
        for at, own in enumerate(ports):
            self._write(f"config{at}.toml", self._config(own, database or "sqlite://data/frontdesk.db"))
        self._write("house.toml", self.registry())
        self.run("migrate")
        self.run("apply", "house.toml")
        self._log = open(self.folder / "serve.log", "wb")
        try:
            for at, process in enumerate(self.processes):
                # The first makes the keys.
                self._servers.append(self._start(self._serve(at), process))
            if processes > 1:
                front = str(Path(__file__).parent / "turning_front.py")
                self._servers.append(self._start([sys.executable, "-B", front, *map(str, [port, *ports])], self.issuer))
        except BaseException:
            self.kill()
            raise

    def run(self, *arguments: str) -> str:
        """A command of the program that may be tried again; gives what it prints."""
        return patiently(lambda: self.run_once(*arguments))

    def run_once(self, *arguments: str) -> str:
        """A command of the program; gives what it prints. Whether it was done is not known where this raises `Busy`."""
        command = [os.environ["FRONTDESK"], "--config", "config0.toml", *arguments]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=LONG)
        if done.returncode == 3:
            raise Busy(done.stderr[-400:])
        assert done.returncode == 0, f"{self.name}: {arguments} ended with {done.returncode}: {done.stderr[-400:]}"
        return done.stdout

    def keys(self) -> list[dict]:
        """All keys, with their times in seconds."""
        keys = json.loads(self.run("keys", "list", "--json"))
        for key in keys:
            for when in ("published_at", "activate_at"):
                key[when] = datetime.fromisoformat(key[when]).timestamp()
        return keys

    def spare_is_known(self, alg: str) -> bool:
        """Whether whoever keeps a key set has the next key in it, so that it could take over without breaking anyone; and whether
        it does not by itself within the next minute."""
        keys, now = self.keys(), time.time()
        spare = next(key for key in keys if (key["alg"], key["state"]) == (alg, "pending"))
        as_old_as_the_issuer = spare["published_at"] == min(key["published_at"] for key in keys)
        known = as_old_as_the_issuer or now - spare["published_at"] > self.clocks.ahead + 1
        return known and spare["activate_at"] - now > 60

    def until_spare_is_known(self, alg: str) -> None:
        """Waits for that."""
        for _ in range(LONG):
            if self.spare_is_known(alg):
                return
            time.sleep(1)
        raise AssertionError(f"{self.name}: no {alg} key waits that is known: {self.keys()}")

    def turn(self, alg: str) -> bool:
        """Has the next key sign at once, if it is known. Whether that was done."""
        while self.spare_is_known(alg):
            try:
                self.run_once("keys", "rotate", "--alg", alg, "--now", "--json")
                return True
            except Busy:
                # If it was done all the same, the key that waits now is not known yet.
                pass
        return False

    def token(self, client: str, **fields: str) -> dict:
        """What the token endpoint gives. Each time by a connection of its own, and so perhaps by another process."""
        auth = (client, settings["client_secret"])
        answer = requests.post(f"{self.issuer}/oauth2/token", data=fields, auth=auth, timeout=LONG)
        if answer.status_code == 503:
            raise Busy(answer.text[:200])
        assert answer.status_code == 200, f"{answer.status_code} {answer.text[:200]}"
        return answer.json()

    def stop(self) -> list[int]:
        """Ends it, and gives how each process of the program ended."""
        servers = self._servers[: len(self.processes)]
        for server in servers:
            server.terminate()
        codes = [server.wait(LONG) for server in servers]
        self.kill()
        self._log.close()
        return codes

    def kill(self) -> None:
        """Ends what still runs of it."""
        for server in self._servers:
            server.kill()
            server.wait()

    def stop_one(self, at: int, how: signal.Signals) -> None:
        """Ends one process of the program, and waits until it is gone."""
        self._servers[at].send_signal(how)
        self._servers[at].wait(LONG)

    def start_one(self, at: int) -> None:
        """Starts it again."""
        self._servers[at] = self._start(self._serve(at), self.processes[at])

    def last_words(self) -> str:
        return (self.folder / "serve.log").read_text(encoding="utf-8")[-1500:]

    def _serve(self, at: int) -> list[str]:
        return [os.environ["FRONTDESK"], "--config", f"config{at}.toml", "serve"]

    def _start(self, command: list[str], process: str) -> subprocess.Popen:
        """Starts a process and waits until it is ready."""
        server, began = None, time.time()
        while time.time() - began < 2 * LONG:
            # It does not start where the database cannot be reached in time, and is then started again.
            if server is None or server.poll() == 3:
                server = subprocess.Popen(command, cwd=self.folder, stdout=self._log, stderr=self._log)
            assert server.poll() in (None, 3), f"{self.name} ended: {self.last_words()}"
            if answers(f"{process}/readyz"):
                return server
            time.sleep(0.1)
        server.kill()
        server.wait()
        raise AssertionError(f"{self.name} does not become ready: {self.last_words()}")

    def _write(self, name: str, text: str) -> None:
        file = self.folder / name
        file.touch(mode=0o600)
        file.write_text(text, encoding="utf-8")

    def _config(self, port: int, database: str) -> str:
        return f"""
[server]
issuer = "{self.issuer}"
listen = "127.0.0.1:{port}"
[database]
url = "{database}"
[secrets]
master_key_file = "master.key"
[telemetry]
log = "info"
{self.clocks.text.replace("ALGORITHMS", json.dumps(self.algorithms))}
requests_per_network = 0
requests_per_client = 0
"""

    def registry(self) -> str:
        """Who is known."""
        secret, password = settings["client_secret"], settings["password"]
        scopes = " ".join(f"{alg.lower()}:read" for alg in self.algorithms)
        text = f"""
[[users]]
username = "alice"
password = "{password}"
[[clients]]
client_id = "service"
application_type = "service"
client_secret = "{secret}"
scope = "{scopes}"
[[clients]]
client_id = "api"
application_type = "service"
client_secret = "{secret}"
[[clients]]
client_id = "robot"
application_type = "service"
admin_api = true
client_secret = "{secret}"
scope = "frontdesk:admin"
[[clients]]
client_id = "web"
application_type = "web"
first_party = true
client_secret = "{secret}"
redirect_uris = ["{settings["web_redirect_uri"]}"]
grant_types = ["authorization_code"]
scope = "openid es256:read"
id_token_signed_response_alg = "ES256"
"""
        for alg in self.algorithms:
            text += f"""
[[resources]]
identifier = "{audience(alg)}"
name = "{alg}"
scopes = ["{alg.lower()}:read"]
introspected_by = ["api"]
access_token_alg = "{alg}"
"""
        return text


def audience(alg: str) -> str:
    return f"https://{alg.lower()}.api.example.com"
