/** Base64url as JOSE means it: without padding, white space or stray bits (RFC 7515 section 2). */
import { base64url } from "jose";

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** The bytes; `undefined` when the text is empty or not exactly what an encoder writes. */
export function decode(text) {
  if (typeof text !== "string" || !/^[A-Za-z0-9_-]+$/.test(text)) return undefined;
  const rest = text.length % 4;
  if (rest === 1) return undefined;
  const last = LETTERS.indexOf(text.at(-1));
  if ((rest === 2 && last & 15) || (rest === 3 && last & 3)) return undefined;
  return base64url.decode(text);
}
