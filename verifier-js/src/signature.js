/** Whether a token was signed by a key of the issuer. */
import { compactVerify } from "jose";
import { invalid } from "./error.js";

/** ES256 signatures are the raw `r‖s` of 64 bytes (RFC 7518 section 3.4); the DER form is refused. */
const ES256_LENGTH = 64;

/** Throws unless the key is for the token's algorithm and the signature fits. */
export async function checkSignature(parsed, key) {
  if (key.algorithm !== parsed.algorithm) throw invalid("key_mismatch");
  if (parsed.algorithm === "ES256" && parsed.signature.length !== ES256_LENGTH) throw invalid("signature");
  try {
    await compactVerify(parsed.token, key.key, { algorithms: [parsed.algorithm] });
  } catch {
    throw invalid("signature");
  }
}
