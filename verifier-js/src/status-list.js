/** One status list (draft-ietf-oauth-status-list sections 4 and 5.1), checked and inflated. */
import { decode } from "./base64url.js";
import { checkTimes, date, readClaims, required, text } from "./claims.js";
import { invalid } from "./error.js";
import { TooLarge } from "./http.js";
import { inflate } from "./inflate.js";
import { isObject, member } from "./json.js";
import { checkSignature } from "./signature.js";
import { STATUS_LIST_TOKEN, isKid, parseToken } from "./token.js";

/** Most bytes of one list, and of what it is sent as. */
const MAX_INFLATED = 16 * 1024 * 1024;
const MAX_DEFLATED = 4 * 1024 * 1024;

/** Most stolen keys that one list names. */
const MAX_DENIED = 256;

/** How often a list that says nothing of it is fetched, in seconds. */
export const DEFAULT_TTL = 10;

/**
 * Checks the token that was fetched from `uri`. `rules` are `issuer`, `algorithms`, `leeway` and `now` in seconds, `isDenied(kid)` and
 * `findKey(kid)`. Throws a `VerifyError` unless the list is to be believed.
 */
export async function readStatusList(token, uri, rules) {
  const parsed = parseToken(token, STATUS_LIST_TOKEN, rules.algorithms);
  if (rules.isDenied(parsed.kid)) throw invalid("denied_key");
  await checkSignature(parsed, await rules.findKey(parsed.kid));

  const claims = readClaims(parsed.payload, rules.issuer);
  if (text(claims, "sub") !== uri) throw invalid("subject");
  checkTimes(claims, rules);
  const ttl = date(claims, "ttl") ?? DEFAULT_TTL;
  if (ttl === 0) throw invalid("claims");
  const version = required(member(claims, "frontdesk_version"));
  if (!Number.isSafeInteger(version) || version < 0) throw invalid("claims");
  const deniedKids = member(claims, "denied_kids") ?? [];
  if (!Array.isArray(deniedKids) || deniedKids.length > MAX_DENIED || !deniedKids.every(isKid)) throw invalid("claims");
  if (deniedKids.includes(parsed.kid)) throw invalid("denied_key");
  const { bits, bytes } = await unpack(required(member(claims, "status_list")));
  return new StatusList({
    kid: parsed.kid,
    version,
    issuedAt: date(claims, "iat"),
    expiresAt: date(claims, "exp"),
    ttl,
    deniedKids,
    bits,
    bytes,
  });
}

/** The bytes that `lst` holds. */
async function unpack(list) {
  if (!isObject(list)) throw invalid("claims");
  const bits = member(list, "bits");
  const lst = member(list, "lst");
  if (lst?.length > (MAX_DEFLATED / 3) * 4) throw invalid("too_large");
  const deflated = decode(lst);
  if (![1, 2, 4, 8].includes(bits) || !deflated) throw invalid("list");
  let bytes;
  try {
    bytes = await inflate(deflated, MAX_INFLATED);
  } catch (error) {
    throw invalid(error instanceof TooLarge ? "too_large" : "list");
  }
  if (bytes.length === 0) throw invalid("list");
  return { bits, bytes };
}

/** A list that is believed. */
export class StatusList {
  constructor(fields) {
    Object.assign(this, fields);
  }

  /** How many places there are. */
  get size() {
    return (this.bytes.length * 8) / this.bits;
  }

  /** The value at a place, counted from the least significant bit of the first byte; `undefined` beyond the end. */
  get(index) {
    if (index >= this.size) return undefined;
    const position = index * this.bits;
    return (this.bytes[Math.floor(position / 8)] >> position % 8) & ((1 << this.bits) - 1);
  }
}
