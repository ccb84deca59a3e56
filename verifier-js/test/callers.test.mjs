// Where callers carry their token, who they are, and what they hear.
import assert from "node:assert/strict";
import { test } from "node:test";
import { VerifyError, bearerToken } from "frontdesk-verifier";
import { START, accessToken, house } from "./support/issuer.mjs";

test("callers hear what RFC 6750 says, and never which check failed", async () => {
  const { verifier } = house({ realm: 'no"tes\r\n', resourceMetadata: "https://api.example.com/m" });
  const prefix = 'Bearer realm="no\\"tes", resource_metadata="https://api.example.com/m"';
  const principal = await verifier.verify(accessToken({ acr: "pwd", auth_time: START - 60 }));
  const answer = (act) => {
    try {
      act();
    } catch (error) {
      const { status, headers } = verifier.refusal(error);
      return [status, headers["www-authenticate"]];
    }
    return undefined;
  };
  assert.deepEqual(answer(() => bearerToken({ headers: {} })), [401, prefix]);
  assert.deepEqual(answer(() => bearerToken({ headers: { authorization: "Bearer" } })), [400, `${prefix}, error="invalid_request"`]);
  assert.deepEqual(answer(() => principal.requireScope("notes:write")), [403, `${prefix}, error="insufficient_scope", scope="notes:write"`]);
  assert.deepEqual(answer(() => principal.requireAcr(["mfa", "otp"])), [401, `${prefix}, error="insufficient_user_authentication", acr_values="mfa otp"`]);
  assert.deepEqual(answer(() => principal.requireRecentSignIn(59)), [401, `${prefix}, error="insufficient_user_authentication", max_age="59"`]);
  for (const scope of ["profile notes:read", ""]) principal.requireScope(scope);
  principal.requireAcr("pwd");
  principal.requireRecentSignIn(60);
  for (const token of ["nonsense", accessToken({ exp: 0 }), accessToken({ aud: "other" })]) {
    const error = await verifier.verify(token).catch((error) => error);
    assert.ok(error instanceof VerifyError);
    assert.equal(error.message, "the access token is not valid");
    assert.deepEqual(verifier.refusal(error), { status: 401, headers: { "www-authenticate": `${prefix}, error="invalid_token"` } });
  }
  const fault = new Error("a fault of the program");
  assert.throws(() => verifier.refusal(fault), fault);
  assert.deepEqual(verifier.metrics().refused, { malformed: 1, expired: 1, audience: 1 });
  assert.equal(verifier.metrics().accepted, 1);
});

test("a principal says what the token says", async () => {
  const { verifier } = house();
  const act = { sub: "admin" };
  const principal = await verifier.verify(accessToken({ acr: "a", sid: "s", act, gid: "g", auth_time: START }));
  const { subject, clientId, isClient, scope, acr, sid, actor, tokenId, authTime, issuedAt, expiresAt } = principal;
  assert.deepEqual(
    [subject, clientId, isClient, scope, acr, sid, actor, tokenId, authTime, issuedAt, expiresAt],
    ["user-1", "app-1", false, "notes:read profile", "a", "s", act, "token-1", START, START, START + 900],
  );
  assert.deepEqual(["gid", "toString"].map((name) => principal.claim(name)), ["g", undefined]);
  for (const [value, granted] of [["profile", true], ["notes", false], ["", false], ["notes:read profile", false], ["Profile", false]]) {
    assert.equal(principal.hasScope(value), granted, value);
  }
  assert.equal(JSON.stringify(principal), '{"subject":"user-1","clientId":"app-1","scope":"notes:read profile"}');
  const robot = await verifier.verify(accessToken({ sub: "app-1", scope: undefined }));
  assert.deepEqual([robot.isClient, robot.scope, robot.hasScope("")], [true, "", false]);
  assert.throws(() => robot.requireRecentSignIn(1e9), VerifyError);
});

test("the token stands in one Authorization header and nowhere else", () => {
  const outcome = (request) => {
    try {
      return bearerToken(request);
    } catch (error) {
      return error.kind;
    }
  };
  const table = {
    "Bearer a.b.c": "a.b.c",
    "bearer a.b.c": "a.b.c",
    "BEARER   a.b.c": "a.b.c",
    "Bearer aZ09-._~+/==": "aZ09-._~+/==",
    "": "missing",
    "Basic YTpi": "missing",
    "DPoP a.b.c": "missing",
    "Bearera.b.c": "missing",
    "a.b.c": "missing",
    "Bearer": "request",
    "Bearer ": "request",
    "Bearer =": "request",
    "Bearer a b": "request",
    "Bearer a,Bearer b": "request",
    'Bearer "a"': "request",
    "Bearer a=b": "request",
    "Bearer a\tb": "request",
    "Bearer é": "request",
  };
  for (const [authorization, expected] of Object.entries(table)) {
    assert.equal(outcome({ url: "/?x=1", headers: { authorization }, rawHeaders: ["Host", "x", "Authorization", authorization] }), expected, authorization);
    assert.equal(outcome({ url: "https://api.example.com/?x=1", headers: new Headers({ authorization }) }), expected, authorization);
    assert.equal(outcome({ headers: { authorization } }), expected, authorization);
  }
  const raw = (...values) => ({ url: "/", headers: { authorization: values[0] }, rawHeaders: values.flatMap((value) => ["authorization", value]) });
  for (const second of ["Bearer a.b.c", "Basic YTpi", ""]) assert.equal(outcome(raw("Bearer a.b.c", second)), "request");
  const twice = new Headers([["authorization", "Bearer a"], ["authorization", "Bearer b"]]);
  assert.equal(outcome({ url: "https://x/", headers: twice }), "request");
  const headers = { authorization: "Bearer a.b.c" };
  for (const url of ["/?access_token=a", "/?access_token", "/?x=1&access_token=", "/?access%5Ftoken=a", "/?%61ccess_token=a", "https://x/y?access_token=a#z"]) {
    assert.deepEqual([outcome({ url, headers }), outcome({ url, headers: {} })], ["request", "request"], url);
  }
  for (const url of ["/", "/?", "/?my_access_token=a", "/?x=access_token", "/access_token=a", "/#?access_token=a"]) {
    assert.equal(outcome({ url, headers }), "a.b.c", url);
  }
});
