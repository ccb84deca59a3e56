"""The programs in the documentation, run as a reader would: registered with the file of the README, started, and used."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import requests

from browser import Browser
from settings import settings
from suite import Suite

tests = Suite("docs")
root = Path(__file__).parents[3]
issuer = settings["issuer"]
here = Path("docs").absolute()
here.mkdir()
# Node.js looks for packages beside the program. Our own is copied, as `npm install` packs it, and finds the others there.
modules = here / "node_modules"
modules.mkdir()
for package in (root / "tests/interop/node/node_modules").iterdir():
    (modules / package.name).symlink_to(package)
own = modules / "frontdesk-verifier"
shutil.copytree(root / "verifier-js/src", own / "src")
shutil.copy(root / "verifier-js/package.json", own)


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


# The ports in the documentation, and the ones that are used instead.
PORTS = {"3000": str(free_port()), "4000": str(free_port()), "5173": str(free_port())}
app = f"http://localhost:{PORTS['3000']}"
api = f"http://localhost:{PORTS['4000']}"
page = f"http://localhost:{PORTS['5173']}"


def program(document: str, name: str) -> Path:
    """Writes down the block whose first line names the file, with the addresses of this run."""
    text = (root / document).read_text(encoding="utf-8")
    blocks = [block for block in re.findall(r"^```\w+\n(.*?)^```", text, re.M | re.S) if block.split("\n", 1)[0] in (f"# {name}", f"// {name}")]
    assert len(blocks) == 1, f"{document}: {len(blocks)} blocks are named {name}"
    text = blocks[0].replace("http://localhost:8080", issuer)
    for port, own in PORTS.items():
        text = re.sub(rf"\b{port}\b", own, text)
    file = here / name
    file.write_text(text, encoding="utf-8")
    return file


def registered() -> dict[str, str]:
    """What the README and the guide to APIs register; gives the secrets by client."""
    secrets = {}
    documents = ("README.md", "apps.toml"), ("docs/protect-an-api.md", "introspection.toml"), ("docs/revocation.md", "listening.toml")
    for document, name in documents:
        command = [os.environ["FRONTDESK"], "--config", "config.toml", "apply", str(program(document, name)), "--json"]
        secrets |= json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["client_secrets"]
    return secrets


@contextmanager
def running(command: list[str], address: str, **environment: str):
    """Starts a program, waits until it answers, and stops it in the end."""
    with open(here / "program.log", "wb") as log:
        process = subprocess.Popen(command, cwd=here, env=os.environ | environment, stdout=log, stderr=log)
    try:
        for _ in range(300):
            assert process.poll() is None, f"it ended: {(here / 'program.log').read_text()}"
            try:
                requests.get(address, timeout=5)
                break
            except requests.ConnectionError:
                time.sleep(0.1)
        yield
    except AssertionError as error:
        raise AssertionError(f"{error}; its log: {(here / 'program.log').read_text()[-400:]}") from error
    finally:
        process.terminate()
        process.wait()


def token(client_id: str, scope: str) -> str:
    fields = {"grant_type": "client_credentials", "scope": scope}
    answer = requests.post(f"{issuer}/oauth2/token", data=fields, auth=(client_id, secrets[client_id]), timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.json()["access_token"]


def asked(authorization: str | None, method: str = "GET") -> requests.Response:
    headers = {"Origin": page} | ({"Authorization": authorization} if authorization else {})
    return requests.request(method, f"{api}/notes", headers=headers, timeout=30)


missing = (401, 'Bearer realm="notes"')


def protected(check, empty: tuple[int, str] = missing) -> None:
    """What an API answers, by RFC 6750; `empty` is what it says to a header without a token."""
    good = token("robot", "notes:read")
    with check("a good token"):
        answer = asked(f"Bearer {good}")
        assert answer.status_code == 200, (answer.status_code, dict(answer.headers))
        assert answer.json() == {"for": "robot", "notes": ["Buy tea"]}
        assert answer.headers["access-control-allow-origin"] == page
    with check("no token: 401 without an error"):
        for nothing, wanted in ((None, missing), ("Basic cm9ib3Q6eA==", missing), ("Bearer", empty)):
            answer = asked(nothing)
            assert (answer.status_code, answer.headers["www-authenticate"]) == wanted, nothing
    with check("a bad token: 401 invalid_token"):
        head, body, signature = good.split(".")
        other = token("service", "es256:read")
        for bad in ("nonsense", f"{head}.{body}.{signature[::-1]}", f"{head}.{body}.", other):
            answer = asked(f"Bearer {bad}")
            assert answer.status_code == 401, (bad, answer.status_code)
            assert answer.headers["www-authenticate"] == 'Bearer realm="notes", error="invalid_token"', bad
    with check("a token without the scope: 403 insufficient_scope"):
        answer = asked(f"Bearer {token('scribe', 'notes:write')}")
        wanted = 'Bearer realm="notes", error="insufficient_scope", scope="notes:read"'
        assert (answer.status_code, answer.headers["www-authenticate"]) == (403, wanted)
    with check("a preflight"):
        answer = asked(None, "OPTIONS")
        assert answer.ok and answer.headers["access-control-allow-headers"] == "authorization"
        assert answer.headers["access-control-expose-headers"] == "www-authenticate"


# Seconds after which an API must have seen what was taken back: far more than it takes.
SEEN = 60


def takes_back(check) -> None:
    """What an API does that looks whether tokens were taken back."""
    dead, live = token("robot", "notes:read"), token("scribe", "notes:read")
    for one in (dead, live):
        assert asked(f"Bearer {one}").status_code == 200
    with check("a token that was taken back: 401 invalid_token"):
        fields = {"token": dead}
        answer = requests.post(f"{issuer}/oauth2/revoke", data=fields, auth=("robot", secrets["robot"]), timeout=30)
        assert answer.status_code == 200, answer.text
        began = time.time()
        while asked(f"Bearer {dead}").status_code == 200 and time.time() - began < SEEN:
            time.sleep(0.1)
        answer = asked(f"Bearer {dead}")
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="notes", error="invalid_token"')
    with check("and no other"):
        for one in (live, token("robot", "notes:read")):
            assert asked(f"Bearer {one}").status_code == 200


def signs_in(check) -> None:
    """What an app on a server does."""
    visitor, browser = requests.Session(), Browser()

    def go(method: str, path: str) -> requests.Response:
        return visitor.request(method, app + path, allow_redirects=False, timeout=30)

    with check("a stranger"):
        assert "/sign-in" in go("GET", "/").text
    with check("signs in and consents"):
        callback, pages = browser.act(go("GET", "/sign-in").headers["location"])
        assert pages == ["login", "consent"], pages
        before = visitor.cookies.get_dict()
        landed = go("GET", callback.removeprefix(app))
        assert (landed.status_code, landed.headers.get("location")) == (303, f"{app}/"), landed.text
        assert visitor.cookies.get_dict() != before, "the session kept its id"
        assert "Signed in: Alice Liddell" in go("GET", "/").text
    with check("an answer in a browser that did not ask"):
        stranger = requests.Session()
        again = stranger.get(callback, allow_redirects=False, timeout=30)
        assert again.status_code == 400 or again.headers["location"] == f"{app}/"
        assert "Signed in" not in stranger.get(f"{app}/", timeout=30).text
    with check("a foreign state is refused"):
        thief = requests.Session()
        thief.get(f"{app}/sign-in", allow_redirects=False, timeout=30)
        code, _ = browser.act(go("GET", "/sign-in").headers["location"])
        assert thief.get(code, allow_redirects=False, timeout=30).status_code == 400
        assert "Signed in" not in thief.get(f"{app}/", timeout=30).text
        go("GET", code.removeprefix(app))
    with check("signs out"):
        end, pages = browser.act(go("POST", "/sign-out").headers["location"])
        assert pages == ["logout"] and end.startswith(f"{app}/"), (pages, end)
        assert "Signed in" not in go("GET", "/").text


secrets = {}
with tests.flow("registration") as check:
    with check("the files are applied"):
        secrets = registered()
        assert set(secrets) == {"office", "robot", "notes-api"}, secrets.keys()
    with check("and what the checks need besides"):
        extra = '''
            [[clients]]
            client_id = "scribe"
            application_type = "service"
            scope = "notes:read notes:write"
        '''
        (here / "extra.toml").write_text(extra)
        command = [os.environ["FRONTDESK"], "--config", "config.toml", "apply", str(here / "extra.toml"), "--json"]
        secrets |= json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["client_secrets"]
        secrets["service"] = settings["client_secret"]

with tests.flow("api.mjs") as check, running(["node", str(program("docs/protect-an-api.md", "api.mjs"))], api):
    protected(check)
with tests.flow("checked-api.mjs") as check, running(["node", str(program("docs/protect-an-api.md", "checked-api.mjs"))], api):
    protected(check, empty=(400, 'Bearer realm="notes", error="invalid_request"'))
    takes_back(check)
with tests.flow("api.py") as check, running([sys.executable, str(program("docs/protect-an-api.md", "api.py"))], api):
    protected(check)
program("docs/protect-an-api.md", "status_lists.py")
checked = program("docs/protect-an-api.md", "checked_api.py")
with tests.flow("checked_api.py") as check, running([sys.executable, str(checked)], api):
    protected(check)
    takes_back(check)
program("docs/revocation.md", "revocations.py")
hurried = program("docs/revocation.md", "hurried_api.py")
with tests.flow("hurried_api.py") as check, running([sys.executable, str(hurried)], api, CLIENT_SECRET=secrets.get("notes-api", "")):
    protected(check)
    takes_back(check)
with tests.flow("server.mjs") as check:
    with running(["node", str(program("docs/server-app.md", "server.mjs"))], app, CLIENT_SECRET=secrets["office"]):
        signs_in(check)
with tests.flow("server.py") as check:
    command = [sys.executable, str(program("docs/server-app.md", "server.py"))]
    with running(command, app, CLIENT_SECRET=secrets["office"], AUTHLIB_INSECURE_TRANSPORT="1"):
        signs_in(check)
with tests.flow("introspection") as check:
    with check("as the guide shows it"):
        caller = ("notes-api", secrets["notes-api"])
        fields = {"token": token("robot", "notes:read")}
        answer = requests.post(f"{issuer}/oauth2/introspect", data=fields, auth=caller, timeout=30).json()
        shown = [json.loads(block) for block in re.findall(r"^```json\n(.*?)^```", (root / "docs/protect-an-api.md").read_text(), re.M | re.S)]
        assert set(answer) == set(shown[-1]), answer
        assert answer["active"] is True and answer["aud"] == api and answer["scope"] == "notes:read"
tests.end()
