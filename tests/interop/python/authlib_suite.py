"""PyPI Authlib: the client that Flask, Django and Starlette apps use, over requests, without a framework around it."""

from contextlib import contextmanager
from urllib.parse import parse_qs, urlencode, urlsplit

from authlib.integrations.base_client import BaseApp, OAuthError
from authlib.integrations.base_client.sync_app import OAuth2Mixin
from authlib.integrations.base_client.sync_openid import OpenIDMixin
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.errors import InvalidClaimError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry
from requests import HTTPError

from browser import Browser
from settings import ALGORITHMS, Algorithm, other, settings
from suite import Suite, refused

tests = Suite("authlib")


class App(OAuth2Mixin, OpenIDMixin, BaseApp):
    """What Authlib registers for a web framework, minus the framework."""

    client_cls = OAuth2Session


def app(client_id: str, method: str, scope: str) -> App:
    return App(
        framework=None,
        name="frontdesk",
        client_id=client_id,
        client_secret=None if method == "none" else settings["client_secret"],
        server_metadata_url=f"{settings['issuer']}/.well-known/openid-configuration",
        client_kwargs={"scope": scope, "code_challenge_method": "S256", "token_endpoint_auth_method": method},
    )


def session(client_id: str, method: str) -> OAuth2Session:
    """The plain OAuth client, for what the app object does not offer."""
    secret = None if method == "none" else settings["client_secret"]
    return OAuth2Session(client_id, secret, token_endpoint_auth_method=method, revocation_endpoint_auth_method=method)


def sign_in(client: App, redirect_uri: str, browser: Browser, **more):
    """Authorization request, the person's answer, code for tokens, and the ID token checked."""
    how = {name: more.pop(name) for name in ("silent", "deny") if name in more}
    asked = client.create_authorization_url(redirect_uri, **more)
    answer, pages = browser.act(asked["url"], **how)
    query = {name: values[0] for name, values in parse_qs(urlsplit(answer).query).items()}
    assert query["state"] == asked["state"]
    assert query["iss"] == settings["issuer"]
    if "error" in query:
        raise OAuthError(query["error"], query.get("error_description"))
    token = client.fetch_access_token(redirect_uri, code=query["code"], code_verifier=asked["code_verifier"])
    return token, client.parse_id_token(token, nonce=asked["nonce"]), pages, asked, query


def access_claims(client: App, token: str, one: Algorithm) -> dict:
    keys = KeySet.import_key_set(client.fetch_jwk_set())
    decoded = jwt.decode(token, keys, registry=JWSRegistry(algorithms=[one.alg]))
    assert decoded.header["typ"] == "at+jwt"
    rules = {"iss": {"essential": True, "value": settings["issuer"]}, "aud": {"essential": True, "value": one.resource}}
    jwt.JWTClaimsRegistry(**rules).validate(decoded.claims)
    return decoded.claims


@contextmanager
def unauthorized():
    try:
        yield
    except HTTPError as error:
        assert error.response.status_code == 401, error.response.status_code
    else:
        raise AssertionError("not refused")


KINDS = [
    ("web-basic", "client_secret_basic", settings["web_redirect_uri"], settings["web_post_logout_redirect_uri"]),
    ("web-post", "client_secret_post", settings["web_redirect_uri"], settings["web_post_logout_redirect_uri"]),
    ("native", "none", settings["native_redirect_uri"], settings["native_post_logout_redirect_uri"]),
]


def story(check, kind: str, method: str, redirect_uri: str, bye: str, one: Algorithm) -> None:
    client_id = f"{kind}-{one.id}"
    offline = " offline_access" if kind == "web-basic" else ""
    client = app(client_id, method, f"openid profile email {one.scope}{offline}")
    browser = Browser()
    endpoints = {}
    with check("discovery"):
        endpoints = client.load_server_metadata()
        assert endpoints["issuer"] == settings["issuer"]
    with check("sign-in, consent, code with verifier, ID token with nonce and at_hash"):
        token, person, pages, asked, query = sign_in(client, redirect_uri, browser, prompt="consent")
        assert pages == ["login", "consent"], pages
        assert person["aud"] == client_id
        assert person["at_hash"]
        assert token["token_type"] == "Bearer"
    with check("the ID token is signed as registered"):
        keys = KeySet.import_key_set(client.fetch_jwk_set())
        assert jwt.decode(token["id_token"], keys, registry=JWSRegistry(algorithms=[one.alg])).header["alg"] == one.alg
    with check("another nonce is refused by the library"):
        with refused(InvalidClaimError):
            client.parse_id_token(token, nonce="another")
    with check("the access token verifies by JWKS"):
        claims = access_claims(client, token["access_token"], one)
        assert claims["sub"] == person["sub"]
        assert claims["client_id"] == client_id
    with check("userinfo"):
        info = client.userinfo(token=token)
        assert info["sub"] == person["sub"]
        assert info.name == "Alice Liddell"
        assert info.email == "alice@example.com"
    with check("the code serves once"):
        other_browser_token, _, _, again, answer = sign_in(client, redirect_uri, browser)
        with refused(OAuthError, error="invalid_grant"):
            client.fetch_access_token(redirect_uri, code=answer["code"], code_verifier=again["code_verifier"])
        with unauthorized():
            client.userinfo(token=other_browser_token)
    oauth = session(client_id, method)
    with check("refresh"):
        refreshed = oauth.refresh_token(endpoints["token_endpoint"], token["refresh_token"])
        assert refreshed["refresh_token"] != token["refresh_token"]
        assert access_claims(client, refreshed["access_token"], one)["sub"] == person["sub"]
        renewed = client.parse_id_token(refreshed, nonce=None)
        assert renewed["sub"] == person["sub"] and renewed["auth_time"] == person["auth_time"]
        assert "nonce" not in renewed
    api = session(f"api-{one.id}", "client_secret_basic")
    stranger = session(f"api-{other(one).id}", "client_secret_basic")
    introspection = endpoints["introspection_endpoint"]
    with check("introspection by the API, not by another"):
        known = api.introspect_token(introspection, refreshed["access_token"], "access_token").json()
        assert known["active"] is True and known["sub"] == person["sub"] and known["client_id"] == client_id
        assert stranger.introspect_token(introspection, refreshed["access_token"]).json() == {"active": False}
    with check("revoking the access token"):
        answer = oauth.revoke_token(endpoints["revocation_endpoint"], refreshed["access_token"], "access_token")
        assert answer.status_code == 200 and answer.content == b""
        assert api.introspect_token(introspection, refreshed["access_token"]).json() == {"active": False}
    with check("revoking the refresh token"):
        answer = oauth.revoke_token(endpoints["revocation_endpoint"], refreshed["refresh_token"], "refresh_token")
        assert answer.status_code == 200
        with refused(OAuthError, error="invalid_grant"):
            oauth.refresh_token(endpoints["token_endpoint"], refreshed["refresh_token"])
    with check("revoking what was never given is no error"):
        assert oauth.revoke_token(endpoints["revocation_endpoint"], "nonsense").status_code == 200
    with check("the person says no"):
        with refused(OAuthError, error="access_denied"):
            sign_in(client, redirect_uri, browser, prompt="consent", deny=True)
    with check("sign-out"):
        last, _, _, _, _ = sign_in(client, redirect_uri, browser)
        out = client.create_logout_url(bye, id_token_hint=last["id_token"])
        end, pages = browser.act(out["url"])
        assert pages == ["logout"], pages
        assert end == f"{bye}?{urlencode({'state': out['state']})}", end
        if offline:
            oauth.refresh_token(endpoints["token_endpoint"], last["refresh_token"])
        else:
            with refused(OAuthError, error="invalid_grant"):
                oauth.refresh_token(endpoints["token_endpoint"], last["refresh_token"])
            with unauthorized():
                client.userinfo(token=last)


for one in ALGORITHMS:
    for kind, method, redirect_uri, bye in KINDS:
        with tests.flow(f"{kind}-{one.id}") as check:
            story(check, kind, method, redirect_uri, bye, one)

    with tests.flow(f"client credentials {one.alg}") as check:
        client = app("service", "client_secret_basic", one.scope)
        with check("by scope"):
            token = client.fetch_access_token(grant_type="client_credentials", scope=one.scope)
            claims = access_claims(client, token["access_token"], one)
            assert claims["sub"] == "service" and claims["scope"] == one.scope
            assert "refresh_token" not in token and "id_token" not in token
        with check("a wrong secret"):
            wrong = OAuth2Session("service", "x" * 40)
            with refused(OAuthError, error="invalid_client"):
                wrong.fetch_token(f"{settings['issuer']}/oauth2/token", grant_type="client_credentials", scope=one.scope)
        with check("an unknown scope"):
            with refused(OAuthError, error="invalid_scope"):
                client.fetch_access_token(grant_type="client_credentials", scope="moon:read")

tests.end()
