// Status list tokens: which are believed, and what they say.
import { deflateRawSync, gzipSync } from "node:zlib";
import { accessToken, b64, ec, hmac, issuer, json, jws, now, rsa, stolen, stranger } from "./issuer.mjs";
import { draftLists, listClaims, listHeader, listToken, lst, packed, sha256, uri } from "./lists.mjs";

const cases = [];
const bad = (name, reason, token) => cases.push({ name, uri, token, valid: false, reason });
const good = (name, token, invalid, bytes, bits) =>
  cases.push({ name, uri, token, valid: true, invalid, size: (bytes.length * 8) / bits, inflated_sha256: sha256(bytes) });

const million = 2 ** 20;
const ones = (indices) => indices.map((index) => [index, 1]);
const some = [0, 7, 8, 12, 99, 4096, 1048575];
const list = (bits, bytes) => ({ status_list: { bits, lst: lst(bytes) } });

export function statusLists() {
  believed();
  outside();
  claims();
  encodings();
  return {
    about:
      "Status list tokens fetched from `uri` at `now`, checked with the keys of `jwks`. Of a valid one, `invalid` are some of the places that " +
      "are not zero, `size` is how many places there are, `inflated_sha256` is over the bytes. `encodings` are the lists that " +
      "draft-ietf-oauth-status-list prints: `statuses` are all places that are not zero, with their values; `size` counts the places of the " +
      "whole list. Reasons of lists are a hint: only `valid` counts.",
    encodings: draftLists,
    cases,
  };
}

function believed() {
  const bytes = packed(1, million, ones(some));
  good("ES256", listToken(some), some, bytes, 1);
  good("RS256", listToken(some, {}, rsa), some, bytes, 1);
  good("nothing is set", listToken([]), [], packed(1, million, []), 1);
  good("everything is set", listToken([], list(1, Buffer.alloc(million / 8, 255))), [0, 1, 524288, million - 1], Buffer.alloc(million / 8, 255), 1);
  good("a list of eight places", listToken([], list(1, Buffer.from([0x81]))), [0, 7], Buffer.from([0x81]), 1);
  for (const { name, bits, lst: text, size, statuses } of draftLists) {
    const token = listToken([], { status_list: { bits, lst: text } });
    good(`the draft's list of ${name}`, token, statuses.map(([index]) => index), packed(bits, size, statuses), bits);
  }
  const withHeader = (changes) => jws(listHeader(ec, changes), listClaims(some), ec);
  good("typ in capitals", withHeader({ typ: "STATUSLIST+JWT" }), some, bytes, 1);
  good("typ as a whole media type", withHeader({ typ: "application/statuslist+jwt" }), some, bytes, 1);
  good("ended 29 seconds ago", listToken(some, { iat: now - 329, exp: now - 29 }), some, bytes, 1);
  good("made by a clock 30 seconds ahead", listToken(some, { iat: now + 30, exp: now + 330 }), some, bytes, 1);
  good("kids are denied", listToken(some, { denied_kids: [stolen.kid] }), some, bytes, 1);
  const many = Array.from({ length: 256 }, (_, index) => `denied-${index}`.padEnd(128, "x"));
  good("256 kids are denied, each of 128 bytes", listToken(some, { denied_kids: many }), some, bytes, 1);
  good("no kids are denied", listToken(some, { denied_kids: [] }), some, bytes, 1);
  good("ttl half a second", listToken(some, { ttl: 0.5 }), some, bytes, 1);
  good("no ttl", listToken(some, { ttl: undefined }), some, bytes, 1);
  good("version 0", listToken(some, { frontdesk_version: 0 }), some, bytes, 1);
  good("version 2^53 - 1", listToken(some, { frontdesk_version: 2 ** 53 - 1 }), some, bytes, 1);
  good("claims nobody knows", listToken(some, { more: { of: ["them"] } }), some, bytes, 1);
}

function outside() {
  const token = listToken(some);
  const [header, payload, signature] = token.split(".");
  const withHeader = (changes, key = ec) => jws(listHeader(key, changes), listClaims(some), key);
  bad("empty", "malformed", "");
  bad("two parts", "malformed", `${header}.${payload}`);
  bad("no signature", "malformed", `${header}.${payload}.`);
  bad("padding", "malformed", `${token}==`);
  bad("a line break at the end", "malformed", `${token}\n`);
  bad("the header says kid twice", "header", jws('{"typ":"statuslist+jwt","alg":"ES256","kid":"ec-1","kid":"ec-1"}', listClaims(some), ec));
  bad("an access token", "type", accessToken({ sub: uri, status_list: JSON.parse(listClaims(some)).status_list }));
  for (const typ of [undefined, "JWT", "at+jwt", "statuslist+cwt"]) bad(`typ ${json(typ) ?? "left out"}`, "type", withHeader({ typ }));
  bad("alg none", "algorithm", withHeader({ alg: "none" }));
  bad("HS256 with the public key as the secret", "algorithm", hmac(listHeader(ec, { alg: "HS256" }), listClaims(some), ec.pem));
  bad("crit", "critical", withHeader({ crit: ["exp"] }));
  bad("no kid", "key_id", withHeader({ kid: undefined }));
  bad("a key nobody published", "unknown_key", listToken(some, {}, stranger));
  bad("RS256 with the kid of the ES256 key", "key_mismatch", jws(listHeader(ec, { alg: "RS256" }), listClaims(some), rsa));
  bad("signed by a stranger under our kid", "signature", jws(listHeader(ec), listClaims(some), stranger));
  bad("another list under the signature", "signature", `${header}.${b64(listClaims([]))}.${signature}`);
  bad("the signature in DER", "signature", `${header}.${payload}.${b64(ec.sign(`${header}.${payload}`, "der"))}`);
  bad("signed by a key that it denies itself", "denied_key", listToken(some, { denied_kids: [stolen.kid] }, stolen));
}

function claims() {
  for (const sub of [undefined, "", `${issuer}/status/8`, `${uri}/`, "https://evil.example/status/7"]) {
    bad(`sub ${json(sub) ?? "left out"}`, "subject", listToken(some, { sub }));
  }
  for (const iss of [undefined, "", `${issuer}/`, "https://evil.example"]) bad(`iss ${json(iss) ?? "left out"}`, "issuer", listToken(some, { iss }));
  bad("ended an hour ago", "expired", listToken(some, { iat: now - 3900, exp: now - 3600 }));
  bad("ended 30 seconds ago", "expired", listToken(some, { iat: now - 330, exp: now - 30 }));
  bad("made in 31 seconds", "not_yet_valid", listToken(some, { iat: now + 31, exp: now + 331 }));
  for (const name of ["exp", "iat", "frontdesk_version", "status_list"]) bad(`no ${name}`, "missing_claim", listToken(some, { [name]: undefined }));
  bad("exp is a text", "claims", listToken(some, { exp: `${now + 297}` }));
  bad("ttl is a text", "claims", listToken(some, { ttl: "10" }));
  bad("ttl is zero", "claims", listToken(some, { ttl: 0 }));
  bad("ttl is negative", "claims", listToken(some, { ttl: -1 }));
  for (const version of [-1, 1.5, "5", null, 2 ** 64]) bad(`version ${json(version)}`, "claims", listToken(some, { frontdesk_version: version }));
  bad("denied_kids is a text", "claims", listToken(some, { denied_kids: stolen.kid }));
  bad("denied_kids has a number", "claims", listToken(some, { denied_kids: [1] }));
  bad("denied_kids has an empty one", "claims", listToken(some, { denied_kids: [stolen.kid, ""] }));
  bad("denied_kids has one of 129 bytes", "claims", listToken(some, { denied_kids: [`${"k".repeat(127)}é`] }));
  bad("257 kids are denied", "claims", listToken(some, { denied_kids: Array.from({ length: 257 }, (_, index) => `denied-${index}`) }));
  bad("the claims say sub twice", "claims", jws(listHeader(ec), listClaims(some).replace("{", '{"sub":"x",'), ec));
  bad("lst stands there twice", "claims", jws(listHeader(ec), listClaims(some).replace('"lst":', '"lst":"eNpjAAAAAQAB","lst":'), ec));
  bad("the claims are a list", "claims", jws(listHeader(ec), "[]", ec));
}

function encodings() {
  const bytes = packed(1, million, ones(some));
  const text = lst(bytes);
  const withList = (status_list) => listToken([], { status_list });
  bad("status_list is a text", "claims", withList(text));
  for (const bits of [undefined, 0, 3, 5, 16, -1, 1.5, "1", null]) bad(`bits ${json(bits) ?? "left out"}`, "list", withList({ bits, lst: text }));
  const wrong = { "left out": undefined, "empty": "", "a number": 1, "three bytes": "AAAA", "padded": `${text}=`, "with a space": `${text.slice(0, 8)} ${text.slice(8)}` };
  for (const [name, lst] of Object.entries(wrong)) bad(`lst ${name}`, "list", withList({ bits: 1, lst }));
  const deflated = Buffer.from(text, "base64url");
  const damaged = Buffer.from(deflated);
  damaged[damaged.length - 1] ^= 1;
  bad("cut in the middle", "list", withList({ bits: 1, lst: b64(deflated.subarray(0, deflated.length >> 1)) }));
  bad("cut before the checksum", "list", withList({ bits: 1, lst: b64(deflated.subarray(0, -4)) }));
  bad("a wrong checksum", "list", withList({ bits: 1, lst: b64(damaged) }));
  bad("DEFLATE without the ZLIB wrapper", "list", withList({ bits: 1, lst: b64(deflateRawSync(bytes)) }));
  bad("gzip", "list", withList({ bits: 1, lst: b64(gzipSync(bytes)) }));
  bad("not compressed", "list", withList({ bits: 1, lst: b64(Buffer.alloc(64, 0x55)) }));
  bad("no places at all", "list", withList({ bits: 1, lst: lst(Buffer.alloc(0)) }));
  bad("inflates to 17 MiB", "too_large", withList({ bits: 1, lst: lst(Buffer.alloc(17 * 2 ** 20)) }));
}
