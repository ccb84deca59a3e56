"""Real nginx in front of an app, which asks Frontdesk about every request: with the files of deploy/nginx, on https."""

import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import jwt
import requests

from settings import settings
from suite import Suite

tests = Suite("gateway")
root = Path(__file__).parents[3]
here = Path("gateway").absolute()
here.mkdir(mode=0o700)
nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
assert nginx, "nginx is missing"


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


https, plain, upstream = free_port(), free_port(), free_port()
issuer = f"https://id.shop.test:{https}"
host = f"notes.shop.test:{https}"
app = f"https://{host}"
certificate = here / "certificate.pem"

# The browser's sign-in follows redirects of this issuer, and every name of the shop is this machine.
settings["issuer"] = issuer
from browser import Browser  # noqa: E402, it looks at the settings

resolve = socket.getaddrinfo
socket.getaddrinfo = lambda name, *rest, **more: resolve(
    "127.0.0.1" if isinstance(name, str) and name.endswith(".shop.test") else name, *rest, **more
)


class App(BaseHTTPRequestHandler):
    """The app: tells what reached it. It knows nothing of sign-ins."""

    protocol_version = "HTTP/1.1"
    reached = 0

    def answer(self) -> None:
        App.reached += 1
        if self.headers.get("Upgrade", "").lower() == "websocket":
            self.send_response(101)
            self.send_header("Upgrade", "websocket")
            self.send_header("Connection", "Upgrade")
            self.end_headers()
            self.wfile.write(b"hello from the socket\n")
            self.close_connection = True
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        told = {"method": self.command, "path": self.path, "body": body, "headers": {}}
        for name, value in self.headers.items():
            assert name.lower() not in told["headers"], f"{name} came twice"
            told["headers"][name.lower()] = value
        text = json.dumps(told).encode()
        self.send_response(401 if self.path == "/own-401" else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PUT = do_DELETE = answer

    def log_message(self, *_) -> None:
        pass


def write(name: str, text: str) -> Path:
    file = here / name
    file.touch(mode=0o600)
    file.write_text(text, encoding="utf-8")
    return file


def configure() -> None:
    names = "subjectAltName=DNS:id.shop.test,DNS:notes.shop.test,DNS:other.shop.test"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=shop.test",
         "-addext", names, "-keyout", here / "key.pem", "-out", certificate],
        check=True, capture_output=True,
    )
    write("config.toml", f"""
[server]
issuer = "{issuer}"
listen = "127.0.0.1:{plain}"
trusted_proxies = ["127.0.0.1"]
[database]
url = "sqlite://data/frontdesk.db"
[gateway]
apps = [{{ host = "{host}", client_id = "notes-gate", audience = "https://notes.example.com", scope = "openid email" }}]
""")
    write("apps.toml", f"""
[[users]]
username = "{settings['username']}"
password = "{settings['password']}"
email = "alice@example.com"
email_verified = true
roles = ["editors", "admin"]

[[clients]]
client_id = "notes-gate"
client_name = "Notes"
application_type = "web"
first_party = true
redirect_uris = ["{app}/.frontdesk/callback"]
post_logout_redirect_uris = ["{app}/"]
scope = "openid email"

[[clients]]
client_id = "program"
application_type = "service"
token_endpoint_auth_method = "client_secret_basic"
client_secret = "{settings['client_secret']}"
grant_types = ["client_credentials"]
scope = "notes:read other:read"

[[resources]]
identifier = "https://notes.example.com"
scopes = ["notes:read"]

[[resources]]
identifier = "https://other.example.com"
scopes = ["other:read"]
""")
    # The files that people copy, with the addresses of this run.
    snippets = here / "snippets"
    snippets.mkdir()
    deployed = root / "deploy/nginx"
    for name in ("frontdesk-forward-auth.conf", "frontdesk-identity.conf"):
        shutil.copy(deployed / name, snippets)
    server = (deployed / "notes.example.com.conf").read_text(encoding="utf-8")
    for ours, own in (
        ("listen 443 ssl", f"listen 127.0.0.1:{https} ssl"),
        ("set $frontdesk_host notes.example.com", f"set $frontdesk_host {host}"),
        ("server_name notes.example.com", "server_name notes.shop.test"),
        ("/etc/ssl/notes.example.com.pem", str(certificate)),
        ("/etc/ssl/private/notes.example.com.key", str(here / "key.pem")),
        ("http://127.0.0.1:3000", f"http://127.0.0.1:{upstream}"),
    ):
        assert ours in server, f"deploy/nginx/notes.example.com.conf has no {ours!r}"
        server = server.replace(ours, own)
    write("notes.conf", server)
    shared = (deployed / "frontdesk-http.conf").read_text(encoding="utf-8")
    assert "127.0.0.1:8080" in shared
    write("http.conf", shared.replace("127.0.0.1:8080", f"127.0.0.1:{plain}"))
    write("nginx.conf", f"""
daemon off;
worker_processes 1;
pid {here}/nginx.pid;
error_log {here}/nginx-error.log info;
events {{}}
http {{
    access_log off;
    client_body_temp_path {here}/body;
    proxy_temp_path {here}/proxy;
    fastcgi_temp_path {here}/fastcgi;
    uwsgi_temp_path {here}/uwsgi;
    scgi_temp_path {here}/scgi;
    include http.conf;
    include notes.conf;
    server {{
        listen 127.0.0.1:{https} ssl;
        server_name id.shop.test;
        ssl_certificate {certificate};
        ssl_certificate_key {here}/key.pem;
        location / {{
            proxy_pass http://frontdesk;
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header Connection "";
            proxy_set_header X-Forwarded-Host "";
            proxy_set_header X-Forwarded-For $remote_addr;
        }}
    }}
}}
""")


@contextmanager
def running(name: str, command: list):
    """Starts a program and stops it in the end."""
    with open(here / f"{name}.log", "wb") as log:
        process = subprocess.Popen([str(part) for part in command], cwd=here, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def wait_for(name: str, url: str) -> None:
    for _ in range(300):
        try:
            if requests.get(url, timeout=5, verify=certificate).status_code < 500:
                return
        except requests.RequestException:
            pass
        time.sleep(0.1)
    raise AssertionError(f"{name} does not answer: {(here / f'{name}.log').read_text()[-2000:]}")


class Person:
    """Somebody with a browser."""

    def __init__(self) -> None:
        self.browser = Browser(verify=certificate)

    def get(self, path: str, **headers: str) -> requests.Response:
        return self.browser.request("GET", f"{app}{path}", {"Sec-Fetch-Mode": "cors"} | headers)

    def navigate(self, url: str) -> requests.Response:
        """Goes to an address, by way of whatever it redirects to."""
        for _ in range(12):
            if url.startswith(f"{issuer}/"):
                url, _ = self.browser.act(url)
            answer = self.browser.request("GET", url, {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none", "Accept": "text/html"})
            if not answer.is_redirect:
                return answer
            url = answer.headers["Location"]
        raise AssertionError(f"redirects without end: {url}")


MADE_UP = {"X-Auth-Subject": "admin", "X-Auth-Email": "admin@example.com", "X-Auth-Groups": "admin", "X-Auth-Token": "x", "X-Auth-Redirect": "https://evil.test/"}


def token(scope: str) -> str:
    answer = requests.post(
        f"{issuer}/oauth2/token", data={"grant_type": "client_credentials", "scope": scope},
        auth=("program", settings["client_secret"]), timeout=30, verify=certificate,
    )
    answer.raise_for_status()
    return answer.json()["access_token"]


def call(bearer: str | None, path: str = "/api", method: str = "GET", **more) -> requests.Response:
    headers = more.pop("headers", {}) | ({"Authorization": f"Bearer {bearer}"} if bearer else {})
    return requests.request(method, f"{app}{path}", headers=headers, timeout=30, verify=certificate, allow_redirects=False, **more)


def checked(given: str) -> dict:
    """The claims of the token that the app was given, as the app would check it."""
    keys = jwt.PyJWKSet.from_dict(requests.get(f"{issuer}/.well-known/jwks.json", timeout=30, verify=certificate).json())
    key = keys[jwt.get_unverified_header(given)["kid"]]
    return jwt.decode(given, key, algorithms=["ES256"], audience="https://notes.example.com", issuer=issuer)


def stories(frontdesk: subprocess.Popen) -> None:
    with tests.flow("browser") as check:
        person = Person()
        with check("a script without a sign-in is told 401 and nothing reaches the app"):
            before = App.reached
            answer = person.get("/data")
            assert (answer.status_code, "Location" in answer.headers) == (401, False), answer.headers
            assert answer.headers["WWW-Authenticate"].startswith("Bearer"), answer.headers
            assert App.reached == before
        with check("a person is led to the sign-in and back to the page"):
            answer = person.navigate(f"{app}/notes/7?edit=1")
            assert answer.status_code == 200, answer.text
            told = answer.json()
            assert told["path"] == "/notes/7?edit=1", told
        with check("the app is told who is there"):
            headers = told["headers"]
            assert headers["x-auth-email"] == "alice@example.com" and sorted(headers["x-auth-groups"].split(",")) == ["admin", "editors"], headers
            claims = checked(headers["x-auth-token"])
            assert claims["sub"] == headers["x-auth-subject"] and claims["exp"] - claims["iat"] <= 60, claims
        with check("the app sees its own cookies and not ours"):
            assert "cookie" not in person.get("/cookies").json()["headers"]
            person.browser.keep("theme", "dark", "notes.shop.test")
            assert person.get("/cookies").json()["headers"]["cookie"] == "theme=dark"
            assert "__Host-Http-fa=" in person.browser.cookie_header("notes.shop.test")
        with check("identities that the browser makes up are replaced"):
            told = person.get("/", **MADE_UP)
            headers = told.json()["headers"]
            assert headers["x-auth-subject"] == claims["sub"] and headers["x-auth-email"] == "alice@example.com", headers
            assert "x-auth-redirect" not in headers and headers["x-auth-token"] != "x", headers
        with check("a form reaches the app with its body"):
            answer = person.browser.request("POST", f"{app}/form", {"Sec-Fetch-Mode": "navigate"}, "a=b")
            assert (answer.json()["method"], answer.json()["body"]) == ("POST", "a=b"), answer.text
        with check("the app's own 401 stays its own"):
            answer = person.get("/own-401")
            assert answer.status_code == 401 and answer.json()["path"] == "/own-401", answer.text
        with check("a WebSocket opens with the cookie, and not without"):
            assert socket_opens(person.browser.cookie_header("notes.shop.test"))
            assert not socket_opens("")
        with check("nothing else of ours is at the app's host"):
            for path in ("/.frontdesk/", "/.frontdesk/other", "/.frontdesk-ask"):
                assert person.get(path).status_code == 404, path
            assert "/login" == person.get("/login").json()["path"], "the app's own page"
        with check("no path leads past the app to the question itself"):
            # A script of the app's can send these, with a cookie that it cannot read.
            for kind in ("envoy", "traefik", "nginx"):
                for way in ("/..%2f..%2f.frontdesk/start", "/%2e%2e%2f%2e%2e/.frontdesk/x", "/../../.frontdesk/start", "%2f..%2f..%2f.frontdesk/logout"):
                    status, headers = raw(f"/forward-auth/{kind}{way}", {"Cookie": person.browser.cookie_header("notes.shop.test")})
                    assert "x-auth-token" not in headers and status in (303, 400, 404), (kind, way, status, headers)
        with check("a picture signs nobody out, nor does a page that is fetched ahead"):
            picture = {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "image"}
            ahead = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "document", "Sec-Purpose": "prefetch"}
            for asked in (picture, ahead):
                answer = person.browser.request("GET", f"{app}/.frontdesk/logout", asked)
                assert (answer.status_code, "Set-Cookie" in answer.headers) == (400, False), answer.headers
            assert person.get("/data").status_code == 200
        with check("a sign-out at the house is felt at the next request"):
            person.browser.act(f"{issuer}/logout", until="signed-out")
            assert person.get("/data").status_code == 401
            answer = person.browser.request("GET", f"{app}/", {"Sec-Fetch-Mode": "navigate"})
            assert answer.status_code == 302 and answer.headers["Location"].startswith(f"{app}/.frontdesk/start?to="), answer.headers
        with check("the cookie that opens nothing any more goes with the first step of the next sign-in"):
            assert "__Host-Http-fa=" in person.browser.cookie_header("notes.shop.test")
            person.browser.request("GET", answer.headers["Location"], {"Sec-Fetch-Mode": "navigate"})
            left = person.browser.cookie_header("notes.shop.test")
            assert "__Host-Http-fa=" not in left and "__Host-Http-fa-state=" in left, left
        with check("a sign-out at the app ends the sign-in at the house"):
            assert person.navigate(f"{app}/again").json()["path"] == "/again"
            answer = person.browser.request("GET", f"{app}/.frontdesk/logout", {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "document"})
            assert answer.status_code == 303 and answer.headers["Location"].startswith(f"{issuer}/oauth2/logout?id_token_hint="), answer.headers
            assert person.get("/data").status_code == 401
            back, pages = person.browser.act(answer.headers["Location"])
            assert (back, pages) == (f"{app}/", []), (back, pages)
            _, pages = person.browser.act(f"{issuer}/oauth2/authorize?{authorize()}")
            assert pages == ["login"], "the person has to sign in again"

    with tests.flow("programs") as check:
        with check("a token for this app passes"):
            answer = call(token("notes:read"), method="PUT", data="x")
            assert answer.status_code == 200, answer.text
            told = answer.json()
            assert (told["method"], told["body"], told["headers"]["x-auth-subject"]) == ("PUT", "x", "program"), told
            assert checked(told["headers"]["x-auth-token"])["client_id"] == "program"
        with check("what it makes up of identities does not reach the app"):
            headers = call(token("notes:read"), headers=MADE_UP).json()["headers"]
            assert headers["x-auth-subject"] == "program", headers
            assert not {"x-auth-email", "x-auth-groups", "x-auth-redirect"} & headers.keys(), headers
        with check("a token for another app, a made-up one and none are told 401"):
            before = App.reached
            for bearer in (token("other:read"), "x.y.z", None):
                answer = call(bearer, headers={"Accept": "application/json"} | MADE_UP)
                assert answer.status_code == 401 and "Location" not in answer.headers, answer.headers
                assert answer.headers["WWW-Authenticate"].startswith("Bearer "), answer.headers
            assert App.reached == before
        with check("a revoked token is refused at the next request"):
            bearer = token("notes:read")
            assert call(bearer).status_code == 200
            requests.post(f"{issuer}/oauth2/revoke", data={"token": bearer}, auth=("program", settings["client_secret"]), timeout=30, verify=certificate).raise_for_status()
            assert call(bearer).status_code == 401
        with check("the question itself is not to be asked from outside"):
            bearer = token("notes:read")
            for path in ("nginx", "traefik", "envoy/", "envoy/..%2f.."):
                asked = {"Authorization": f"Bearer {bearer}", "X-Original-URL": f"{app}/", "X-Forwarded-Host": host}
                answer = requests.get(f"{issuer}/forward-auth/{path}", headers=asked, timeout=30, verify=certificate)
                assert answer.status_code == 403 and "X-Auth-Token" not in answer.headers, (path, answer.headers)

    with tests.flow("trouble") as check:
        person = Person()
        assert person.navigate(f"{app}/").status_code == 200
        with check("while Frontdesk is away nobody passes"):
            before = App.reached
            frontdesk.send_signal(signal.SIGTERM)
            frontdesk.wait(timeout=60)
            assert person.get("/data").status_code == 500
            assert call(None).status_code == 500
            assert App.reached == before


def authorize() -> str:
    return f"response_type=code&client_id=notes-gate&redirect_uri={app}/.frontdesk/callback&scope=openid&code_challenge={'A' * 43}&code_challenge_method=S256"


def raw(path: str, headers: dict) -> tuple[int, dict]:
    """Asks the app's host for a path as it is written here; libraries tidy paths up."""
    context = ssl.create_default_context(cafile=str(certificate))
    with socket.create_connection(("127.0.0.1", https), timeout=30) as plain_socket, context.wrap_socket(plain_socket, server_hostname="notes.shop.test") as tls:
        lines = [f"GET {path} HTTP/1.1", f"Host: {host}", "Connection: close", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        tls.sendall("\r\n".join(lines).encode())
        got = b""
        while part := tls.recv(4096):
            got += part
    first, *rest = got.split(b"\r\n\r\n")[0].decode().split("\r\n")
    return int(first.split()[1]), {name.lower(): value for name, value in (line.split(": ", 1) for line in rest)}


def socket_opens(cookie: str) -> bool:
    context = ssl.create_default_context(cafile=str(certificate))
    with socket.create_connection(("127.0.0.1", https), timeout=30) as raw, context.wrap_socket(raw, server_hostname="notes.shop.test") as tls:
        lines = [
            "GET /live HTTP/1.1", f"Host: {host}", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-Fetch-Mode: websocket", *([f"Cookie: {cookie}"] if cookie else []), "", "",
        ]
        tls.sendall("\r\n".join(lines).encode())
        got = b""
        while not re.search(rb"hello from the socket\n|^HTTP/1.1 [2345]", got):
            part = tls.recv(4096)
            if not part:
                break
            got += part
        return got.startswith(b"HTTP/1.1 101 ") and got.endswith(b"hello from the socket\n")


configure()
program = [os.environ["FRONTDESK"], "--config", "config.toml"]
for step in (["migrate"], ["apply", "apps.toml"]):
    subprocess.run([*program, *step], cwd=here, check=True, capture_output=True)
server = ThreadingHTTPServer(("127.0.0.1", upstream), App)
threading.Thread(target=server.serve_forever, daemon=True).start()
with running("serve", [*program, "serve"]) as frontdesk, running("nginx", [nginx, "-p", here, "-c", here / "nginx.conf"]):
    wait_for("serve", f"http://127.0.0.1:{plain}/readyz")
    wait_for("nginx", f"{issuer}/readyz")
    stories(frontdesk)
server.shutdown()
tests.end()
