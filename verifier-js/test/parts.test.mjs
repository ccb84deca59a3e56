// The small parts: JSON, base64url, server-sent events, the bucket, caching headers.
import assert from "node:assert/strict";
import { test } from "node:test";
import { decode } from "../src/base64url.js";
import { RecentNames, TokenBucket } from "../src/cooldown.js";
import { freshness } from "../src/http.js";
import { parseObject } from "../src/json.js";
import { PushedPlaces } from "../src/pushed.js";
import { events } from "../src/sse.js";

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
  const text =
    ': alive\r\n: alive\nevent: revoked\ndata: {"a":\ndata:"ü"}\nid: 1\nretry: 5\r\n\r\n' +
    'id:2\r\rdata:x\nid: \0\n\nevent: reset\ndata\n\nevent: lost\n';
  const bytes = new TextEncoder().encode(text);
  assert.deepEqual(await eventsOf(text), expected);
  assert.deepEqual(await eventsOf(...[...bytes].map((byte) => Uint8Array.of(byte))), expected);
  await assert.rejects(eventsOf("data: ", "x".repeat(1024 * 1024)), /too/);
  await assert.rejects(eventsOf("data: x\n".repeat(200_000)), /too long/);
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
