// Access tokens, one rule at a time (RFC 9068 section 4, RFC 8725).
import { generateKeyPairSync } from "node:crypto";
import { accessHeader, accessToken, audience, b64, claims, ec, hmac, issuer, jws, json, newKey, now, rsa, stranger } from "./issuer.mjs";

const cases = [];
const good = (name, token) => cases.push({ name, token, valid: true });
const bad = (name, reason, token) => cases.push({ name, token, valid: false, reason });

export function accessTokens() {
  form();
  headers();
  keysAndSignatures();
  audiences();
  times();
  otherClaims();
  return {
    about:
      "Access tokens for `audience`, checked at `now` with the leeway of `leeway` seconds and the keys of `jwks`. None carries a status, " +
      "so no list is asked for. The verifier has fetched the keys before. `reason` is the first check that fails, in the order of the verifier's README.",
    cases,
  };
}

/** A token of exactly this length: the payload is filled up. */
function ofLength(length) {
  for (let fill = 0; fill < length; fill += 1) {
    const token = accessToken({ fill: "x".repeat(fill) });
    if (token.length === length) return token;
    if (token.length > length) return ofLength(length - 1);
    fill += Math.max(0, Math.floor(((length - token.length) * 3) / 4) - 4);
  }
  throw new Error(`no token of ${length}`);
}

function form() {
  const token = accessToken();
  const [header, payload, signature] = token.split(".");
  good("ES256", token);
  good("RS256", accessToken({}, rsa));
  good("as long as it may be", ofLength(8192));
  bad("longer than 8 KiB", "too_long", accessToken({ fill: "x".repeat(8192) }));
  bad("empty", "malformed", "");
  bad("one part", "malformed", header);
  bad("two parts", "malformed", `${header}.${payload}`);
  bad("four parts", "malformed", `${token}.AAAA`);
  bad("five parts, as a JWE has", "malformed", `${token}.AAAA.AAAA`);
  bad("no header", "malformed", `.${payload}.${signature}`);
  bad("no payload", "malformed", `${header}..${signature}`);
  bad("no signature", "malformed", `${header}.${payload}.`);
  bad("a space in front", "malformed", ` ${token}`);
  bad("a line break at the end", "malformed", `${token}\n`);
  bad("padded header", "malformed", `${b64(accessHeader(ec).padEnd(58, " "))}==.${payload}.${signature}`);
  bad("padded signature", "malformed", `${token}==`);
  bad("base64 instead of base64url", "malformed", `${header}.${payload}.${"+/".repeat(43)}`);
  bad("a space within", "malformed", `${header}.${payload.slice(0, 8)} ${payload.slice(8)}.${signature}`);
  bad("bits after the last byte", "malformed", `${header}.${payload}.${straying(signature)}`);
  bad("a length no bytes have", "malformed", `${header}.${payload}.${signature.slice(0, -1)}`);
  bad("a letter outside of ASCII", "malformed", `${header}.${payload}é.${signature}`);
}

/** Sets one of the four bits that base64url of 64 bytes leaves at zero. */
function straying(text) {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  return text.slice(0, -1) + letters[letters.indexOf(text.at(-1)) | 1];
}

function headers() {
  const withHeader = (header, key = ec) => jws(typeof header === "string" ? header : accessHeader(key, header), claims(), key);
  bad("the header is no object", "header", withHeader("[]"));
  bad("the header is no JSON", "header", withHeader("at+jwt"));
  bad("the header says kid twice", "header", withHeader('{"typ":"at+jwt","alg":"ES256","kid":"ec-1","kid":"rsa-1"}'));
  bad("the header says alg twice, once escaped", "header", withHeader('{"typ":"at+jwt","alg":"ES256","\\u0061lg":"none","kid":"ec-1"}'));
  bad("the header nests deeply", "header", withHeader({ deep: JSON.parse("[".repeat(40) + "]".repeat(40)) }));
  good("typ in capitals", withHeader({ typ: "AT+JWT" }));
  good("typ as a whole media type", withHeader({ typ: "application/at+jwt" }));
  good("typ as a whole media type, mixed case", withHeader({ typ: "Application/At+Jwt" }));
  bad("no typ", "type", withHeader({ typ: undefined }));
  for (const typ of ["JWT", "logout+jwt", "dpop+jwt", "statuslist+jwt", "secevent+jwt", "token-introspection+jwt", "at+jwt ", "xat+jwt", ""]) {
    bad(`typ ${json(typ)}`, "type", withHeader({ typ }));
  }
  bad("typ is a list", "type", withHeader({ typ: ["at+jwt"] }));
  bad("no alg", "algorithm", withHeader({ alg: undefined }));
  for (const alg of ["", "None", "nOnE", "es256", "ES384", "PS256", "RS1", "EdDSA", "HS512", "dir"]) {
    bad(`alg ${json(alg)}`, "algorithm", withHeader({ alg }));
  }
  bad("alg none without a signature", "malformed", `${b64(accessHeader(ec, { alg: "none" }))}.${b64(claims())}.`);
  bad("alg none with a good signature", "algorithm", withHeader({ alg: "none" }));
  for (const key of [ec, rsa]) {
    bad(`HS256 with the public ${key.alg} key as the secret, PEM`, "algorithm", hmac(accessHeader(key, { alg: "HS256" }), claims(), key.pem));
    bad(`HS256 with the public ${key.alg} key as the secret, JWK`, "algorithm", hmac(accessHeader(key, { alg: "HS256" }), claims(), json(key.jwk)));
  }
  bad("crit with something unknown", "critical", withHeader({ crit: ["b64"], b64: true }));
  bad("an empty crit", "critical", withHeader({ crit: [] }));
  const elsewhere = { jku: "https://evil.example/keys", x5u: "https://evil.example/x5" };
  good("jku, x5u, jwk and x5c do not count, the key is ours", withHeader({ ...elsewhere, jwk: stranger.jwk, x5c: ["AAAA"] }));
  bad("jwk in the header, signed with that key", "signature", jws(accessHeader(ec, { jwk: stranger.jwk }), claims(), stranger));
  bad("jwk in the header and no kid", "key_id", jws(accessHeader(stranger, { kid: undefined, jwk: stranger.jwk }), claims(), stranger));
  bad("jku of a stranger, kid of a stranger", "unknown_key", jws(accessHeader(stranger, elsewhere), claims(), stranger));
  bad("no kid", "key_id", withHeader({ kid: undefined }));
  bad("an empty kid", "key_id", withHeader({ kid: "" }));
  bad("kid is a number", "key_id", withHeader({ kid: 1 }));
  bad("a kid of 129 bytes", "key_id", withHeader({ kid: "k".repeat(129) }));
  bad("a kid of 65 letters and 130 bytes", "key_id", withHeader({ kid: "é".repeat(65) }));
  bad("a kid of 128 bytes that nobody has", "unknown_key", withHeader({ kid: "k".repeat(128) }));
}

function keysAndSignatures() {
  const [header, payload, signature] = accessToken().split(".");
  const signed = (bytes) => `${header}.${payload}.${b64(bytes)}`;
  const flipped = Buffer.from(signature, "base64url");
  flipped[10] ^= 1;
  bad("a key nobody published", "unknown_key", accessToken({}, stranger));
  bad("a kid in other case", "unknown_key", jws(accessHeader(ec, { kid: "EC-1" }), claims(), ec));
  bad("RS256 with the kid of the ES256 key", "key_mismatch", jws(accessHeader(ec, { alg: "RS256" }), claims(), rsa));
  bad("ES256 with the kid of the RS256 key", "key_mismatch", jws(accessHeader(rsa, { alg: "ES256" }), claims(), ec));
  bad("signed by a stranger under our kid", "signature", jws(accessHeader(ec), claims(), stranger));
  const strangeRsa = newKey("rsa-1", "RS256", generateKeyPairSync("rsa", { modulusLength: 2048 }));
  bad("signed by a strange RSA key under our kid", "signature", jws(accessHeader(rsa), claims(), strangeRsa));
  bad("one bit of the signature changed", "signature", signed(flipped));
  bad("another payload under the signature", "signature", `${header}.${b64(claims({ sub: "user-2" }))}.${signature}`);
  bad("the signature in DER", "signature", signed(ec.sign(`${header}.${payload}`, "der")));
  bad("a signature of 63 bytes", "signature", signed(Buffer.alloc(63, 1)));
  bad("a signature of 65 bytes", "signature", signed(Buffer.concat([Buffer.from(signature, "base64url"), Buffer.alloc(1)])));
  bad("a signature of zeros", "signature", signed(Buffer.alloc(64)));
  const [rsaHeader, rsaPayload] = accessToken({}, rsa).split(".");
  bad("an RSA signature of 255 bytes", "signature", `${rsaHeader}.${rsaPayload}.${b64(rsa.sign(`${rsaHeader}.${rsaPayload}`).subarray(1))}`);
}

function audiences() {
  bad("no iss", "issuer", accessToken({ iss: undefined }));
  for (const iss of [`${issuer}/`, "https://ID.example.com", "http://id.example.com", `${issuer}:443`, "https://evil.example", ""]) {
    bad(`iss ${json(iss)}`, "issuer", accessToken({ iss }));
  }
  bad("iss is a list", "claims", accessToken({ iss: [issuer] }));
  good("aud is a list", accessToken({ aud: [audience] }));
  good("aud names others too", accessToken({ aud: [issuer, audience] }));
  bad("no aud", "audience", accessToken({ aud: undefined }));
  for (const aud of [[], "", `${audience}/`, `${audience}.evil.example`, "app-1", [issuer], audience.toUpperCase()]) {
    bad(`aud ${json(aud)}`, "audience", accessToken({ aud }));
  }
  bad("aud has a number beside us", "claims", accessToken({ aud: [audience, 1] }));
  bad("aud is an object", "claims", accessToken({ aud: { [audience]: true } }));
  bad("aud is null", "claims", accessToken({ aud: null }));
}

function times() {
  good("exp 29 seconds ago", accessToken({ iat: now - 900, exp: now - 29 }));
  bad("exp 30 seconds ago", "expired", accessToken({ iat: now - 900, exp: now - 30 }));
  bad("exp an hour ago", "expired", accessToken({ iat: now - 4500, exp: now - 3600 }));
  bad("exp 0", "expired", accessToken({ exp: 0 }));
  good("exp with a fraction", accessToken({ exp: now + 900.5 }));
  bad("no exp", "missing_claim", accessToken({ exp: undefined }));
  bad("exp is a text", "claims", accessToken({ exp: `${now + 900}` }));
  bad("exp is null", "claims", accessToken({ exp: null }));
  bad("exp is negative", "claims", accessToken({ exp: -1 }));
  bad("exp is beyond what numbers hold exactly", "claims", accessToken({ exp: 1e300 }));
  good("nbf in 30 seconds", accessToken({ nbf: now + 30 }));
  bad("nbf in 31 seconds", "not_yet_valid", accessToken({ nbf: now + 31 }));
  bad("nbf is a text", "claims", accessToken({ nbf: "0" }));
  good("iat in 30 seconds", accessToken({ iat: now + 30 }));
  bad("iat in 31 seconds", "not_yet_valid", accessToken({ iat: now + 31 }));
  bad("no iat", "missing_claim", accessToken({ iat: undefined }));
  bad("iat is a text", "claims", accessToken({ iat: `${now}` }));
}

function otherClaims() {
  const doubled = (text) => jws(accessHeader(ec), text, ec);
  for (const name of ["sub", "client_id", "jti"]) {
    bad(`no ${name}`, "missing_claim", accessToken({ [name]: undefined }));
    bad(`an empty ${name}`, "missing_claim", accessToken({ [name]: "" }));
    bad(`${name} is a number`, "claims", accessToken({ [name]: 1 }));
    bad(`${name} is null`, "claims", accessToken({ [name]: null }));
  }
  bad("bound to a DPoP key and no proof", "sender_constrained", accessToken({ cnf: { jkt: "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" } }));
  bad("bound to a certificate and none shown", "sender_constrained", accessToken({ cnf: { "x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2" } }));
  bad("bound to something empty", "sender_constrained", accessToken({ cnf: {} }));
  good("no scope", accessToken({ scope: undefined }));
  bad("scope is a list", "claims", accessToken({ scope: ["notes:read"] }));
  good("acr, sid, amr, auth_time and act", accessToken({ acr: "urn:frontdesk:acr:pwd", sid: "s", amr: ["pwd"], auth_time: now - 5, act: { sub: "admin" } }));
  bad("acr is a number", "claims", accessToken({ acr: 1 }));
  bad("sid is an object", "claims", accessToken({ sid: {} }));
  bad("amr is a text", "claims", accessToken({ amr: "pwd" }));
  bad("amr has a number", "claims", accessToken({ amr: [1] }));
  bad("auth_time is a text", "claims", accessToken({ auth_time: "now" }));
  bad("act is a text", "claims", accessToken({ act: "admin" }));
  good("private claims", accessToken({ gid: "g", anything: { else: [1, 2, 3] } }));
  bad("the claims are a list", "claims", doubled("[]"));
  bad("the claims are no JSON", "claims", doubled("{"));
  bad("the claims say sub twice", "claims", doubled(claims().replace("{", '{"sub":"admin",')));
  bad("the claims say sub twice, once escaped", "claims", doubled(claims().replace("{", '{"s\\u0075b":"admin",')));
  bad("a claim has a name twice within", "claims", doubled(claims({ deep: 0 }).replace('"deep":0', '"deep":[{"a":1,"a":2}]')));
  bad("the claims nest deeply", "claims", accessToken({ deep: JSON.parse("[".repeat(40) + "]".repeat(40)) }));
  bad("the claims are not UTF-8", "claims", doubled(Buffer.concat([Buffer.from('{"x":"'), Buffer.from([0xff]), Buffer.from('",'), Buffer.from(claims().slice(1))])));
}
