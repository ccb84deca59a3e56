// Every case of the vectors that all verifiers share.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import { VerifyError, createVerifier } from "frontdesk-verifier";
import { decode } from "../src/base64url.js";
import { inflate } from "../src/inflate.js";
import { invalid } from "../src/error.js";
import { parseKeySet } from "../src/jwks.js";
import { StatusList, readStatusList } from "../src/status-list.js";
import { issuerWith } from "./support/documents.mjs";
import { vectors } from "./support/vectors.mjs";

/** The machine's own timers, which keep the tests alive. */
function after(milliseconds, callback) {
  const timer = setTimeout(callback, milliseconds);
  return () => clearTimeout(timer);
}

/** What a new verifier says about a token: `undefined`, or the reason why not. */
async function verdict({ issuer, audience, now, leeway, algorithms, jwks }, token, policy, lists = {}) {
  const documents = issuerWith(issuer, jwks);
  for (const [uri, list] of Object.entries(lists)) documents.set(uri, list);
  const clock = { unixTime: () => now, elapsed: () => performance.now(), after };
  // However slow the machine is, what a list says does not depend on it.
  const status = { policy, firstSight: 60 };
  const verifier = createVerifier({ issuer, audience, leeway, algorithms, clock, fetch: documents.fetch, status });
  await verifier.warmUp();
  try {
    await verifier.verify(token);
    return undefined;
  } catch (error) {
    assert.ok(error instanceof VerifyError, error);
    assert.equal(verifier.refusal(error).status, error.reason === "unavailable" ? 503 : 401);
    return error.reason;
  } finally {
    verifier.close();
  }
}

describe("access tokens", () => {
  const file = vectors("access-tokens");
  for (const { name, token, valid, reason } of file.cases) {
    test(name, async () => assert.equal(await verdict(file, token, "if_present"), valid ? undefined : reason));
  }
});

describe("status checks", () => {
  const file = vectors("status-checks");
  for (const { name, policy, token, lists, accept, reason } of file.cases) {
    test(name, async () => assert.equal(await verdict(file, token, policy, lists), accept ? undefined : reason));
  }
});

describe("key sets", () => {
  for (const { name, body, valid, usable } of vectors("key-sets").cases) {
    test(name, async () => {
      if (!valid) return assert.rejects(parseKeySet(body));
      const keys = await parseKeySet(body);
      assert.deepEqual(Object.fromEntries([...keys].map(([kid, { algorithm }]) => [kid, algorithm])), usable);
    });
  }
});

describe("status lists", async () => {
  const { issuer, now, leeway, algorithms, jwks, cases, encodings } = vectors("status-lists");
  const keys = await parseKeySet(JSON.stringify(jwks));
  const findKey = async (kid) => {
    if (!keys.has(kid)) throw invalid("unknown_key");
    return keys.get(kid);
  };
  const rules = { issuer, now, leeway, algorithms, findKey, isDenied: () => false };
  for (const { name, uri, token, valid, reason, invalid: set, size, inflated_sha256 } of cases) {
    test(name, async () => {
      if (!valid) return assert.rejects(readStatusList(token, uri, rules), { name: "VerifyError", reason });
      const list = await readStatusList(token, uri, rules);
      assert.equal(list.size, size);
      assert.equal(createHash("sha256").update(list.bytes).digest("hex"), inflated_sha256);
      assert.deepEqual(set.filter((index) => list.get(index) === 0), []);
      assert.equal(list.get(size), undefined);
    });
  }
  for (const { name, bits, lst, size, statuses } of encodings) {
    test(`the draft's ${name}`, async () => {
      const list = new StatusList({ bits, bytes: await inflate(decode(lst), 2 ** 20) });
      assert.equal(list.size, size);
      const values = new Map(statuses);
      for (let index = 0; index < size; index += 1) {
        if (list.get(index) !== (values.get(index) ?? 0)) assert.fail(`${index} is ${list.get(index)}`);
      }
    });
  }
});
