// Copies the pictures that the documentation shows.
import fs from "node:fs";
import path from "node:path";
import { root } from "./house.mjs";

for (const [from, to] of [["demo-1280-light", "demo"]]) {
  fs.copyFileSync(path.join(root, "target/screenshots", `${from}.png`), path.join(root, "docs", `${to}.png`));
}
