// Copies the pictures that the documentation shows.
import fs from "node:fs";
import path from "node:path";
import { root } from "./house.mjs";

const chosen = [
  ["demo-1280-light", "demo"], ["admin-overview-1280-light", "admin"], ["keys", "keys"], ["admin-key-revoke-1280-light", "key-revoke"],
];
for (const [from, to] of chosen) {
  fs.copyFileSync(path.join(root, "target/screenshots", `${from}.png`), path.join(root, "docs", `${to}.png`));
}
