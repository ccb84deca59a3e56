// The small parts: JSON, base64url, server-sent events, the bucket, caching headers, settings, challenges, principals.
import assert from "node:assert/strict";
import { test } from "node:test";
import { VerifyError, bearerToken, createVerifier } from "frontdesk-verifier";
import { decode } from "../src/base64url.js";
import { RecentNames, TokenBucket } from "../src/cooldown.js";
import { freshness } from "../src/http.js";
import { Issuer } from "../src/issuer.js";
import { parseObject } from "../src/json.js";
import { PushedPlaces } from "../src/pushed.js";
import { events } from "../src/sse.js";
import { START, accessToken, house } from "./support/issuer.mjs";

test("one JSON object with distinct names is read", () => {
  for (const text of [
    "{}",
    ' {"a":1} ',
    '{"a":null,"b":true,"c":-1,"d":1.5,"e":"x","f":[],"g":{}}',
    '{"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}],"c":["a","a","b"]}',
    '{"iss":"x","ISS":"y"}',
    '{"a":"\\"a\\":1,{","b\\\\":2,"c":"\\\\"}',
    `{"a":${"[".repeat(15)}${"]".repeat(15)}}`,
    '{"__proto__":1,"constructor":2}',
  ]) {
    assert.deepEqual(parseObject(text), JSON.parse(text), text);
    assert.deepEqual(parseObject(new TextEncoder().encode(text)), JSON.parse(text), text);
  }
});

test("everything else is no object", () => {
  for (const text of [
    ..."|null|1|\"{}\"|[]|[{}]|{|{}{}|{} x|{'a':1}|{\"a\":1,}|{\"a\":NaN}|{\"a\":01}|\u{feff}{}".split("|"),
    '{"a":"\n"}',
    '{"a":"\\ud800"}',
    '{"a":1,"a":1}',
    '{"iss":"good","i\\u0073s":"evil"}',
    '{"a\\"b":1,"c":{},"a\\u0022b":2}',
    '{"a":{"b":1,"b":2}}',
    '{"a":[1,{"b":1,"c":[],"b":2}]}',
    '{"__proto__":1,"__proto__":2}',
    `{"a":${"[".repeat(16)}${"]".repeat(16)}}`,
    `{"a":${"[".repeat(100_000)}`,
  ]) {
    assert.equal(parseObject(text), undefined, text.slice(0, 50));
  }
  assert.equal(parseObject(Uint8Array.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])), undefined);
});

test("base64url has no padding and no stray bits", () => {
  for (const text of ["AA", "AAA", "AAAA", "_-8", "e30"]) assert.equal(Buffer.from(decode(text)).toString("base64url"), text);
  for (const text of ["", "A", "AAAAA", "AB", "AAB", "AA=", "A+A", "A/A", "A A", "AA\n", "é", undefined, 1, null]) assert.equal(decode(text), undefined, `${text}`);
});

async function eventsOf(...chunks) {
  const body = new ReadableStream({
    start(to) {
      for (const chunk of chunks) to.enqueue(typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk);
      to.close();
    },
  });
  return Array.fromAsync ? Array.fromAsync(events(body)) : collected(events(body));
}

async function collected(all) {
  const found = [];
  for await (const each of all) found.push(each);
  return found;
}

test("server-sent events are read however they are cut", async () => {
  const expected = [
    { type: "revoked", data: '{"a":\n"ü"}', id: "1" },
    { type: undefined, data: "", id: "2" },
    { type: "message", data: "x", id: "2" },
    { type: "reset", data: "", id: "2" },
  ];
  const text = ': alive\r\n: alive\nevent: revoked\ndata: {"a":\ndata:"ü"}\nid: 1\nretry: 5\r\n\r\nid:2\r\rdata:x\nid: \0\n\nevent: reset\ndata\n\nevent: lost\n';
  const bytes = new TextEncoder().encode(text);
  assert.deepEqual(await eventsOf(text), expected);
  assert.deepEqual(await eventsOf(...[...bytes].map((byte) => Uint8Array.of(byte))), expected);
  await assert.rejects(eventsOf("data: ", "x".repeat(1024 * 1024)), /too/);
  await assert.rejects(eventsOf("data: x\n".repeat(200_000)), /too large/);
});

test("the bucket gives six at once and then one every ten seconds", () => {
  const bucket = new TokenBucket(6);
  const taken = (now) => Array.from({ length: 10 }, () => bucket.take(now)).filter(Boolean).length;
  assert.deepEqual([100_000, 109_000, 110_000, 119_000, 120_000, 10_000_000].map(taken), [6, 0, 1, 0, 1, 6]);
  assert.equal(new TokenBucket(0).take(1e9), false);
});

test("names are remembered for a while, those used last the longest", () => {
  const names = new RecentNames(3, 60);
  for (const [index, name] of ["a", "b", "c"].entries()) names.add(name, index);
  assert.ok(names.has("a", 3));
  names.add("d", 4);
  assert.deepEqual(["a", "b", "c", "d"].map((name) => names.has(name, 5)), [true, false, true, true]);
  assert.deepEqual([names.has("d", 63), names.has("d", 64), names.has("d", 5)], [true, false, false]);
});

test("pushed places have a limit", () => {
  const places = new PushedPlaces();
  assert.ok(places.add("a", Array.from({ length: 100_000 }, (_, index) => index), 10));
  assert.equal(places.add("b", [1], 20), false);
  places.settle("a", 10);
  assert.ok(places.add("b", [1], 20) && places.has("b", 1) && !places.has("a", 1));
  places.expire(19);
  assert.ok(places.has("b", 1));
  places.expire(20);
  assert.ok(!places.has("b", 1));
});

test("freshness is max-age less Age", () => {
  for (const [cacheControl, age, expected] of [
    [undefined, undefined, 300],
    ["public", undefined, 300],
    ["max-age=60", undefined, 60],
    ["public, MAX-AGE=60, must-revalidate", "20", 40],
    ["max-age=60", "100", 0],
    ["max-age=60", "soon", 60],
    ["max-age=-1", undefined, 0],
    ["max-age=60, no-store", undefined, 0],
    ["no-cache", undefined, 0],
    ["s-maxage=5, max-age=7", undefined, 7],
  ]) {
    const headers = new Headers({ ...(cacheControl && { "cache-control": cacheControl }), ...(age && { age }) });
    assert.equal(freshness(headers) / 1000, expected, cacheControl);
  }
});

test("issuers use https, or http on loopback, and own what lies on their origin", () => {
  for (const good of ["https://id.example.com", "https://id.example.com/", "https://id.example.com/tenant", "http://localhost:8080", "http://id.localhost", "http://127.0.0.1:1", "http://[::1]:1"]) {
    assert.equal(new Issuer(good).identifier, good);
  }
  for (const bad of ["", "id.example.com", "http://id.example.com", "http://127.0.0.1.example.com", "ftp://localhost", "https://x?", "https://x#", "https://u@x", undefined, 1]) {
    assert.throws(() => new Issuer(bad), TypeError, `${bad}`);
  }
  const tenant = new Issuer("https://id.example.com/tenant/");
  assert.equal(tenant.discoveryUrl, "https://id.example.com/tenant/.well-known/openid-configuration");
  assert.ok(tenant.ownsStatusList("https://id.example.com/tenant/status/1"));
  for (const bad of ["https://id.example.com/status/1", "https://id.example.com/another/status/1", "https://id.example.com/tenant/status/", "https://id.example.com/tenant/status/../x", "https://id.example.com/tenant/status/1#x"]) {
    assert.ok(!tenant.ownsStatusList(bad), bad);
  }
});

test("settings have bounds", () => {
  const good = { issuer: "https://id.example.com", audience: "https://api.example.com" };
  for (const more of [{}, { leeway: 60 }, { leeway: 0 }, { minFreshness: 0.001 }, { minFreshness: 900 }, { audience: ["a", "b"] }, { algorithms: ["ES256"] }, { status: { policy: "required" } }]) {
    createVerifier({ ...good, ...more }).close();
  }
  const audience = "an audience is needed: your API's identifier";
  const freshness = "minFreshness may be 15 minutes and maxStale at most";
  for (const [more, message] of [
    [{ leeway: 61 }, "the leeway may be 60 seconds at most"],
    [{ leeway: "30" }, "leeway must be a number, not negative"],
    [{ leeway: -1 }, "leeway must be a number, not negative"],
    [{ maxStale: NaN }, "maxStale must be a number, not negative"],
    [{ minFreshness: 901 }, freshness],
    [{ maxStale: 29 }, freshness],
    [{ algorithms: [] }, "at least one algorithm must be allowed"],
    [{ algorithms: ["HS256"] }, "the algorithm HS256 cannot be checked; there are RS256 and ES256"],
    [{ audience: undefined }, audience],
    [{ audience: "" }, audience],
    [{ audience: [] }, audience],
    [{ audience: ["a", ""] }, audience],
    [{ issuer: "http://id.example.com" }, "the issuer must use https, except on loopback"],
    [{ app: "" }, "app is a client id: printable ASCII, not empty"],
    [{ app: "a\r\nb" }, "app is a client id: printable ASCII, not empty"],
    [{ status: { policy: "perhaps" } }, "status.policy is one of off, if_present, required"],
    [{ status: { whenUnreachable: "open" } }, "status.whenUnreachable is one of last_list, refuse"],
    [{ status: { firstSight: 0 } }, "status.firstSight must be more than zero"],
    [{ stream: { clientId: "a" } }, "stream needs clientId and clientSecret"],
  ]) {
    assert.throws(() => createVerifier({ ...good, ...more }), { name: "TypeError", message });
  }
});

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
  for (const allowed of [() => principal.requireScope("profile notes:read"), () => principal.requireScope(""), () => principal.requireAcr("pwd"), () => principal.requireRecentSignIn(60)]) {
    assert.equal(answer(allowed), undefined);
  }
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
