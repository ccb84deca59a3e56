"""A browser without a window: cookies, redirects and forms, enough to sign in on pages that work without scripts."""

from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import requests

from settings import settings

STEPS = 12


class Browser:
    """One person at one machine; by default the one of the settings, at the issuer of the settings."""

    def __init__(
        self, issuer: str | None = None, typed: dict[str, str] | None = None, *, verify: object = True
    ) -> None:
        self._issuer = issuer or settings["issuer"]
        self._typed = typed or {"username": settings["username"], "password": settings["password"]}
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = verify

    def request(self, method: str, url: str, headers: dict[str, str], body: str | None = None) -> requests.Response:
        """One request to anybody, with the cookies of that host."""
        return self._session.request(method, url, headers=headers, data=body, allow_redirects=False, timeout=30)

    def keep(self, name: str, value: str, host: str) -> None:
        """A cookie that a page of the host's has set."""
        self._session.cookies.set(name, value, domain=host, path="/", secure=True)

    def cookie_header(self, host: str) -> str:
        """All cookies of a host."""
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in self._session.cookies if cookie.domain == host)

    def act(self, start: str, *, silent: bool = False, deny: bool = False, until: str = "") -> tuple[str, list[str]]:
        """Opens an address of the issuer and acts as a person would (name and password, "allow", "sign out"), until the
        browser would leave the issuer, or a page has an element of the id `until`. Returns the address it would go to, and the
        pages on the way."""
        pages: list[str] = []
        response = self._follow("GET", start)
        for _ in range(STEPS):
            if isinstance(response, str):
                return response, pages
            page = _Page(response.text)
            if until and f'id="{until}"' in response.text:
                return response.url, pages
            assert response.status_code == 200, f"{response.url} answered {response.status_code}: {page.text[:300]}"
            assert not silent, f"a page where none may be: {page.text[:300]}"
            kind, action, fields = page.to_fill(self._typed, deny)
            assert not (kind == "login" and "login" in pages), f"the sign-in was refused: {page.text[:300]}"
            pages.append(kind)
            response = self._follow("POST", urljoin(response.url, action), fields)
        raise AssertionError(f"still not back after {STEPS} pages: {pages}")

    def press(self, path: str, action: str, **fields: str) -> str:
        """Opens a page of the account, fills the form with this action, sends it, and gives the address where that leads to."""
        page = self._follow("GET", self._issuer + path)
        assert page.status_code == 200, f"{path} answered {page.status_code}: {_Page(page.text).text[:300]}"
        hidden = _Page(page.text).hidden(action)
        done = self._follow("POST", self._issuer + action, [*(hidden | fields).items()])
        assert done.status_code == 200, f"{action} answered {done.status_code}: {_Page(done.text).text[:300]}"
        return done.url

    def page(self, path: str) -> str:
        """The text of a page of the account, with its marks."""
        page = self._follow("GET", self._issuer + path)
        assert page.status_code == 200, f"{path} answered {page.status_code}: {_Page(page.text).text[:300]}"
        return page.text

    def fetch(self, path: str, origin: str, **fields: str) -> requests.Response:
        """What a page of an app at this origin sends to the issuer, with the cookies that this browser keeps for the issuer."""
        same_site = {"Origin": origin, "Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}
        headers = same_site | {"X-OAuth-Browser": "1"}
        return self._session.post(self._issuer + path, data=fields, headers=headers, timeout=30)

    def _follow(self, method: str, url: str, fields: list[tuple[str, str]] | None = None) -> requests.Response | str:
        for _ in range(STEPS):
            if _origin(url) != self._issuer:
                return url
            headers = {"Accept": "text/html", "Accept-Language": "en"}
            if method == "POST":
                headers |= {"Origin": self._issuer, "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate"}
            response = self._session.request(method, url, data=fields, headers=headers, allow_redirects=False, timeout=30)
            if not response.is_redirect:
                return response
            assert response.status_code == 303, f"{url} redirects with {response.status_code}"
            url = urljoin(url, response.headers["Location"])
            method, fields = "GET", None
        raise AssertionError("too many redirects")


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


class _Page(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self._forms: list[dict] = []
        self._inside = False
        self._silent = 0
        self._words: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        attributes = {name: value or "" for name, value in attrs}
        if tag in ("script", "style", "title"):
            self._silent += 1
        elif tag == "form":
            self._inside = True
            self._forms.append({"action": attributes.get("action", ""), "fields": [], "buttons": {}})
        elif self._inside and tag == "input" and attributes.get("name"):
            tick = attributes.get("type") in ("checkbox", "radio")
            if not tick or "checked" in attributes:
                self._forms[-1]["fields"].append((attributes["name"], attributes.get("value", "on" if tick else "")))
        elif self._inside and tag == "button" and attributes.get("id"):
            self._forms[-1]["buttons"][attributes["id"]] = attributes

    def handle_endtag(self, tag):
        if tag in ("script", "style", "title"):
            self._silent -= 1
        elif tag == "form":
            self._inside = False

    def handle_data(self, data):
        if not self._silent and data.strip():
            self._words.append(data.strip())

    @property
    def text(self) -> str:
        return " ".join(self._words)

    def hidden(self, action: str) -> dict[str, str]:
        """The fields of the first form with this action, as they stand."""
        form = next((form for form in self._forms if form["action"] == action), None)
        assert form is not None, f"no form leads to {action}: {self.text[:300]}"
        return dict(form["fields"])

    def to_fill(self, typed: dict[str, str], deny: bool) -> tuple[str, str, list[tuple[str, str]]]:
        for form in self._forms:
            names = [name for name, _ in form["fields"]]
            if "login-submit" in form["buttons"] and "password" in names:
                fields = [(name, typed.get(name, value)) for name, value in form["fields"]]
                return _pressed("login", form, "login-submit", fields)
            answer = "consent-deny" if deny else "consent-accept"
            if answer in form["buttons"]:
                return _pressed("consent", form, answer, form["fields"])
            if "logout-confirm" in form["buttons"]:
                return _pressed("logout", form, "logout-confirm", form["fields"])
        raise AssertionError(f"nothing to do on this page: {self.text[:300]}")


def _pressed(kind: str, form: dict, button: str, fields: list[tuple[str, str]]) -> tuple[str, str, list[tuple[str, str]]]:
    pressed = form["buttons"][button]
    if pressed.get("name"):
        fields = [*fields, (pressed["name"], pressed.get("value", ""))]
    return kind, pressed.get("formaction", form["action"]), fields
