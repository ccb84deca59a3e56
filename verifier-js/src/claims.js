/** What a signed token must say about itself (RFC 9068 sections 2.2 and 4, RFC 7519 section 4.1). */
import { invalid } from "./error.js";
import { isObject, member, parseObject } from "./json.js";

/**
 * Says whether a token that nobody has checked yet claims to come from this issuer. Only good for deciding whether its `kid` is worth
 * a question to the issuer.
 */
export function claimsIssuer(payload, issuer) {
  const claims = parseObject(payload);
  return claims !== undefined && member(claims, "iss") === issuer;
}

/** The claims of an access token whose signature is good. `expected` has `issuer`, `audiences`, `leeway` and `now`, in seconds. */
export function checkClaims(payload, expected) {
  const claims = readClaims(payload, expected.issuer);
  if (!namesUs(member(claims, "aud"), expected.audiences)) throw invalid("audience");
  checkTimes(claims, expected);
  for (const name of ["sub", "client_id", "jti"]) {
    if (!text(claims, name)) throw invalid("missing_claim");
  }
  // A bound token without proof is a stolen one. Proofs (DPoP, mTLS) are not understood yet, so every bound token is refused
  // (RFC 9449 section 7.2, RFC 8705 section 3).
  if (Object.hasOwn(claims, "cnf")) throw invalid("sender_constrained");
  for (const name of ["scope", "acr", "sid"]) text(claims, name);
  date(claims, "auth_time");
  const { amr, act } = claims;
  if (Object.hasOwn(claims, "amr") && !isStrings(amr)) throw invalid("claims");
  if (Object.hasOwn(claims, "act") && !isObject(act)) throw invalid("claims");
  return claims;
}

/** The claims of any token of this issuer. */
export function readClaims(payload, issuer) {
  const claims = parseObject(payload);
  if (!claims) throw invalid("claims");
  if (text(claims, "iss") !== issuer) throw invalid("issuer");
  return claims;
}

/** `exp`, `iat` and `nbf`; the first two must be there. */
export function checkTimes(claims, { now, leeway }) {
  const expiresAt = required(date(claims, "exp"));
  if (expiresAt <= now - leeway) throw invalid("expired");
  const issuedAt = required(date(claims, "iat"));
  const notBefore = date(claims, "nbf") ?? 0;
  if (issuedAt > now + leeway || notBefore > now + leeway) throw invalid("not_yet_valid");
}

export function required(value) {
  if (value === undefined) throw invalid("missing_claim");
  return value;
}

/** A text, or `undefined` when there is none. */
export function text(claims, name) {
  const value = member(claims, name);
  if (value !== undefined && typeof value !== "string") throw invalid("claims");
  return value;
}

/** A NumericDate (RFC 7519 section 2): a JSON number, perhaps with a fraction, never a text. */
export function date(claims, name) {
  const value = member(claims, name);
  if (value === undefined) return undefined;
  if (typeof value !== "number" || !(value >= 0 && value <= 2 ** 53)) throw invalid("claims");
  return value;
}

export const isStrings = (value) => Array.isArray(value) && value.every((each) => typeof each === "string");

/** Does `aud`, a text or a list of texts, contain one of our names? */
function namesUs(aud, ours) {
  if (aud === undefined) return false;
  const names = typeof aud === "string" ? [aud] : aud;
  if (!isStrings(names)) throw invalid("claims");
  return names.some((name) => ours.includes(name));
}
