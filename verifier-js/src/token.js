/** The outside of a signed token: size, parts and header, before any key is looked at. */
import { decode } from "./base64url.js";
import { invalid } from "./error.js";
import { member, parseObject } from "./json.js";

/** The signature algorithms that can be checked. Only public-key algorithms exist here: there is no way to say `none` or `HS256`. */
export const ALGORITHMS = ["RS256", "ES256"];

/** Longest `kid` that is looked up, in bytes. Frontdesk's have 43. */
export const MAX_KID = 128;

/** An access token: RFC 9068 section 2.1. */
export const ACCESS_TOKEN = { typ: "at+jwt", maxLength: 8 * 1024 };

/** A status list token: draft-ietf-oauth-status-list section 5.1. There is room for 4 MiB that were encoded twice. */
export const STATUS_LIST_TOKEN = { typ: "statuslist+jwt", maxLength: 8 * 1024 * 1024 };

const encoder = new TextEncoder();

export const isKid = (kid) => typeof kid === "string" && kid !== "" && kid.length <= MAX_KID && encoder.encode(kid).length <= MAX_KID;

/**
 * Takes a compact JWS (RFC 7515 section 7.1) apart and checks its header (RFC 9068 section 4, RFC 8725 sections 3.1 and 3.11).
 * `jku`, `jwk`, `x5u` and `x5c` are ignored: keys come from the issuer only. The payload is decoded, not yet trusted.
 */
export function parseToken(token, kind, algorithms) {
  if (typeof token !== "string") throw invalid("malformed");
  if (token.length > kind.maxLength) throw invalid("too_long");
  const parts = token.split(".", 4);
  if (parts.length !== 3) throw invalid("malformed");
  const [head, payload, signature] = parts.map(decode);
  if (!head || !payload || !signature) throw invalid("malformed");

  const header = parseObject(head);
  if (!header) throw invalid("header");
  if (!isType(member(header, "typ"), kind.typ)) throw invalid("type");
  const algorithm = member(header, "alg");
  if (!algorithms.includes(algorithm)) throw invalid("algorithm");
  if (Object.hasOwn(header, "crit")) throw invalid("critical");
  const kid = member(header, "kid");
  if (!isKid(kid)) throw invalid("key_id");
  return { token, algorithm, kid, payload, signature };
}

/** Media types are compared without case, `application/` may be left out (RFC 7515 section 4.1.9). */
function isType(typ, expected) {
  if (typeof typ !== "string") return false;
  const lower = typ.toLowerCase();
  return lower === expected || lower === `application/${expected}`;
}
