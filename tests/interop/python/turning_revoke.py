"""Keys that are thrown out, and how soon each process refuses what they signed."""

import base64
import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode, urlsplit

import requests

import browser
from settings import settings
from turning_house import LONG, Busy, House, patiently
from turning_traffic import in_background, kid_of

REASON = "thrown out in a test"
# Seconds in which it must have happened. That it takes one on the process that did it and five on others is what the figures say; a
# machine may stand still for longer than that.
NEVER = 60


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
    try:
        answer, _ = browser.Browser().act(f"{house.issuer}/oauth2/authorize?{urlencode(query)}")
    except AssertionError as error:
        raise Busy(error) if " answered 503" in str(error) else error
    code = parse_qs(urlsplit(answer).query)["code"][0]
    uri = settings["web_redirect_uri"]
    return house.token("web", grant_type="authorization_code", code=code, redirect_uri=uri, code_verifier=verifier)["access_token"]


def accepted(process: str, token: str) -> tuple[bool, bool]:
    """Whether one process takes a token: at introspection, at userinfo."""
    auth = ("api", settings["client_secret"])
    told = requests.post(f"{process}/oauth2/introspect", data={"token": token}, auth=auth, timeout=LONG)
    person = requests.get(f"{process}/oauth2/userinfo", headers={"Authorization": f"Bearer {token}"}, timeout=LONG)
    if 503 in (told.status_code, person.status_code):
        raise Busy(process)
    assert person.status_code in (200, 401), person.status_code
    return told.json()["active"], person.status_code == 200


def by_command(house: House) -> Callable[[str], None]:
    return lambda kid: house.run_once("keys", "revoke", kid, "--reason", REASON, "--json")


def by_api(house: House) -> Callable[[str], None]:
    """On the first process."""
    robot = patiently(lambda: house.token("robot", grant_type="client_credentials", scope="frontdesk:admin"))["access_token"]
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {robot}"

    def act(kid: str) -> None:
        url = f"{house.processes[0]}/admin/api/v1/keys/{kid}/revoke"
        answer = session.post(url, json={"reason": REASON}, timeout=LONG)
        if answer.status_code == 503:
            raise Busy(answer.text[:200])
        assert answer.status_code == 200, f"{answer.status_code} {answer.text[:200]}"
        assert answer.json()["kid"] == kid, answer.text[:200]

    return act


@dataclass(frozen=True)
class Revoked:
    """A key that was thrown out. `waited`: after how many seconds each process refused what it had signed, since it was said to be
    done."""

    kid: str
    took: float
    waited: list[float]


def revoke(house: House, way: Callable[[House], Callable[[str], None]]) -> Revoked:
    """Throws out the key that signs, when the next is known."""
    house.until_spare_is_known("ES256")
    token = patiently(lambda: persons_token(house))
    kid = kid_of(token)
    assert state(house, kid) == "active"
    for process in house.processes:
        assert patiently(lambda: accepted(process, token)) == (True, True), process
    act, refused = way(house), {}
    began = time.time()

    def until_refused(process: str) -> None:
        while time.time() - began < NEVER + LONG:
            try:
                if accepted(process, token) == (False, False):
                    refused[process] = time.time()
                    return
            except (Busy, requests.RequestException):
                pass
            time.sleep(0.02)

    looking = [in_background(until_refused, process) for process in house.processes]
    while True:
        try:
            act(kid)
            break
        except (Busy, requests.RequestException):
            if state(house, kid) == "revoked":
                break
    done = time.time()
    for thread in looking:
        thread.join()
    assert len(refused) == len(house.processes), f"still accepted by {set(house.processes) - set(refused)}"
    waited = [max(0.0, refused[process] - done) for process in house.processes]
    assert max(waited) < NEVER, waited
    # People stay signed in, and get tokens that the next key signs.
    another = patiently(lambda: persons_token(house))
    assert kid_of(another) != kid
    for process in house.processes:
        assert patiently(lambda: accepted(process, another)) == (True, True), process
        assert patiently(lambda: accepted(process, token)) == (False, False), process
    return Revoked(kid, done - began, waited)


def state(house: House, kid: str) -> str:
    return next(key["state"] for key in house.keys() if key["kid"] == kid)
