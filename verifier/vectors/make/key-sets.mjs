// Key sets (RFC 7517): which are believed, and which of their keys count.
import { generateKeyPairSync } from "node:crypto";
import { b64, ec, json, newKey, publicKeys, rsa } from "./issuer.mjs";

const cases = [];
const set = (keys) => json({ keys });
const good = (name, keys, usable) => cases.push({ name, body: typeof keys === "string" ? keys : set(keys), valid: true, usable });
const bad = (name, keys) => cases.push({ name, body: typeof keys === "string" ? keys : set(keys), valid: false });
const changed = (jwk, changes) => ({ ...jwk, ...changes });
const other = newKey("other", "ES256").jwk;

export function keySets() {
  usable();
  texts();
  leftOut();
  refused();
  return {
    about:
      "Bodies of the issuer's `jwks_uri`. One that is not valid is refused whole: the keys before stay. Of a valid one `usable` are the kids " +
      "that may check a token, each with its algorithm; the other keys are as if they were not there. Reasons are not told.",
    cases,
  };
}

function usable() {
  const all = { "ec-1": "ES256", "rsa-1": "RS256", "ec-stolen": "ES256" };
  good("the keys of the other vectors", publicKeys, all);
  good("no keys", [], {});
  good("a member nobody knows", json({ keys: publicKeys, more: 1 }), all);
  const { use, alg, ...bare } = ec.jwk;
  good("neither use nor alg", [bare], { "ec-1": "ES256" });
  good("key_ops verify", [changed(ec.jwk, { key_ops: ["verify"] })], { "ec-1": "ES256" });
  const many = (count) => Array.from({ length: count }, (_, index) => changed(ec.jwk, { kid: `k${index}` }));
  good("64 keys", many(64), Object.fromEntries(many(64).map(({ kid }) => [kid, "ES256"])));
  bad("65 keys", many(65));
  bad("65 keys, most of them unknown", [ec.jwk, ...Array.from({ length: 64 }, (_, index) => ({ kty: "XYZ", kid: `k${index}` }))]);
  good("a kid of 128 bytes", [changed(ec.jwk, { kid: "k".repeat(128) })], { ["k".repeat(128)]: "ES256" });
}

function texts() {
  for (const text of ["", "{}", "[]", "null", '"keys"', '{"keys":{}}', '{"keys":null}', '{"keys":["key"]}', '{"keys":[],"keys":[]}', "<html>"]) {
    bad(`the text ${text || "is empty"}`, text);
  }
  bad("a key says kid twice", set([ec.jwk]).replace('"kid":', '"kid":"x","kid":'));
  bad("a key says alg twice, once escaped", set([ec.jwk]).replace('"alg":', '"\\u0061lg":"HS256","alg":'));
}

function leftOut() {
  const beside = { other: "ES256" };
  const skipped = {
    "for encryption": changed(rsa.jwk, { use: "enc" }),
    "use is a list": changed(ec.jwk, { use: ["sig"] }),
    "for RS512": changed(rsa.jwk, { alg: "RS512" }),
    "for HS256": changed(rsa.jwk, { alg: "HS256" }),
    "RSA for ES256": changed(rsa.jwk, { alg: "ES256" }),
    "EC for RS256": changed(ec.jwk, { alg: "RS256" }),
    "key_ops encrypt": changed(rsa.jwk, { key_ops: ["encrypt"] }),
    "key_ops is a text": changed(rsa.jwk, { key_ops: "verify" }),
    "no kid": changed(rsa.jwk, { kid: undefined }),
    "an empty kid": changed(rsa.jwk, { kid: "" }),
    "kid is a number": changed(rsa.jwk, { kid: 1 }),
    "a kid of 129 bytes": changed(rsa.jwk, { kid: "k".repeat(129) }),
    "P-384": { ...generateKeyPairSync("ec", { namedCurve: "P-384" }).publicKey.export({ format: "jwk" }), kid: "p384" },
    "Ed25519": { ...generateKeyPairSync("ed25519").publicKey.export({ format: "jwk" }), kid: "ed" },
    "a kty of tomorrow": { kty: "AKP", alg: "ML-DSA-44", pub: "AAAA", kid: "m" },
  };
  for (const [name, jwk] of Object.entries(skipped)) good(`left out: ${name}`, [jwk, other], beside);
}

function refused() {
  const n = Buffer.from(rsa.jwk.n, "base64url");
  const x = Buffer.from(ec.jwk.x, "base64url");
  const wrong = {
    "no kty": { kid: "x" },
    "kty is a number": changed(ec.jwk, { kty: 1 }),
    "a symmetric key": { kty: "oct", k: "AAAA", kid: "x" },
    "RSA of 1024 bits": changed(generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey.export({ format: "jwk" }), { kid: "weak" }),
    "RSA of 2047 bits": changed(rsa.jwk, { n: b64(Buffer.concat([Buffer.from([0x7f]), n.subarray(1)])) }),
    "RSA of 8200 bits": changed(rsa.jwk, { n: b64(Buffer.alloc(1025, 0xff)) }),
    "n with a zero in front": changed(rsa.jwk, { n: b64(Buffer.concat([Buffer.alloc(1), n])) }),
    "n is empty": changed(rsa.jwk, { n: "" }),
    "n is no base64url": changed(rsa.jwk, { n: "a b" }),
    "n is a number": changed(rsa.jwk, { n: 17 }),
    "no n": changed(rsa.jwk, { n: undefined }),
    "no e": changed(rsa.jwk, { e: undefined }),
    "e is 1": changed(rsa.jwk, { e: "AQ" }),
    "e is 2": changed(rsa.jwk, { e: "Ag" }),
    "e is empty": changed(rsa.jwk, { e: "" }),
    "e has nine bytes": changed(rsa.jwk, { e: b64(Buffer.alloc(9, 0xff)) }),
    "x has 31 bytes": changed(ec.jwk, { x: b64(x.subarray(1)) }),
    "x has 33 bytes": changed(ec.jwk, { x: b64(Buffer.concat([Buffer.alloc(1), x])) }),
    "x is padded": changed(ec.jwk, { x: `${ec.jwk.x}=` }),
    "y is null": changed(ec.jwk, { y: null }),
    "no y": changed(ec.jwk, { y: undefined }),
  };
  for (const member of ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"]) {
    wrong[`private member ${member}`] = changed(ec.jwk, { [member]: "AAAA" });
    wrong[`private member ${member} in a key that does not count`] = { kty: "XYZ", kid: "x", [member]: "AAAA" };
  }
  for (const [name, jwk] of Object.entries(wrong)) bad(name, [other, jwk]);
  bad("a kid twice", [ec.jwk, changed(other, { kid: ec.kid })]);
  bad("a kid twice, of two kinds", [ec.jwk, changed(rsa.jwk, { kid: ec.kid })]);
}
