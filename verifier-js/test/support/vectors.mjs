// The test vectors that all verifiers share.
import { readFileSync } from "node:fs";

export const vectors = (name) => JSON.parse(readFileSync(new URL(`../../../verifier/vectors/${name}.json`, import.meta.url), "utf8"));
