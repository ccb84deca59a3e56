/** ZLIB (RFC 1950), as a stream that stops as soon as there is too much. */
import { collect } from "./http.js";

export function inflate(bytes, limit) {
  return collect(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate")), limit);
}
