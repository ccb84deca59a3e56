/** The issuer's public keys (RFC 7517), read once and kept ready. */
import { importJWK } from "jose";
import { decode } from "./base64url.js";
import { isObject, member, parseObject } from "./json.js";
import { isKid } from "./token.js";

/** Most keys in a set that is believed. */
const MAX_KEYS = 64;

/** Members that only a private or symmetric key has (RFC 7518 sections 6.2.2, 6.3.2, 6.4.1). */
const PRIVATE_MEMBERS = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];

/**
 * Reads a JWK set: its usable keys by `kid`, each `{ algorithm, key }` with the one algorithm it is for (RFC 8725 section 3.1).
 *
 * Keys for other purposes and of unknown types are left out (RFC 7517 section 5). A set that is wrong in itself is refused whole: too
 * many keys, private members, weak or malformed keys, one `kid` twice.
 */
export async function parseKeySet(document) {
  const set = parseObject(document);
  if (!set) throw new Error("the key set is not strict JSON");
  const jwks = member(set, "keys");
  if (!Array.isArray(jwks)) throw new Error("the key set has no array of keys");
  if (jwks.length > MAX_KEYS) throw new Error(`the key set has more than ${MAX_KEYS} keys`);
  const keys = new Map();
  for (const jwk of jwks) {
    if (!isObject(jwk)) throw new Error("a key is not an object");
    if (PRIVATE_MEMBERS.some((name) => Object.hasOwn(jwk, name))) throw new Error("the key set contains private key material");
    const publicKey = await parseKey(jwk);
    if (!publicKey || !isKid(jwk.kid)) continue;
    if (keys.has(jwk.kid)) throw new Error("two keys have the same kid");
    keys.set(jwk.kid, publicKey);
  }
  return keys;
}

/** `undefined` for a key that is fine but not for us. */
async function parseKey(jwk) {
  const { kty, crv } = jwk;
  if (typeof kty !== "string") throw new Error("a key has no kty");
  let algorithm;
  let needed;
  if (kty === "RSA") {
    checkRsa(jwk);
    algorithm = "RS256";
    needed = { kty, n: jwk.n, e: jwk.e };
  } else if (kty === "EC" && crv === "P-256") {
    checkEc(jwk);
    algorithm = "ES256";
    needed = { kty, crv, x: jwk.x, y: jwk.y };
  } else {
    return undefined;
  }
  const isForSignatures = !Object.hasOwn(jwk, "use") || jwk.use === "sig";
  const mayVerify = !Object.hasOwn(jwk, "key_ops") || (Array.isArray(jwk.key_ops) && jwk.key_ops.includes("verify"));
  const fits = !Object.hasOwn(jwk, "alg") || jwk.alg === algorithm;
  if (!isForSignatures || !mayVerify || !fits) return undefined;
  return { algorithm, key: await importJWK(needed, algorithm) };
}

function checkRsa({ n, e }) {
  const [modulus, exponent] = [integer(n), integer(e)];
  if (!modulus || !exponent) throw new Error("an RSA key is malformed");
  const bits = modulus.length * 8 - Math.clz32(modulus[0]) + 24;
  if (bits < 2048) throw new Error("an RSA key has less than 2048 bits");
  if (bits > 8192) throw new Error("an RSA key has more than 8192 bits");
  // An exponent of 1 makes every message its own signature; an even one is no RSA key.
  const isOne = exponent.length === 1 && exponent[0] === 1;
  if (isOne || exponent.length > 8 || exponent.at(-1) % 2 === 0) throw new Error("an RSA key is malformed");
}

/** Base64urlUInt (RFC 7518 section 2): minimal big-endian, so no leading zero byte. */
function integer(text) {
  const bytes = decode(text);
  return bytes && bytes[0] !== 0 ? bytes : undefined;
}

function checkEc({ x, y }) {
  // Full length (RFC 7518 section 6.2.1.2): a stripped leading zero is a broken key.
  if (decode(x)?.length !== 32 || decode(y)?.length !== 32) throw new Error("an EC key is malformed");
}
