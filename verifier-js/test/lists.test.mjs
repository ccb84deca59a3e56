// Status lists in memory: when they are asked for, how long they are believed, and what becomes of stolen keys.
import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateSync } from "node:zlib";
import { settle, until } from "./support/clock.mjs";
import { ISSUER, JWKS, KEY, LIST, START, accessToken, house, newKey, reasonOf, refersTo, statusList } from "./support/issuer.mjs";

const LATER = { exp: START + 100_000 };
const revoked = refersTo(12, LATER);
const good = refersTo(13, LATER);

/** A house with a list in memory. */
async function seen(options, list = statusList([12]), more) {
  const all = house(options, more);
  all.documents.set(LIST, list);
  assert.equal(await reasonOf(all.verifier, good), undefined);
  return all;
}

const attempts = (verifier) => {
  const { fetched, notModified, failures } = verifier.metrics().lists;
  return fetched + notModified + failures;
};

/** Lets the list be asked for again, and waits for the answer. */
async function polled({ clock, verifier }, seconds = 10) {
  const before = attempts(verifier);
  clock.advance(seconds);
  await until(() => attempts(verifier) > before, "the list is polled");
  await settle();
}

test("many first callers make one request", async () => {
  const { documents, verifier } = house();
  documents.set(LIST, statusList([12]));
  const answers = await Promise.all(Array.from({ length: 40 }, (_, index) => reasonOf(verifier, refersTo(index))));
  assert.deepEqual(answers.flatMap((reason, index) => (reason ? [[index, reason]] : [])), [[12, "revoked"]]);
  assert.equal(documents.count(LIST), 1);
  assert.equal(documents.asked.at(-1).headers.get("accept"), "application/statuslist+jwt");
});

test("a list is polled at its ttl, with its ETag, and a revocation is felt", async () => {
  const all = house();
  const { clock, documents, verifier } = all;
  documents.set(LIST, statusList([]), { etag: '"one"' });
  assert.equal(await reasonOf(verifier, revoked), undefined);
  documents.set(LIST, ({ headers }) => {
    assert.equal(headers.get("if-none-match"), '"one"');
    return new Response(null, { status: 304 });
  });
  await polled(all);
  assert.equal(await reasonOf(verifier, revoked), undefined);
  documents.set(LIST, statusList([12], { version: 2, iat: START + 15 }), { etag: '"two"' });
  await polled(all);
  assert.equal(await reasonOf(verifier, revoked), "revoked");
  assert.equal(await reasonOf(verifier, good), undefined);
  documents.set(LIST, ({ headers }) => {
    assert.equal(headers.get("if-none-match"), '"two"');
    return new Response(null, { status: 304 });
  });
  clock.advance(9);
  assert.equal(documents.count(LIST), 3);
  await polled(all, 1);
  assert.deepEqual(verifier.metrics().lists, { count: 1, bytes: 128, oldest: 0, fetched: 2, notModified: 2, failures: 0 });
});

test("the pace is between 2 and 300 seconds", async () => {
  for (const [ttl, pace] of [[0.5, 2], [1, 2], [2, 2], [60, 60], [300, 300], [100_000, 300], [undefined, 10]]) {
    const all = await seen({}, statusList([], { ttl, exp: START + 90_000 }));
    await polled(all, pace);
    all.clock.advance(pace - 0.001);
    await settle();
    assert.equal(all.documents.count(LIST), 2, `${ttl}`);
    await polled(all, 0.001);
  }
});

test("a list that no token named for an hour is let go", async () => {
  const all = await seen({}, statusList([12], { exp: START + 90_000, ttl: 300 }));
  const { clock, documents, verifier } = all;
  for (let minute = 0; minute < 55; minute += 5) await polled(all, 300);
  assert.equal(documents.count(LIST), 12);
  clock.advance(300);
  await settle();
  assert.deepEqual([documents.count(LIST), verifier.metrics().lists.count, verifier.metrics().lists.bytes, clock.waiting], [12, 0, 0, 0]);
  assert.equal(await reasonOf(verifier, revoked), "revoked");
});

test("the last list serves until it ends while the issuer is away", async () => {
  const { clock, documents, verifier } = await seen();
  documents.set(LIST, null);
  for (let second = 0; second < 329; second += 7) {
    assert.equal(await reasonOf(verifier, good), undefined, `after ${second} s`);
    assert.equal(await reasonOf(verifier, revoked), "revoked");
    clock.advance(7);
    await settle();
  }
  clock.advance(1); // iat + 300 and the leeway of 30
  const error = await verifier.verify(good).catch((error) => error);
  assert.deepEqual([error.reason, verifier.refusal(error)], ["unavailable", { status: 503, headers: { "retry-after": "1" } }]);
  documents.set(LIST, statusList([12], { iat: clock.unixTime() }));
  clock.advance(1);
  assert.equal(await reasonOf(verifier, good), undefined);
});

test("while the issuer is away nobody waits for it again and again", async () => {
  const { clock, documents, verifier } = await seen();
  documents.set(LIST, null);
  clock.advance(60);
  await settle();
  documents.set(LIST, () => new Promise(() => {}));
  assert.equal(await reasonOf(verifier, good), undefined);
  verifier.close();
});

test("a list that has ended is fetched whole", async () => {
  const { clock, documents, verifier } = house();
  documents.set(LIST, statusList([12]), { etag: '"one"' });
  assert.equal(await reasonOf(verifier, good), undefined);
  documents.set(LIST, null);
  clock.advance(400);
  await settle();
  documents.set(LIST, ({ headers }) => (headers.has("if-none-match") ? new Response(null, { status: 304 }) : new Response(statusList([12], { iat: START + 400 }))));
  clock.advance(1);
  assert.equal(await reasonOf(verifier, good), undefined);
});

test("304 counts only when the list was named, and a list that is about to end is fetched whole", async () => {
  const all = await seen({}, statusList([12], { ttl: 100, version: 1 }));
  const { documents, verifier } = all;
  const unchanged = () => new Response(null, { status: 304 });
  documents.set(LIST, unchanged);
  await polled(all, 100);
  assert.deepEqual([verifier.metrics().lists.notModified, verifier.metrics().lists.failures], [0, 1]);
  documents.set(LIST, statusList([12], { ttl: 100, version: 2, exp: START + 450 }), { etag: '"two"' });
  await polled(all, 1);
  // From 201 there are two more polls before the end, from 301 only one.
  documents.set(LIST, ({ headers }) => (headers.has("if-none-match") ? unchanged() : new Response(statusList([13], { version: 3, iat: START + 300 }))));
  await polled(all, 100);
  assert.equal(await reasonOf(verifier, good), undefined);
  assert.equal(verifier.metrics().lists.notModified, 1);
  await polled(all, 100);
  assert.equal(await reasonOf(verifier, good), "revoked");
  verifier.close();
});

test("a log that fails does no harm", async () => {
  const { documents, verifier } = house({
    log: () => {
      throw new Error("the disk is full");
    },
  });
  documents.set(LIST, null);
  assert.equal(await reasonOf(verifier, good), "unavailable");
});

test("`refuse` refuses half a minute after the list should have been renewed", async () => {
  const { clock, documents, verifier } = await seen({ status: { whenUnreachable: "refuse" } });
  documents.set(LIST, null);
  clock.advance(40);
  assert.equal(await reasonOf(verifier, good), undefined);
  await settle();
  clock.advance(0.001);
  assert.equal(await reasonOf(verifier, good), "unavailable");
  documents.set(LIST, statusList([], { iat: START + 41, version: 2 }));
  clock.advance(1);
  assert.equal(await reasonOf(verifier, good), undefined);
});

test("a list that cannot be had is waited for half a second, and then asked for once a second", async () => {
  const { clock, documents, verifier } = house();
  let answer;
  documents.set(LIST, () => new Promise((resolve) => (answer = resolve)));
  await verifier.warmUp();
  const verdict = reasonOf(verifier, good);
  await until(() => answer);
  clock.advance(0.5);
  assert.equal(await verdict, "unavailable");
  answer(new Response(statusList([])));
  await until(() => verifier.metrics().lists.count === 1);
  assert.equal(await reasonOf(verifier, good), undefined, "the answer that came late is used");

  const other = house();
  other.documents.set(LIST, null);
  for (let index = 0; index < 10; index += 1) assert.equal(await reasonOf(other.verifier, good), "unavailable");
  assert.equal(other.documents.count(LIST), 1);
  other.clock.advance(1);
  assert.equal(await reasonOf(other.verifier, good), "unavailable");
  assert.equal(other.documents.count(LIST), 2);
});

test("where timers stood still, a list that is much too old is renewed before it is believed", async () => {
  let now = 0;
  const still = { unixTime: () => START + now, elapsed: () => now * 1000, after: () => () => {} };
  const all = house({ clock: still });
  all.documents.set(LIST, statusList([]));
  assert.equal(await reasonOf(all.verifier, revoked), undefined);
  now = 41;
  all.documents.set(LIST, statusList([12], { iat: START + 41, version: 2 }));
  assert.equal(await reasonOf(all.verifier, revoked), "revoked");
});

test("an older version never replaces a newer one", async () => {
  const all = await seen({}, statusList([12], { version: 5 }));
  const { documents, verifier, said } = all;
  documents.set(LIST, statusList([], { version: 4, iat: START + 5 }));
  await polled(all);
  assert.equal(await reasonOf(verifier, revoked), "revoked");
  documents.set(LIST, statusList([], { version: 5, iat: START - 5 }));
  await polled(all, 1);
  assert.equal(await reasonOf(verifier, revoked), "revoked");
  assert.equal(verifier.metrics().lists.failures, 1);
  assert.equal(said.filter((line) => line.includes("older than the one before")).length, 1);
  documents.set(LIST, statusList([], { version: 6, iat: START - 5 }));
  await polled(all);
  assert.equal(await reasonOf(verifier, revoked), undefined, "the version orders, not the time");
});

test("the same version signed earlier, by another machine of the issuer's, confirms the one that lives longer", async () => {
  const all = await seen({ status: { whenUnreachable: "refuse" } }, statusList([12], { version: 5, iat: START - 1 }));
  all.documents.set(LIST, statusList([12], { version: 5, iat: START - 9 }));
  for (let second = 10; second <= 290; second += 10) await polled(all);
  assert.equal(all.verifier.metrics().lists.failures, 0);
  assert.equal(await reasonOf(all.verifier, good), undefined);
  all.clock.advance(38); // ours ends with its leeway at 329, the other one 8 seconds before
  assert.equal(await reasonOf(all.verifier, good), undefined);
  assert.equal(await reasonOf(all.verifier, revoked), "revoked");
});

test("after an attempt that failed the next ones come soon, and then at the usual pace", async () => {
  const all = await seen();
  const { clock, documents, verifier } = all;
  documents.set(LIST, null);
  await polled(all);
  for (const pause of [1, 2, 4, 8, 10, 10]) {
    const before = documents.count(LIST);
    clock.advance(pause - 0.001);
    await settle();
    assert.equal(documents.count(LIST), before, `not before ${pause} s`);
    await polled(all, 0.001);
  }
  documents.set(LIST, statusList([12], { iat: START + 50, version: 2 }));
  await polled(all);
  documents.set(LIST, null);
  await polled(all, 10);
  documents.set(LIST, statusList([12, 13], { iat: START + 60, version: 3 }));
  await polled(all, 1);
  assert.equal(await reasonOf(verifier, good), "revoked", "one poll that failed costs a second");
});

test("a list that is younger than its first token is asked for twice", async () => {
  const { clock, documents, verifier } = house();
  await verifier.warmUp();
  const first = reasonOf(verifier, revoked);
  await until(() => documents.count(LIST) === 1);
  await settle();
  documents.set(LIST, statusList([12]));
  clock.advance(0.2);
  assert.equal(await first, "revoked");
  assert.deepEqual([documents.count(LIST), verifier.metrics().lists.failures], [2, 0]);

  // One that is not there either way is asked for as any other.
  const other = house();
  await other.verifier.warmUp();
  const verdict = reasonOf(other.verifier, good);
  await until(() => other.documents.count(LIST) === 1);
  await settle();
  other.clock.advance(0.2);
  assert.equal(await verdict, "unavailable");
  assert.equal(other.documents.count(LIST), 2);
  await polled(other, 1);
  assert.equal(await reasonOf(other.verifier, good), "unavailable");
  assert.equal(other.documents.count(LIST), 3);
  verifier.close();
  other.verifier.close();
});

test("the same version signed again lives on", async () => {
  const all = await seen({}, statusList([12], { version: 5 }));
  for (let second = 10; second <= 400; second += 10) {
    all.documents.set(LIST, statusList([12], { version: 5, iat: START + second }));
    await polled(all);
  }
  assert.equal(await reasonOf(all.verifier, good), undefined);
});

test("a list that is wrong leaves the old one", async () => {
  const all = await seen();
  const { documents, verifier } = all;
  const pauses = [10, 1, 2, 4, 8, 10];
  for (const wrong of ["", "x.y.z", statusList([], { version: 9, key: newKey("k1") }), statusList([], { version: 9, sub: `${ISSUER}/status/8` }), accessToken()]) {
    documents.set(LIST, wrong);
    await polled(all, pauses.shift());
    assert.equal(await reasonOf(verifier, revoked), "revoked");
  }
  documents.set(LIST, () => new Response(statusList([], { version: 9 }), { status: 404 }));
  await polled(all, pauses.shift());
  assert.equal(await reasonOf(verifier, revoked), "revoked");
  assert.equal(verifier.metrics().lists.failures, 6);
});

test("a token of more than 8 MiB is not read to its end", async () => {
  const { documents, verifier } = house();
  let pulled = 0;
  documents.set(LIST, () => new Response(new ReadableStream({ pull: (to) => to.enqueue(new Uint8Array(65536).fill(65 + 0 * (pulled += 1))) })));
  assert.equal(await reasonOf(verifier, good), "unavailable");
  assert.ok(pulled < 135, `${pulled}`);
});

test("no more than 512 lists stay in memory, and those named last do", async () => {
  const { documents, verifier } = house();
  const uri = (index) => `${ISSUER}/status/${index}`;
  const named = (index) => reasonOf(verifier, refersTo(1, {}, uri(index)));
  for (let index = 0; index < 513; index += 1) documents.set(uri(index), statusList([], { uri: uri(index) }));
  for (let index = 0; index < 512; index += 1) assert.equal(await named(index), undefined);
  await named(0);
  await named(512);
  assert.equal(verifier.metrics().lists.count, 512);
  await named(0);
  assert.equal(documents.count(uri(0)), 1);
  await named(1);
  assert.equal(documents.count(uri(1)), 2);
  verifier.close();
});

test("no more than 256 MiB of lists stay in memory", async () => {
  const { documents, verifier } = house();
  const uri = (index) => `${ISSUER}/status/${index}`;
  const named = (index) => reasonOf(verifier, refersTo(1, {}, uri(index)));
  const status_list = { bits: 1, lst: deflateSync(Buffer.alloc(16 * 2 ** 20)).toString("base64url") };
  for (let index = 0; index <= 16; index += 1) {
    documents.set(uri(index), statusList([], { uri: uri(index), status_list }));
    assert.equal(await named(index), undefined);
  }
  const { count, bytes } = verifier.metrics().lists;
  assert.deepEqual([count, bytes], [16, 256 * 2 ** 20]);
  await named(16);
  await named(0);
  assert.deepEqual([documents.count(uri(16)), documents.count(uri(0))], [1, 2]);
  verifier.close();
});

test("warmUp fetches all lists, if it is asked to", async () => {
  const aggregation = `${ISSUER}/status`;
  const { documents, verifier } = house({ status: { preload: true } }, { metadata: { status_list_aggregation_endpoint: aggregation } });
  documents.set(aggregation, JSON.stringify({ status_lists: [LIST, "https://evil.example/status/1"] })).set(LIST, statusList([12]));
  await verifier.warmUp();
  assert.deepEqual([documents.count(LIST), documents.asked.some(({ url }) => url.includes("evil"))], [1, false]);
  assert.equal(await reasonOf(verifier, revoked), "revoked");
  assert.equal(documents.count(LIST), 1);
});

test("a denied key is refused at once, for tokens and lists, and for 48 hours", async () => {
  const stolen = newKey("k2");
  const all = await seen({ maxStale: 1_000_000 }, statusList([12]), { jwks: { keys: [KEY.jwk, stolen.jwk] } });
  const { clock, documents, verifier } = all;
  const forged = accessToken(LATER, { key: stolen });
  assert.equal(await reasonOf(verifier, forged), undefined);
  documents.set(LIST, statusList([12], { version: 2, denied_kids: ["k2"] }));
  await polled(all);
  assert.equal(await reasonOf(verifier, forged), "denied_key");
  assert.equal(await reasonOf(verifier, good), undefined);
  assert.equal(verifier.metrics().deniedKeys, 1);
  assert.equal(await reasonOf(verifier, accessToken({ status: { status_list: { idx: 1, uri: `${LIST}7` } } }, { key: stolen })), "denied_key");
  // Neither a list without it nor a list that the thief signed takes it back.
  documents.set(LIST, statusList([], { version: 9, key: stolen }));
  await polled(all);
  assert.equal(await reasonOf(verifier, revoked), "revoked");
  documents.set(LIST, statusList([12], { version: 3, iat: START + 21 }));
  await polled(all, 1);
  assert.equal(await reasonOf(verifier, forged), "denied_key");
  clock.advance(48 * 3600 - 12);
  const late = accessToken({ exp: START + 1_000_000 }, { key: stolen });
  assert.equal(await reasonOf(verifier, late), "denied_key");
  clock.advance(1);
  assert.equal(verifier.metrics().deniedKeys, 0);
  assert.notEqual(await reasonOf(verifier, late), "denied_key");
});

test("the keys are fetched again when one is denied, and saying it again is no news", async () => {
  const stolen = newKey("k2");
  const all = await seen({}, statusList([12]), { jwks: { keys: [KEY.jwk, stolen.jwk] } });
  const { clock, documents, verifier } = all;
  documents.set(LIST, statusList([12], { version: 2, denied_kids: ["k2"] }));
  await polled(all);
  await until(() => documents.count(JWKS) === 2);
  documents.set(LIST, statusList([12], { version: 3, denied_kids: ["k2"] }));
  for (let round = 0; round < 3; round += 1) await polled(all);
  assert.equal(documents.count(JWKS), 2);
  // As often as it fails.
  documents.set(JWKS, null).set(LIST, statusList([12], { version: 4, denied_kids: ["k2", "k3"] }));
  await polled(all);
  await until(() => verifier.metrics().keys.failures === 1);
  await settle();
  documents.set(JWKS, JSON.stringify({ keys: [KEY.jwk] }));
  clock.advance(10);
  await until(() => verifier.metrics().keys.count === 1);
  verifier.close();
});

test("an older version denies no key", async () => {
  const stolen = newKey("k2");
  const all = await seen({}, statusList([12], { version: 5 }), { jwks: { keys: [KEY.jwk, stolen.jwk] } });
  const { documents, verifier } = all;
  documents.set(LIST, statusList([12], { version: 4, denied_kids: ["k2"] }));
  await polled(all);
  assert.equal(await reasonOf(verifier, accessToken(LATER, { key: stolen })), undefined);
  assert.deepEqual([verifier.metrics().deniedKeys, documents.count(JWKS)], [0, 1]);
  const { fetched, failures } = verifier.metrics().lists;
  assert.deepEqual([fetched, failures], [1, 1]);
  verifier.close();
});

test("a list that a stolen key signed gives way to one that denies the key, whatever its version", async () => {
  const stolen = newKey("k2");
  const forged = statusList([], { version: 2 ** 40, exp: START + 90_000, key: stolen });
  const all = await seen({}, forged, { jwks: { keys: [KEY.jwk, stolen.jwk] } });
  const { documents, verifier } = all;
  documents.set(LIST, statusList([13], { version: 2, denied_kids: ["k2"] }));
  await polled(all);
  assert.equal(await reasonOf(verifier, good), "revoked");
  assert.equal(verifier.metrics().deniedKeys, 1);
  documents.set(LIST, forged);
  await polled(all);
  assert.equal(await reasonOf(verifier, good), "revoked");
  verifier.close();
});

test("a list whose key is denied while it is checked is not believed", async () => {
  const stolen = newKey("k2");
  const other = `${ISSUER}/status/8`;
  const { clock, documents, verifier } = house();
  await verifier.warmUp();
  clock.advance(10);
  let answer;
  documents.set(JWKS, () => new Promise((resolve) => (answer = resolve)));
  documents.set(LIST, statusList([], { key: stolen, denied_kids: ["k1"] }));
  documents.set(other, statusList([], { uri: other, denied_kids: ["k2"] }));
  const first = reasonOf(verifier, good);
  await until(() => answer);
  assert.equal(await reasonOf(verifier, refersTo(1, LATER, other)), undefined);
  answer(new Response(JSON.stringify({ keys: [KEY.jwk, stolen.jwk] })));
  assert.equal(await first, "unavailable");
  assert.equal(await reasonOf(verifier, refersTo(1, LATER, other)), undefined, "the thief cannot turn the tables");
  verifier.close();
});

test("what a stolen key signed before is not believed any more", async () => {
  const stolen = newKey("k2");
  const other = `${ISSUER}/status/8`;
  const all = await seen({}, statusList([12], { key: stolen }), { jwks: { keys: [KEY.jwk, stolen.jwk] } });
  const { documents, verifier } = all;
  documents.set(other, statusList([], { uri: other, denied_kids: ["k2"] })).set(LIST, null);
  assert.equal(await reasonOf(verifier, refersTo(1, {}, other)), undefined);
  assert.equal(await reasonOf(verifier, good), "unavailable");
});

test("in place of what a stolen key signed another list is fetched at once", async () => {
  const stolen = newKey("k2");
  const other = `${ISSUER}/status/8`;
  const all = await seen({}, statusList([], { key: stolen }), { jwks: { keys: [KEY.jwk, stolen.jwk] } });
  const { documents, verifier } = all;
  documents.set(other, statusList([], { uri: other, denied_kids: ["k2"] })).set(LIST, statusList([13]));
  assert.equal(await reasonOf(verifier, refersTo(1, {}, other)), undefined);
  await until(() => verifier.metrics().lists.count === 2);
  assert.equal(documents.count(LIST), 2);
  assert.equal(await reasonOf(verifier, good), "revoked");
  verifier.close();
});

test("with the policy off nobody asks for a list", async () => {
  const { documents, verifier } = house({ status: { policy: "off" } });
  assert.equal(await reasonOf(verifier, revoked), undefined);
  assert.deepEqual([documents.count(LIST), documents.count(JWKS)], [0, 1]);
  assert.equal(verifier.metrics().lists, undefined);
});

test("close ends the polling", async () => {
  const { clock, verifier, documents } = await seen();
  verifier.close();
  assert.equal(clock.waiting, 0);
  clock.advance(3600);
  await settle();
  assert.equal(documents.count(LIST), 1);
  await assert.rejects(verifier.verify(good), /closed/);
});
