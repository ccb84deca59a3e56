// The stream of revocations: what is heard, and how it goes on after it broke.
import assert from "node:assert/strict";
import { test } from "node:test";
import { settle, until } from "./support/clock.mjs";
import { ISSUER, JWKS, KEY, LIST, START, accessToken, house, newKey, reasonOf, refersTo, statusList } from "./support/issuer.mjs";
import { METADATA, STREAM, StreamServer, TOKEN } from "./support/stream.mjs";

const CLIENT = { clientId: "notes api", clientSecret: "s+e:c/r%t" };
const LATER = { exp: START + 100_000 };
const token = (idx) => refersTo(idx, LATER);

/** A house whose verifier listens and has a list in memory. */
async function listening(options = {}) {
  const all = house({ stream: CLIENT, ...options }, { metadata: METADATA });
  const server = new StreamServer(all.documents);
  all.documents.set(LIST, statusList([]));
  await all.verifier.verify(token(12));
  await until(() => all.verifier.metrics().stream.state === "open");
  return { ...all, server };
}

const events = ({ verifier }, count) => until(() => verifier.metrics().stream.events === count, `event ${count}`);

test("it asks for a token of its own and listens", async () => {
  const { server, verifier } = await listening();
  const [request] = server.tokens;
  assert.equal(request.method, "POST");
  assert.equal(request.headers.get("authorization"), `Basic ${btoa("notes+api:s%2Be%3Ac%2Fr%25t")}`);
  assert.equal(request.headers.get("content-type"), "application/x-www-form-urlencoded");
  assert.equal(request.body, "grant_type=client_credentials&scope=frontdesk%3Arevocations");
  assert.equal(server.last.request.headers.get("authorization"), "Bearer token-1");
  assert.equal(server.last.request.headers.get("accept"), "text/event-stream");
  assert.equal(server.last.lastEventId, null);
  verifier.close();
});

test("a place that is heard of counts at once, until a newer list is there", async () => {
  const all = await listening();
  const { clock, documents, server, verifier } = all;
  assert.equal(await reasonOf(verifier, token(12)), undefined);
  server.send("revoked", { list: LIST, set: [12, 99] }, "a1");
  await events(all, 1);
  for (const [index, reason] of [[12, "revoked"], [99, "revoked"], [13, undefined]]) assert.equal(await reasonOf(verifier, token(index)), reason);
  // A list from before does not take it back, nor one that only clocks make newer.
  for (const [second, version] of [[10, 1], [20, 2], [30, 3]]) {
    documents.set(LIST, statusList([], { iat: START + second - 1, version }));
    clock.advance(10);
    await until(() => verifier.metrics().lists.fetched === 1 + second / 10);
    await settle();
    assert.equal(await reasonOf(verifier, token(12)), "revoked");
  }
  documents.set(LIST, statusList([99], { iat: START + 40, version: 4 }));
  clock.advance(10);
  await until(() => verifier.metrics().lists.fetched === 5);
  await settle();
  assert.equal(await reasonOf(verifier, token(12)), undefined);
  assert.equal(await reasonOf(verifier, token(99)), "revoked");
  verifier.close();
});

test("without leeway a list that was read before the revocation does not take it back", async () => {
  const all = await listening({ leeway: 0 });
  const { clock, documents, server, verifier } = all;
  server.send("revoked", { list: LIST, set: [12] }, "a1");
  await events(all, 1);
  // The issuer reads, revokes, and signs what it has read, all in one second or soon after.
  for (const [seconds, version, reason] of [[0, 2, "revoked"], [9, 3, "revoked"], [1, 4, undefined]]) {
    clock.advance(seconds);
    documents.set(LIST, statusList([], { version, iat: clock.unixTime() }));
    const { fetched } = verifier.metrics().lists;
    server.send("reset", {}, `b${version}`);
    await until(() => verifier.metrics().lists.fetched > fetched);
    await settle();
    assert.equal(await reasonOf(verifier, token(12)), reason, `version ${version}`);
  }
  verifier.close();
});

test("what is heard of a list that is not in memory is not lost", async () => {
  const all = await listening();
  const other = `${ISSUER}/status/8`;
  all.server.send("revoked", { list: other, set: [3] }, "a1");
  await events(all, 1);
  all.documents.set(other, statusList([], { uri: other }));
  assert.equal(await reasonOf(all.verifier, refersTo(3, {}, other)), "revoked");
  assert.equal(await reasonOf(all.verifier, refersTo(4, {}, other)), undefined);
  all.verifier.close();
});

test("what is heard counts also while there is no list", async () => {
  const all = await listening();
  const other = `${ISSUER}/status/8`;
  all.documents.set(other, null);
  all.server.send("revoked", { list: other, set: [3] }, "a1");
  await events(all, 1);
  assert.equal(await reasonOf(all.verifier, refersTo(3, {}, other)), "revoked");
  assert.equal(await reasonOf(all.verifier, refersTo(4, {}, other)), "unavailable");
  await until(() => all.documents.count(other) === 1, "the list is asked for all the same");
  all.verifier.close();
});

test("reset fetches all lists at once", async () => {
  const all = await listening();
  all.documents.set(LIST, statusList([12], { version: 2 }));
  all.server.send("reset", {}, "a1");
  await until(() => all.verifier.metrics().lists.fetched === 2);
  await settle();
  assert.equal(await reasonOf(all.verifier, token(12)), "revoked");
  all.verifier.close();
});

test("a reset in the midst of a fetch fetches again", async () => {
  const all = await listening();
  const { clock, documents, server, verifier } = all;
  let answer;
  documents.set(LIST, () => new Promise((resolve) => (answer = resolve)));
  clock.advance(10);
  await until(() => answer);
  server.send("reset", {}, "a1");
  await events(all, 1);
  documents.set(LIST, statusList([12], { version: 2 }));
  answer(new Response(statusList([])));
  await until(() => verifier.metrics().lists.fetched === 3);
  await settle();
  assert.equal(await reasonOf(verifier, token(12)), "revoked");
  verifier.close();
});

test("kid-denied is a hint: keys and a list are fetched, and only the list counts", async () => {
  const all = await listening();
  const { clock, documents, server, verifier } = all;
  clock.advance(1);
  server.send("kid-denied", { kid: "k1" }, "a1");
  await until(() => documents.count(JWKS) === 2 && verifier.metrics().lists.fetched === 2);
  await settle();
  assert.equal(await reasonOf(verifier, token(12)), undefined);
  verifier.close();
});

test("kid-denied right after the keys were fetched fetches them again", async () => {
  const all = await listening();
  const { clock, documents, server, verifier } = all;
  server.send("kid-denied", { kid: "k2" }, "a1");
  server.send("kid-denied", { kid: "k3" }, "a2");
  await events(all, 2);
  await settle();
  assert.equal(documents.count(JWKS), 1, "attempts are a second apart");
  clock.advance(1);
  await until(() => documents.count(JWKS) === 2);
  await settle();
  clock.advance(60);
  await settle();
  assert.equal(documents.count(JWKS), 2, "once is enough");
  verifier.close();
});

test("kid-denied in the midst of a fetch of the keys fetches them again, also when that fails", async () => {
  const all = await listening();
  const { clock, documents, server, verifier } = all;
  const keys = (...kids) => JSON.stringify({ keys: [KEY, ...kids].map(({ jwk }) => jwk) });
  let answer;
  documents.set(JWKS, () => new Promise((resolve) => (answer = resolve)));
  clock.advance(10);
  const fresh = newKey("k2");
  const verdict = reasonOf(verifier, accessToken({}, { key: newKey("unknown") }));
  await until(() => answer);
  server.send("kid-denied", { kid: "unknown" }, "a1");
  await events(all, 1);
  answer(new Response(keys()));
  assert.equal(await verdict, "unknown_key");
  documents.set(JWKS, null);
  clock.advance(1);
  await until(() => verifier.metrics().keys.failures === 1);
  await settle();
  documents.set(JWKS, keys(fresh));
  clock.advance(10);
  await until(() => documents.count(JWKS) === 4);
  await settle();
  assert.equal(await reasonOf(verifier, accessToken({}, { key: fresh })), undefined);
  verifier.close();
});

test("close gives up the keys that are still to be fetched", async () => {
  const all = await listening();
  const { clock, documents, server, verifier } = all;
  server.send("kid-denied", { kid: "k2" }, "a1");
  await events(all, 1);
  await settle();
  verifier.close();
  await until(() => verifier.metrics().stream.state === "closed");
  assert.equal(clock.waiting, 0);
  clock.advance(60);
  await settle();
  assert.equal(documents.count(JWKS), 1);
});

test("kid-denied fetches a list where there is none", async () => {
  const aggregation = `${ISSUER}/status`;
  const all = house({ stream: CLIENT }, { metadata: { ...METADATA, status_list_aggregation_endpoint: aggregation } });
  const { documents, verifier } = all;
  const server = new StreamServer(documents);
  const other = `${ISSUER}/status/8`;
  documents.set(aggregation, JSON.stringify({ status_lists: ["https://evil.example/status/1", LIST, other] }));
  documents.set(LIST, statusList([], { denied_kids: ["k2"] }));
  await verifier.warmUp();
  await until(() => verifier.metrics().stream.state === "open");
  server.send("kid-denied", { kid: "k2" }, "a1");
  await until(() => verifier.metrics().lists.fetched === 1);
  await until(() => verifier.metrics().deniedKeys === 1);
  await settle();
  assert.deepEqual([documents.count(LIST), documents.count(other)], [1, 0]);
  assert.equal(documents.asked.some(({ url }) => url.includes("evil")), false);
  verifier.close();
});

test("it goes on where it stopped, with a new token, and without waiting when the server ended it", async () => {
  const all = await listening();
  const { clock, server, verifier } = all;
  server.send("revoked", { list: LIST, set: [12] }, "a1");
  server.last.write("id: a2\n\n"); // an id without an event
  await events(all, 1);
  clock.advance(10);
  server.last.end();
  await until(() => server.connections.length === 2);
  assert.equal(server.last.lastEventId, "a2");
  assert.equal(server.last.request.headers.get("authorization"), "Bearer token-2");
  verifier.close();
});

test("an id that no header can carry is not kept", async () => {
  const all = await listening();
  const { clock, server, verifier } = all;
  for (const id of ["ä", "x".repeat(64)]) server.send("revoked", { list: LIST, set: [1] }, id);
  server.send("revoked", { list: LIST, set: [2] }, "good");
  server.send("revoked", { list: LIST, set: [3] }, "x".repeat(200));
  await events(all, 4);
  clock.advance(10);
  server.last.end();
  await until(() => server.connections.length === 2);
  assert.equal(server.last.lastEventId, "good");
  verifier.close();
});

test("after 45 seconds without a word it connects again", async () => {
  const { clock, server, verifier } = await listening();
  for (let round = 0; round < 6; round += 1) {
    clock.advance(44);
    server.last.write(": alive\n\n");
    await settle();
  }
  assert.equal(server.connections.length, 1);
  clock.advance(44);
  await settle();
  assert.equal(server.connections.length, 1);
  clock.advance(1);
  await until(() => server.connections.length === 2);
  assert.ok(server.connections[0].request.signal.aborted);
  verifier.close();
});

test("it waits longer and longer, half a minute at most, while the issuer refuses", async () => {
  const { clock, documents, verifier, server, said } = await listening();
  server.status = 503;
  clock.advance(0.5);
  server.last.end(); // it did not live for a second
  await until(() => verifier.metrics().stream.state === "waiting");
  const connects = () => documents.count(STREAM);
  for (const longest of [1, 2, 4, 8, 16, 30, 30, 30]) {
    const before = connects();
    clock.advance(longest / 2 - 0.001);
    await settle();
    assert.equal(connects(), before, `not before half of ${longest} s`);
    clock.advance(longest / 2 + 0.001);
    await until(() => connects() === before + 1);
    await until(() => verifier.metrics().stream.state === "waiting");
  }
  server.status = 200;
  clock.advance(30);
  await until(() => verifier.metrics().stream.state === "open");
  assert.equal(said.filter((line) => line.includes("503")).length, 8);
  verifier.close();
});

test("how long it took to open is no life", async () => {
  const all = await listening();
  const { clock, documents, server, verifier } = all;
  let answer;
  documents.set(STREAM, () => new Promise((resolve) => (answer = resolve)));
  clock.advance(10);
  server.last.end();
  await until(() => answer);
  clock.advance(5);
  answer(new Response("", { headers: { "content-type": "text/event-stream" } }));
  await until(() => verifier.metrics().stream.state !== "connecting");
  await settle();
  assert.deepEqual([verifier.metrics().stream.state, documents.count(STREAM)], ["waiting", 2]);
  verifier.close();
});

test("what is no event stream is not listened to", async () => {
  for (const [type, state] of [["text/html", "waiting"], ["text/event-streams", "waiting"], ["", "waiting"], ["Text/Event-Stream; charset=utf-8", "open"]]) {
    const { documents, verifier } = house({ stream: CLIENT }, { metadata: METADATA });
    new StreamServer(documents);
    const body = new ReadableStream({ start: (to) => to.enqueue(new TextEncoder().encode("data: x\n\n")) });
    documents.set(STREAM, () => new Response(body, { headers: { "content-type": type } }));
    await verifier.warmUp();
    await until(() => ["waiting", "open"].includes(verifier.metrics().stream.state));
    assert.equal(verifier.metrics().stream.state, state, type);
    verifier.close();
  }
});

test("an event that is too long is not asked for again, and the lists are fetched", async () => {
  const all = await listening();
  const { clock, documents, server, verifier } = all;
  server.send("revoked", { list: LIST, set: [1] }, "a1");
  await events(all, 1);
  clock.advance(5);
  documents.set(LIST, statusList([12], { version: 2 }));
  server.last.write(`data: ${"x".repeat(1024 * 1024)}`);
  await until(() => server.connections.length === 2);
  assert.equal(server.last.lastEventId, null);
  await until(() => verifier.metrics().lists.fetched === 2);
  await settle();
  assert.equal(await reasonOf(verifier, token(12)), "revoked");
  verifier.close();
});

test("comments may go on for ever", async () => {
  const all = await listening();
  for (let round = 0; round < 20; round += 1) {
    all.server.last.write(": alive\n".repeat(10_000));
    await settle();
  }
  all.server.send("revoked", { list: LIST, set: [12] }, "a1");
  await events(all, 1);
  assert.equal(all.server.connections.length, 1);
  all.verifier.close();
});

test("401 asks for another token", async () => {
  const { clock, verifier, server } = await listening();
  server.status = 401;
  clock.advance(5);
  server.last.end();
  await until(() => verifier.metrics().stream.state === "waiting");
  server.status = 200;
  clock.advance(1);
  await until(() => verifier.metrics().stream.state === "open");
  assert.equal(server.last.request.headers.get("authorization"), "Bearer token-3");
  verifier.close();
});

test("an event that cannot be read fetches the lists, and one that nobody knows does nothing", async () => {
  const all = await listening();
  const { server, verifier, documents } = all;
  server.send("tomorrow", { what: 1 });
  await events(all, 1);
  let fetched = 1;
  for (const wrong of [{ list: "https://evil.example/status/1", set: [1] }, { list: LIST, set: ["1"] }, { list: LIST, set: [-1] }, { list: LIST }]) {
    documents.set(LIST, statusList([], { version: (fetched += 1) }));
    server.send("revoked", wrong);
    await until(() => verifier.metrics().lists.fetched === fetched);
    await settle();
  }
  server.last.write("event: revoked\ndata: not json\n\n");
  await until(() => verifier.metrics().lists.fetched === fetched + 1);
  assert.equal(documents.asked.some(({ url }) => url.includes("evil")), false);
  verifier.close();
});

test("the stream and its token lie on the issuer's origin", async () => {
  for (const name of ["token_endpoint", "frontdesk_revocation_stream_endpoint"]) {
    const { verifier, documents } = house({ stream: CLIENT }, { metadata: { ...METADATA, [name]: "https://evil.example/x" } });
    const server = new StreamServer(documents);
    await verifier.warmUp();
    await until(() => verifier.metrics().stream.state === "waiting");
    assert.equal(documents.asked.some(({ url }) => url.includes("evil")), false);
    assert.equal(server.connections.length, 0);
    verifier.close();
  }
});

test("a secret that the issuer does not know is told to the log, without the secret", async () => {
  const { verifier, documents, said } = house({ stream: CLIENT }, { metadata: METADATA });
  documents.set(TOKEN, () => Response.json({ error: "invalid_client" }, { status: 401 }));
  await verifier.warmUp();
  await until(() => verifier.metrics().stream.state === "waiting");
  assert.deepEqual(said, ["the stream of revocations broke: the token endpoint answered 401 invalid_client"]);
  verifier.close();
});

test("close while the stream is being opened opens none", async () => {
  const { verifier, documents, clock } = house({ stream: CLIENT }, { metadata: METADATA });
  const server = new StreamServer(documents);
  let answer;
  documents.set(TOKEN, () => new Promise((resolve) => (answer = resolve)));
  await verifier.warmUp();
  await until(() => answer);
  verifier.close();
  answer(Response.json({ access_token: "t", token_type: "Bearer" }));
  await until(() => verifier.metrics().stream.state === "closed");
  await settle();
  assert.deepEqual([server.connections.length, clock.waiting], [0, 0]);
});

test("close hangs up", async () => {
  const { verifier, server, clock } = await listening();
  verifier.close();
  await until(() => verifier.metrics().stream.state === "closed");
  assert.ok(server.last.request.signal.aborted);
  assert.equal(clock.waiting, 0);
});
