// An issuer for tests: keys, tokens and lists, made while it runs.
import { generateKeyPairSync, sign } from "node:crypto";
import { deflateSync } from "node:zlib";
import { createVerifier } from "frontdesk-verifier";
import { TestClock } from "./clock.mjs";
import { issuerWith } from "./documents.mjs";

export const ISSUER = "https://id.example.com";
export const AUDIENCE = "https://api.example.com";
export const JWKS = `${ISSUER}/.well-known/jwks.json`;
export const DISCOVERY = `${ISSUER}/.well-known/openid-configuration`;
export const START = 1_795_000_000;
export const LIST = `${ISSUER}/status/7`;

const b64 = (data) => Buffer.from(data).toString("base64url");

/** An ES256 key with its public `jwk` and `sign(header, claims)`. */
export function newKey(kid) {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return {
    kid,
    jwk: { ...publicKey.export({ format: "jwk" }), kid, alg: "ES256", use: "sig" },
    sign(header, claims) {
      const text = `${b64(JSON.stringify({ alg: "ES256", kid, ...header }))}.${b64(JSON.stringify(claims))}`;
      return `${text}.${b64(sign("sha256", Buffer.from(text), { key: privateKey, dsaEncoding: "ieee-p1363" }))}`;
    },
  };
}

export const KEY = newKey("k1");

export const claims = (changes = {}, issuer = ISSUER) => ({
  iss: issuer,
  aud: AUDIENCE,
  sub: "user-1",
  client_id: "app-1",
  jti: "token-1",
  iat: START,
  exp: START + 900,
  scope: "notes:read profile",
  ...changes,
});

export const accessToken = (changes, { key = KEY, issuer = ISSUER } = {}) => key.sign({ typ: "at+jwt" }, claims(changes, issuer));

/** A token whose status stands in this place. */
export const refersTo = (idx, changes, uri = LIST) => accessToken({ status: { status_list: { idx, uri } }, ...changes });

/** A status list token of one bit with these places set. */
export function statusList(set, { version = 1, iat = START, key = KEY, uri = LIST, issuer = ISSUER, places = 1024, ...changes } = {}) {
  const bytes = Buffer.alloc(places / 8);
  for (const index of set) bytes[index >> 3] |= 1 << index % 8;
  return key.sign(
    { typ: "statuslist+jwt" },
    { iss: issuer, sub: uri, iat, exp: iat + 300, ttl: 10, frontdesk_version: version, status_list: { bits: 1, lst: b64(deflateSync(bytes)) }, ...changes },
  );
}

/** A verifier with a clock that stands still and an issuer without a network. */
export function house(options = {}, { jwks = { keys: [KEY.jwk] }, metadata } = {}) {
  const clock = new TestClock(START);
  const documents = issuerWith(ISSUER, jwks, metadata);
  const said = [];
  const verifier = createVerifier({
    issuer: ISSUER,
    audience: AUDIENCE,
    clock,
    fetch: documents.fetch,
    log: (message, error) => said.push(`${message}: ${error?.message ?? ""}`),
    ...options,
  });
  return { clock, documents, verifier, said };
}

/** The reason why a token is refused, or `undefined`. */
export async function reasonOf(verifier, token) {
  try {
    await verifier.verify(token);
    return undefined;
  } catch (error) {
    if (error.name !== "VerifyError") throw error;
    return error.reason;
  }
}
