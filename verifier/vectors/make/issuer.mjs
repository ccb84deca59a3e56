// The issuer of the vectors: its names, its keys, and tokens of any form.
import { createHmac, generateKeyPairSync, sign } from "node:crypto";

export const issuer = "https://id.example.com";
export const audience = "https://api.example.com";
export const now = 1_795_000_000;

export const b64 = (data) => Buffer.from(data).toString("base64url");

const pairs = {
  ES256: () => generateKeyPairSync("ec", { namedCurve: "P-256" }),
  RS256: () => generateKeyPairSync("rsa", { modulusLength: 2048 }),
};

/** A key pair: `kid`, `alg`, the public `jwk` and `sign(text)`. */
export function newKey(kid, alg, pair = pairs[alg]()) {
  const jwk = { ...pair.publicKey.export({ format: "jwk" }), use: "sig", alg, kid };
  const signature = (text, dsaEncoding = "ieee-p1363") => sign("sha256", Buffer.from(text), { key: pair.privateKey, dsaEncoding });
  return { kid, alg, jwk, sign: signature, pem: pair.publicKey.export({ format: "pem", type: "spki" }) };
}

export const ec = newKey("ec-1", "ES256");
export const rsa = newKey("rsa-1", "RS256");
/** Published as the others; a status list says that it was stolen. */
export const stolen = newKey("ec-stolen", "ES256");
/** Never published. */
export const stranger = newKey("stranger", "ES256");
export const publicKeys = [ec.jwk, rsa.jwk, stolen.jwk];

/** A compact JWS over any texts. */
export function jws(header, payload, key) {
  const text = `${b64(header)}.${b64(payload)}`;
  return `${text}.${b64(key.sign(text))}`;
}

export function hmac(header, payload, secret) {
  const text = `${b64(header)}.${b64(payload)}`;
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
}

/** As text; members that are `undefined` are left out. */
export const json = JSON.stringify;

export const accessHeader = (key, changes = {}) => json({ typ: "at+jwt", alg: key.alg, kid: key.kid, ...changes });

export const claims = (changes = {}) =>
  json({
    iss: issuer,
    aud: audience,
    sub: "user-1",
    client_id: "app-1",
    jti: "token-1",
    iat: now,
    exp: now + 900,
    scope: "notes:read profile",
    ...changes,
  });

export const accessToken = (changes, key = ec) => jws(accessHeader(key), claims(changes), key);
