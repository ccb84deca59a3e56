// The issuer's keys in memory: when they are asked for, and how long they are trusted.
import assert from "node:assert/strict";
import { test } from "node:test";
import { settle, until } from "./support/clock.mjs";
import { discovery } from "./support/documents.mjs";
import { DISCOVERY, ISSUER, JWKS, KEY, accessToken, house, newKey, reasonOf } from "./support/issuer.mjs";

const good = accessToken({ exp: 2_000_000_000 });
const set = (...keys) => JSON.stringify({ keys: keys.map(({ jwk }) => jwk) });

test("many first callers make one request, and later ones none", async () => {
  const { documents, verifier } = house();
  const callers = await Promise.all(Array.from({ length: 50 }, () => verifier.verify(good)));
  assert.deepEqual(new Set(callers.map(({ subject }) => subject)), new Set(["user-1"]));
  await verifier.verify(good);
  assert.deepEqual([documents.count(DISCOVERY), documents.count(JWKS)], [1, 1]);
});

test("in the last fifth of their freshness keys are renewed and nobody waits", async () => {
  const { clock, documents, verifier } = house();
  documents.set(JWKS, set(KEY), { "cache-control": "max-age=100" });
  await verifier.verify(good);
  clock.advance(79);
  await verifier.verify(good);
  assert.equal(documents.count(JWKS), 1);
  clock.advance(1);
  let answer;
  documents.set(JWKS, () => new Promise((resolve) => (answer = resolve)));
  await verifier.verify(good);
  await until(() => answer);
  await verifier.verify(good);
  answer(new Response(set(KEY), { headers: { "cache-control": "max-age=100" } }));
  await until(() => verifier.metrics().keys.age === 0);
  assert.equal(documents.count(JWKS), 2);
});

test("freshness is between minFreshness and a quarter of an hour", async () => {
  for (const [header, freshness] of [
    ["max-age=1", 30],
    ["no-store", 30],
    ["max-age=what", 30],
    ["max-age=86400", 900],
    ["public, max-age=120", 120],
    ['max-age="60"', 60],
    ["public", 300],
  ]) {
    const { clock, documents, verifier } = house();
    documents.set(JWKS, set(KEY), { "cache-control": header });
    await verifier.verify(good);
    clock.advance(freshness - 0.001); // in the last fifth
    documents.set(JWKS, null);
    await verifier.verify(good);
    await settle();
    clock.advance(0.001);
    documents.set(JWKS, set(KEY), { "cache-control": header });
    const before = verifier.metrics().keys.refreshes;
    assert.equal(before, 2, header);
  }
});

test("the time an answer spent in a cache counts", async () => {
  const { clock, documents, verifier } = house();
  documents.set(JWKS, set(KEY), { "cache-control": "max-age=100", age: "60" });
  await verifier.verify(good);
  clock.advance(31);
  await verifier.verify(good);
  await settle();
  assert.equal(documents.count(JWKS), 1);
  clock.advance(1);
  await verifier.verify(good);
  await until(() => documents.count(JWKS) === 2);
});

test("stale keys serve on while the issuer is away, until maxStale, and then nothing does", async () => {
  const { clock, documents, verifier, said } = house({ maxStale: 600 });
  await verifier.verify(good);
  documents.set(JWKS, null);
  clock.advance(300);
  await verifier.verify(good); // waits for the attempt, which fails
  clock.advance(299);
  await verifier.verify(good);
  await settle();
  clock.advance(1);
  assert.equal(await reasonOf(verifier, good), "no_keys");
  const error = await verifier.verify(good).catch((error) => error);
  assert.deepEqual(verifier.refusal(error), { status: 503, headers: { "retry-after": "1" } });
  assert.ok(said.every((line) => line.startsWith("could not fetch the issuer's keys")) && said.length >= 2);
  documents.set(JWKS, set(KEY));
  clock.advance(1);
  await verifier.verify(good);
});

test("while the issuer is away nobody waits for it again and again", async () => {
  const { clock, documents, verifier } = house();
  await verifier.verify(good);
  documents.set(JWKS, null);
  clock.advance(300);
  await verifier.verify(good); // waits for the attempt, which fails
  documents.set(JWKS, () => new Promise(() => {}));
  clock.advance(10);
  await verifier.verify(good);
  await until(() => documents.count(JWKS) === 3);
  await verifier.verify(good);
});

test("keys that have moved are found again", async () => {
  const { clock, documents, verifier } = house();
  documents.set(DISCOVERY, discovery(ISSUER), { "cache-control": "max-age=900" });
  await verifier.verify(good);
  documents.set(JWKS, () => new Response(null, { status: 404 }));
  documents.set(DISCOVERY, discovery(ISSUER, { jwks_uri: `${ISSUER}/elsewhere` })).set(`${ISSUER}/elsewhere`, set(KEY));
  clock.advance(300);
  await verifier.verify(good);
  clock.advance(10);
  await verifier.verify(good);
  await until(() => documents.count(`${ISSUER}/elsewhere`) === 1);
});

test("a new set replaces the old one whole", async () => {
  const { clock, documents, verifier } = house();
  await verifier.verify(good);
  const next = newKey("k2");
  documents.set(JWKS, set(next));
  clock.advance(10);
  await verifier.verify(accessToken({}, { key: next }));
  assert.equal(await reasonOf(verifier, good), "unknown_key");
});

test("a set that is wrong leaves the old one", async () => {
  const { clock, documents, verifier } = house();
  await verifier.verify(good);
  for (const wrong of ["<html>", set(KEY, KEY), JSON.stringify({ keys: [{ ...KEY.jwk, d: "AAAA" }] }), `{"keys":[],"fill":"${"x".repeat(256 * 1024)}"}`]) {
    documents.set(JWKS, wrong);
    clock.advance(10);
    assert.equal(await reasonOf(verifier, accessToken({}, { key: newKey(`x${clock.elapsed()}`) })), "unknown_key");
    await verifier.verify(good);
  }
  assert.equal(verifier.metrics().keys.failures, 4);
});

test("an unknown kid asks once in the cool-down, and is remembered", async () => {
  const { clock, documents, verifier } = house();
  await verifier.verify(good);
  clock.advance(1);
  const unknown = (kid) => reasonOf(verifier, accessToken({}, { key: newKey(kid) }));
  assert.equal(await unknown("a"), "unknown_key");
  assert.equal(documents.count(JWKS), 1, "the cool-down holds");
  clock.advance(10);
  assert.equal(await unknown("a"), "unknown_key");
  assert.equal(documents.count(JWKS), 2);
  clock.advance(10);
  assert.equal(await unknown("a"), "unknown_key");
  assert.equal(documents.count(JWKS), 2, "it is remembered");
  assert.equal(await unknown("b"), "unknown_key");
  assert.equal(documents.count(JWKS), 3);
  clock.advance(60);
  assert.equal(await unknown("a"), "unknown_key");
  assert.equal(documents.count(JWKS), 4, "after a minute it is forgotten");
});

test("unknown kids may ask six times in a minute", async () => {
  const { clock, documents, verifier } = house({ coolDown: 0 });
  await verifier.verify(good);
  for (let index = 0; index < 20; index += 1) await reasonOf(verifier, accessToken({}, { key: newKey(`u${index}`) }));
  assert.equal(documents.count(JWKS), 7);
  clock.advance(10);
  for (let index = 20; index < 25; index += 1) await reasonOf(verifier, accessToken({}, { key: newKey(`u${index}`) }));
  assert.equal(documents.count(JWKS), 8);
});

test("a token of another issuer and one with an endless kid ask nobody", async () => {
  const { documents, verifier } = house();
  assert.equal(await reasonOf(verifier, accessToken({ iss: "https://evil.example" })), "unknown_key");
  assert.equal(await reasonOf(verifier, accessToken({}, { key: newKey("k".repeat(129)) })), "key_id");
  assert.equal(documents.asked.length, 0);
});

test("the discovery document names the same issuer, and keys on its origin", async () => {
  for (const document of [
    "",
    "[]",
    discovery("https://id.example.com/"),
    discovery("https://ID.example.com"),
    discovery("https://evil.example"),
    discovery(ISSUER, { jwks_uri: undefined }),
    discovery(ISSUER, { jwks_uri: "https://evil.example/keys" }),
    discovery(ISSUER, { jwks_uri: "http://id.example.com/keys" }),
    discovery(ISSUER, { jwks_uri: "https://id.example.com:8443/keys" }),
    discovery(ISSUER, { jwks_uri: "https://user:password@id.example.com/keys" }),
    discovery(ISSUER, { jwks_uri: "data:,x" }),
    discovery(ISSUER, { jwks_uri: "/keys" }),
    discovery(ISSUER).replace("{", '{"issuer":"x",'),
  ]) {
    const { documents, verifier } = house();
    documents.set(DISCOVERY, document);
    assert.equal(await reasonOf(verifier, good), "no_keys", document);
    assert.ok(documents.asked.every(({ url }) => url === DISCOVERY));
  }
});

test("an answer that is not 200 is no answer, and redirects are not followed", async () => {
  for (const status of [204, 301, 302, 404, 500]) {
    const { documents, verifier } = house();
    documents.set(JWKS, () => new Response(status === 204 ? null : set(KEY), { status, headers: { location: "https://evil.example/" } }));
    assert.equal(await reasonOf(verifier, good), "no_keys", `${status}`);
  }
});

test("an issuer that does not answer is waited for five seconds", async () => {
  const { clock, documents, verifier } = house();
  documents.set(JWKS, () => new Promise(() => {}));
  const verdict = reasonOf(verifier, good);
  await until(() => documents.count(JWKS) === 1);
  clock.advance(5);
  assert.equal(await verdict, "no_keys");
  assert.ok(documents.asked.at(-1).signal.aborted);
});

test("the app says who it is", async () => {
  const { documents, verifier } = house({ app: "notes-backend" });
  await verifier.warmUp();
  assert.deepEqual(documents.asked.map(({ headers }) => headers.get("frontdesk-app")), ["notes-backend", "notes-backend"]);
});
