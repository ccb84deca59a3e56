"""Ways in which tokens are taken back. Each trial has people, apps and services of its own."""

import base64
import hashlib
import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlencode, urlsplit

import requests

from browser import Browser
from revocation_house import SCOPE, SPA, BusyHouse
from settings import settings
from turning_house import LONG, Busy
from turning_traffic import decoded

SECRET, WEB = settings["client_secret"], settings["web_redirect_uri"]


@dataclass(frozen=True)
class App:
    """What an app was given."""

    client: str
    access: str
    refresh: str | None
    identity: str
    code: dict[str, str]


@dataclass
class Trial:
    """Something that takes tokens back. `act` may be called again as long as nobody knows whether it was done."""

    kind: str
    act: Callable[[], None]
    # Tokens that count no more afterwards, and such as must not be touched.
    dead: list[str]
    live: list[str]
    # Gets tokens afterwards that must be good.
    fresh: Callable[[], list[str]] = field(default=list)
    # By seconds since 1970: when it began, and when it was said to be done.
    begun: float = 0.0
    done: float = 0.0


class Person:
    """Someone with a browser."""

    def __init__(self, house: BusyHouse, name: str) -> None:
        self.house, self.name = house, name
        self.browser = Browser(house.issuer, {"username": name, "password": settings["password"]})

    def opens(self, client: str) -> App:
        """Signs in to an app."""
        verifier = secrets.token_urlsafe(32)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        uri = settings["browser_redirect_uri"] if client == "spa" else WEB
        query = {
            "client_id": client,
            "response_type": "code",
            "redirect_uri": uri,
            "scope": f"openid {SCOPE}",
            "state": "s",
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        answer, _ = busy_if_503(lambda: self.browser.act(f"{self.house.issuer}/oauth2/authorize?{urlencode(query)}"))
        code = {
            "grant_type": "authorization_code",
            "code": parse_qs(urlsplit(answer).query)["code"][0],
            "redirect_uri": uri,
            "code_verifier": verifier,
        }
        if client == "spa":
            given = good(self.browser.fetch("/oauth2/token", SPA, client_id="spa", **code)).json()
        else:
            given = self.house.token(client, **code)
        assert ("refresh_token" in given) == (client != "spa"), given.keys()
        return App(client, given["access_token"], given.get("refresh_token"), given["id_token"], code)


def busy_if_503(body):
    try:
        return body()
    except AssertionError as error:
        raise Busy(error) if " answered 503" in str(error) else error


def good(answer: requests.Response, *statuses: int) -> requests.Response:
    if answer.status_code == 503:
        raise Busy(answer.text[:200])
    assert answer.status_code in (statuses or (200,)), f"{answer.url} answered {answer.status_code}: {answer.text[:200]}"
    return answer


def own_token(house: BusyHouse, client: str) -> str:
    return house.token(client, grant_type="client_credentials", scope=SCOPE)["access_token"]


def another_token(house: BusyHouse, client: str, dead: str) -> str:
    """A process that has not learned of it yet, which takes it a second, gives tokens with the old place: they are as dead. It is asked
    again, as an app does whose token is refused."""
    token = own_token(house, client)
    if place(token) == place(dead):
        raise Busy(f"{client} has its old place")
    return token


def place(token: str) -> dict:
    return decoded(token.split(".")[1])["status"]["status_list"]


def revoked(house: BusyHouse, client: str, token: str) -> None:
    """RFC 7009."""
    good(requests.post(f"{house.issuer}/oauth2/revoke", data={"token": token}, auth=(client, SECRET), timeout=LONG))


def of_refresh_token(house: BusyHouse, names: Iterator[str], _: int) -> Trial:
    person = Person(house, next(names))
    app, other = person.opens("web"), person.opens("asks")
    return Trial("refresh token revoked", lambda: revoked(house, "web", app.refresh), [app.access], [other.access])


def of_access_token(house: BusyHouse, names: Iterator[str], _: int) -> Trial:
    """The grant goes on."""
    app = Person(house, next(names)).opens("web")

    def fresh() -> list[str]:
        return [house.token("web", grant_type="refresh_token", refresh_token=app.refresh)["access_token"]]

    return Trial("access token revoked", lambda: revoked(house, "web", app.access), [app.access], [], fresh)


def of_own_token(house: BusyHouse, _: Iterator[str], at: int) -> Trial:
    service = f"service{at}"
    token = own_token(house, service)
    fresh = lambda: [another_token(house, service, token)]  # noqa: E731
    return Trial("a service's token revoked", lambda: revoked(house, service, token), [token], [], fresh)


def signed_out(house: BusyHouse, names: Iterator[str], _: int) -> Trial:
    name = next(names)
    person, elsewhere = Person(house, name), Person(house, name)
    apps, other = [person.opens(client) for client in ("web", "spa")], elsewhere.opens("web")
    query = urlencode({"id_token_hint": apps[0].identity, "client_id": "web", "post_logout_redirect_uri": settings["web_post_logout_redirect_uri"]})

    def act() -> None:
        left, _ = busy_if_503(lambda: person.browser.act(f"{house.issuer}/oauth2/logout?{query}"))
        assert left.startswith(settings["web_post_logout_redirect_uri"]), left

    return Trial("signed out", act, [app.access for app in apps], [other.access])


def app_signed_out(house: BusyHouse, names: Iterator[str], _: int) -> Trial:
    """A browser app in cookie mode, alone."""
    person = Person(house, next(names))
    app, other = person.opens("spa"), person.opens("web")

    def act() -> None:
        good(person.browser.fetch("/oauth2/browser/logout", SPA, client_id="spa"), 204)

    return Trial("browser app signed out", act, [app.access], [other.access])


def withdrawn(house: BusyHouse, names: Iterator[str], _: int) -> Trial:
    person = Person(house, next(names))
    app, other = person.opens("asks"), person.opens("web")

    def act() -> None:
        if 'data-app="asks"' in person.browser.page("/account/apps"):
            person.browser.press("/account/apps/asks/withdraw", "/account/apps/withdraw")
        assert 'data-app="asks"' not in person.browser.page("/account/apps")

    return Trial("consent withdrawn", lambda: busy_if_503(act), [app.access], [other.access])


def session_ended(house: BusyHouse, names: Iterator[str], _: int) -> Trial:
    name = next(names)
    person, elsewhere = Person(house, name), Person(house, name)
    app, own = elsewhere.opens("web"), person.opens("web")

    def others() -> list[str]:
        return re.findall(r'data-session="([^"]+)">', person.browser.page("/account/sessions"))

    def act() -> None:
        for session in others():
            person.browser.press("/account/sessions", "/account/sessions/end", session=session)
        assert others() == []

    return Trial("session ended", lambda: busy_if_503(act), [app.access], [own.access])


def person_disabled(house: BusyHouse, names: Iterator[str], _: int) -> Trial:
    person, other = Person(house, next(names)), Person(house, next(names))
    apps = [person.opens(client) for client in ("web", "spa", "asks")]
    act = lambda: house.run("users", "disable", person.name)  # noqa: E731
    return Trial("person disabled", act, [app.access for app in apps], [other.opens("web").access])


def person_signed_out(house: BusyHouse, names: Iterator[str], _: int) -> Trial:
    person, other = Person(house, next(names)), Person(house, next(names))
    apps = [person.opens(client) for client in ("web", "spa")]
    act = lambda: house.run("users", "sign-out", person.name)  # noqa: E731
    return Trial("person signed out by an admin", act, [app.access for app in apps], [other.opens("web").access])


def client_disabled(house: BusyHouse, names: Iterator[str], at: int) -> Trial:
    """And put into service again, with tokens that are good."""
    person, app = Person(house, next(names)), f"app{at}"
    dead, other = [person.opens(app).access, own_token(house, app)], person.opens("web")

    def fresh() -> list[str]:
        house.run("clients", "enable", app)
        return [known_again(lambda: another_token(house, app, dead[1])), known_again(lambda: person.opens(app).access)]

    return Trial("client disabled", lambda: house.run("clients", "disable", app), dead, [other.access], fresh)


def known_again(body: Callable[[], str]) -> str:
    """Another process than the command's learns of it a moment later."""
    try:
        return body()
    except AssertionError as error:
        raise Busy(error) if "401" in str(error) or " answered 400" in str(error) else error


def password_changed(house: BusyHouse, names: Iterator[str], _: int) -> Trial:
    name = next(names)
    person, elsewhere, other = Person(house, name), Person(house, name), Person(house, next(names))
    apps = [person.opens("web"), elsewhere.opens("spa")]
    new = "another " + settings["password"]

    def act() -> None:
        typed = {"current_password": settings["password"], "new_password": new, "repeat_password": new}
        left = person.browser.press("/account/password", "/account/password", **typed)
        assert "done=" in left, left

    return Trial("password changed", lambda: busy_if_503(act), [app.access for app in apps], [other.opens("web").access])


def code_reused(house: BusyHouse, names: Iterator[str], _: int) -> Trial:
    person = Person(house, next(names))
    app, other = person.opens("web"), person.opens("asks")

    def act() -> None:
        answer = requests.post(f"{house.issuer}/oauth2/token", data=app.code, auth=("web", SECRET), timeout=LONG)
        assert good(answer, 400).json()["error"] == "invalid_grant", answer.text

    return Trial("code used again", act, [app.access], [other.access])


# By whom: a person or an app through the server, who may have to try again when the server goes down; and an admin by a command.
THROUGH_SERVER = [of_refresh_token, of_access_token, of_own_token, signed_out, app_signed_out, withdrawn, session_ended, code_reused]
BY_COMMAND = [person_disabled, person_signed_out, client_disabled]
# A second try would fail.
ONCE = [password_changed]
