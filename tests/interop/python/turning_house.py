"""Providers whose clocks are scaled: what takes days elsewhere takes seconds here."""

import asyncio
import itertools
import json
import os
import socket
import subprocess
import threading
import time
from pathlib import Path

import requests

from settings import settings

# Seconds. Tokens cannot live shorter than a minute.
MAX_AGE, PUBLISH_AHEAD, TOKEN_LIFE = 1, 3, 60


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).status_code == 200
    except requests.RequestException:
        return False


class Front(threading.Thread):
    """Gives each connection to the next process, as a load balancer does."""

    def __init__(self, port: int, ports: list[int]) -> None:
        super().__init__(daemon=True)
        self._port, self._ports = port, itertools.cycle(ports)
        self.start()

    def run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._join, "127.0.0.1", self._port)
        await server.serve_forever()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", next(self._ports))
        except OSError:
            writer.close()
            return
        await asyncio.gather(_copy(reader, back), _copy(there, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while some := await reader.read(65536):
            writer.write(some)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


class House:
    """One issuer: some processes over one database."""

    def __init__(self, name: str, algorithms: list[str], *, period: str, database: str | None = None, processes: int = 1) -> None:
        self.name, self.algorithms, self._servers = name, algorithms, []
        self.folder = Path("turning", name).absolute()
        self.folder.mkdir(parents=True)
        ports = [free_port() for _ in range(processes)]
        port = ports[0] if processes == 1 else free_port()
        self.issuer = f"http://localhost:{port}"
        self.processes = [f"http://127.0.0.1:{port}" for port in ports]
        for at, own in enumerate(ports):
            self._write(f"config{at}.toml", self._config(own, period, database or "sqlite://data/frontdesk.db"))
        self._write("house.toml", self._registry())
        self.run("migrate")
        self.run("apply", "house.toml")
        self._log = open(self.folder / "serve.log", "wb")
        for at in range(processes):
            command = [os.environ["FRONTDESK"], "--config", f"config{at}.toml", "serve"]
            self._servers.append(subprocess.Popen(command, cwd=self.folder, stdout=self._log, stderr=self._log))
            # The first makes the keys.
            self._until_ready(at)
        if processes > 1:
            Front(port, ports)

    def run(self, *arguments: str) -> str:
        """A command of the program; gives what it prints."""
        command = [os.environ["FRONTDESK"], "--config", "config0.toml", *arguments]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, f"{self.name}: {arguments} ended with {done.returncode}: {done.stderr[-400:]}"
        return done.stdout

    def keys(self) -> list[dict]:
        return json.loads(self.run("keys", "list", "--json"))

    def token(self, client: str, **fields: str) -> dict:
        """What the token endpoint gives. Each time by a connection of its own, and so perhaps by another process."""
        auth = (client, settings["client_secret"])
        answer = requests.post(f"{self.issuer}/oauth2/token", data=fields, auth=auth, timeout=30)
        assert answer.status_code == 200, f"{answer.status_code} {answer.text[:200]}"
        return answer.json()

    def stop(self) -> list[int]:
        """Ends it, and gives how each process ended."""
        for server in self._servers:
            server.terminate()
        codes = [server.wait(60) for server in self._servers]
        self._log.close()
        return codes

    def kill(self) -> None:
        """Ends what still runs of it, after a failure."""
        for server in self._servers:
            server.kill()
            server.wait()

    def last_words(self) -> str:
        return (self.folder / "serve.log").read_text(encoding="utf-8")[-1500:]

    def _until_ready(self, at: int) -> None:
        for _ in range(600):
            assert self._servers[at].poll() is None, f"{self.name} ended: {self.last_words()}"
            if answers(f"{self.processes[at]}/readyz"):
                return
            time.sleep(0.1)
        raise AssertionError(f"{self.name} does not become ready: {self.last_words()}")

    def _write(self, name: str, text: str) -> None:
        file = self.folder / name
        file.touch(mode=0o600)
        file.write_text(text, encoding="utf-8")

    def _config(self, port: int, period: str, database: str) -> str:
        return f"""
[server]
issuer = "{self.issuer}"
listen = "127.0.0.1:{port}"
[database]
url = "{database}"
[secrets]
master_key_file = "master.key"
[keys]
algorithms = {json.dumps(self.algorithms)}
period = "{period}"
publish_ahead = "{PUBLISH_AHEAD}s"
jwks_max_age = "{MAX_AGE}s"
clock_skew = "500ms"
patience = "0s"
retire_window = "{TOKEN_LIFE + MAX_AGE + 1}s"
[tokens]
access_token_ttl = "{TOKEN_LIFE}s"
id_token_ttl = "{TOKEN_LIFE}s"
[limits]
change_poll = "50ms"
stale_log = "500ms"
stale_stop = "5s"
requests_per_network = 0
requests_per_client = 0
[telemetry]
log = "info"
"""

    def _registry(self) -> str:
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
