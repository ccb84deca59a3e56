"""PyPI PyJWT: how a Python API checks our tokens, with PyJWKClient as its key source."""

import base64
import hashlib
import json
import secrets
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import requests

from browser import Browser
from settings import ALGORITHMS, other, settings
from suite import Suite, refused

tests = Suite("pyjwt")
issuer = settings["issuer"]
metadata = requests.get(f"{issuer}/.well-known/oauth-authorization-server", timeout=30).json()


def post(endpoint: str, client_id: str, **fields) -> dict:
    answer = requests.post(metadata[endpoint], data=fields, auth=(client_id, settings["client_secret"]), timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.json()


def tokens_of_a_person(client_id: str, scope: str, nonce: str) -> dict:
    verifier = secrets.token_urlsafe(32)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    query = {
        "client_id": client_id,
        "response_type": "code",
        "redirect_uri": settings["web_redirect_uri"],
        "scope": scope,
        "state": "s",
        "nonce": nonce,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    answer, _ = Browser().act(f"{metadata['authorization_endpoint']}?{urlencode(query)}")
    code = parse_qs(urlsplit(answer).query)["code"][0]
    return post(
        "token_endpoint",
        client_id,
        grant_type="authorization_code",
        code=code,
        redirect_uri=settings["web_redirect_uri"],
        code_verifier=verifier,
    )


def flipped(token: str) -> str:
    """The same token with one bit of its claims changed."""
    head, body, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    claims["iat"] ^= 1
    return ".".join((head, base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode(), signature))


for one in ALGORITHMS:
    with tests.flow(one.alg) as check:
        keys = jwt.PyJWKClient(metadata["jwks_uri"])

        def verified(token: str, audience: str, alg: str = one.alg) -> dict:
            key = keys.get_signing_key_from_jwt(token)
            return jwt.decode(
                token,
                key,
                algorithms=[alg],
                audience=audience,
                issuer=issuer,
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )

        with check("the access token of a service"):
            service = post("token_endpoint", "service", grant_type="client_credentials", scope=one.scope)["access_token"]
            claims = verified(service, one.resource)
            assert claims["sub"] == claims["client_id"] == "service"
            assert jwt.get_unverified_header(service)["typ"] == "at+jwt"
            assert jwt.get_unverified_header(service)["alg"] == one.alg
        with check("the tokens of a person: each by its own algorithm"):
            client_id = f"web-post-{one.id}"
            basic_id = f"web-basic-{one.id}"
            given = tokens_of_a_person(basic_id, f"openid {other(one).scope}", "a nonce, with signs: +/=")
            identity = verified(given["id_token"], basic_id)
            assert identity["nonce"] == "a nonce, with signs: +/="
            digest = hashlib.sha256(given["access_token"].encode()).digest()
            assert identity["at_hash"] == base64.urlsafe_b64encode(digest[:16]).rstrip(b"=").decode()
            access = verified(given["access_token"], other(one).resource, other(one).alg)
            assert access["sub"] == identity["sub"]
            assert access["sid"] == identity.get("sid", access["sid"])
        with check("another audience, another issuer, another algorithm"):
            with refused(jwt.InvalidAudienceError):
                verified(service, client_id)
            with refused(jwt.InvalidIssuerError):
                key = keys.get_signing_key_from_jwt(service)
                jwt.decode(service, key, algorithms=[one.alg], audience=one.resource, issuer="https://id.example.com")
            with refused(jwt.InvalidAlgorithmError):
                verified(service, one.resource, other(one).alg)
        with check("a changed token, by the library and by us"):
            with refused(jwt.InvalidSignatureError):
                verified(flipped(service), one.resource)
            answer = post("introspection_endpoint", f"api-{one.id}", token=flipped(service))
            assert answer == {"active": False}, answer
            assert post("introspection_endpoint", f"api-{one.id}", token=service)["active"] is True
        with check("userinfo by header and by form, and its refusals"):
            bearer = {"Authorization": f"Bearer {given['access_token']}"}
            by_header = requests.get(metadata["userinfo_endpoint"], headers=bearer, timeout=30)
            by_post = requests.post(metadata["userinfo_endpoint"], headers=bearer, timeout=30)
            by_form = requests.post(metadata["userinfo_endpoint"], data={"access_token": given["access_token"]}, timeout=30)
            for answer in (by_header, by_post, by_form):
                assert answer.status_code == 200, answer.text
                assert answer.json() == {"sub": identity["sub"]}, answer.text
            nobody = requests.get(metadata["userinfo_endpoint"], timeout=30)
            assert nobody.status_code == 401
            assert "error" not in nobody.headers["WWW-Authenticate"]
            changed = {"Authorization": f"Bearer {flipped(given['access_token'])}"}
            refusal = requests.get(metadata["userinfo_endpoint"], headers=changed, timeout=30)
            assert refusal.status_code == 401
            assert 'error="invalid_token"' in refusal.headers["WWW-Authenticate"]
            as_service = requests.get(metadata["userinfo_endpoint"], headers={"Authorization": f"Bearer {service}"}, timeout=30)
            assert as_service.status_code in (401, 403), as_service.status_code

tests.end()
