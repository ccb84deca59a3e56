// What a verifier can be set up with.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createVerifier } from "frontdesk-verifier";
import { Issuer } from "../src/issuer.js";

test("issuers use https, or http on loopback, and own what lies on their origin", () => {
  const https = ["https://id.example.com", "https://id.example.com/", "https://id.example.com/tenant"];
  for (const good of [...https, "http://localhost:8080", "http://id.localhost", "http://127.0.0.1:1", "http://[::1]:1"]) {
    assert.equal(new Issuer(good).identifier, good);
  }
  const plain = ["http://id.example.com", "http://127.0.0.1.example.com"];
  for (const bad of ["", "id.example.com", ...plain, "ftp://localhost", "https://x?", "https://x#", "https://u@x", undefined, 1]) {
    assert.throws(() => new Issuer(bad), TypeError, `${bad}`);
  }
  const tenant = new Issuer("https://id.example.com/tenant/");
  assert.equal(tenant.discoveryUrl, "https://id.example.com/tenant/.well-known/openid-configuration");
  assert.ok(tenant.ownsStatusList("https://id.example.com/tenant/status/1"));
  for (const bad of [
    "https://id.example.com/status/1",
    "https://id.example.com/another/status/1",
    "https://id.example.com/tenant/status/",
    "https://id.example.com/tenant/status/../x",
    "https://id.example.com/tenant/status/1#x",
  ]) {
    assert.ok(!tenant.ownsStatusList(bad), bad);
  }
});

test("settings have bounds", () => {
  const good = { issuer: "https://id.example.com", audience: "https://api.example.com" };
  for (const more of [
    {},
    { leeway: 60 },
    { leeway: 0 },
    { minFreshness: 0.001 },
    { minFreshness: 900 },
    { audience: ["a", "b"] },
    { algorithms: ["ES256"] },
    { status: { policy: "required" } },
  ]) {
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
