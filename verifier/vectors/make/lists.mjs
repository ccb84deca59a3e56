// Status lists in all forms (draft-ietf-oauth-status-list-21, sections 4 and 5.1).
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { deflateSync, inflateSync } from "node:zlib";
import { b64, ec, issuer, json, jws, now } from "./issuer.mjs";

export const uri = `${issuer}/status/7`;

/** The bytes of a list: value `i` lies in byte `i * bits / 8`, from the least significant bit upward. */
export function packed(bits, places, statuses) {
  const bytes = Buffer.alloc((places * bits) / 8);
  for (const [index, value] of statuses) {
    bytes[Math.floor((index * bits) / 8)] |= value << ((index * bits) % 8);
  }
  return bytes;
}

export const lst = (bytes) => b64(deflateSync(bytes, { level: 9 }));
export const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

/** The lists that the draft prints (section 4 and appendix C), with the values it says they have. */
export const draftLists = JSON.parse(readFileSync(new URL("draft.json", import.meta.url), "utf8"));
for (const { name, bits, size, lst: text, statuses } of draftLists) {
  if (!inflateSync(Buffer.from(text, "base64url")).equals(packed(bits, size, statuses))) throw new Error(`${name}: wrongly written down`);
}

export const listHeader = (key, changes = {}) => json({ typ: "statuslist+jwt", alg: key.alg, kid: key.kid, ...changes });

/** The claims of a list of one bit with 2^20 places, of which `set` are set. */
export const listClaims = (set, changes = {}) =>
  json({
    iss: issuer,
    sub: uri,
    iat: now - 3,
    exp: now + 297,
    ttl: 10,
    frontdesk_version: 5,
    status_list: { bits: 1, lst: lst(packed(1, 2 ** 20, set.map((index) => [index, 1]))), aggregation_uri: `${issuer}/status` },
    ...changes,
  });

export const listToken = (set, changes = {}, key = ec) => jws(listHeader(key), listClaims(set, changes), key);
