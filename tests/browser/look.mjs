// A page at three widths, in light and dark: photographed, and looked over by axe-core.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { root } from "./house.mjs";

export const shots = path.join(root, "target/screenshots");
const axe = fs.readFileSync(path.join(import.meta.dirname, "node_modules/axe-core/axe.min.js"), "utf8");
const LOOKS = [320, 768, 1280].flatMap((width) => ["light", "dark"].map((colorScheme) => ({ width, colorScheme })));
fs.mkdirSync(shots, { recursive: true });

/** Goes through all looks of the page that is shown. */
export async function look(page, name) {
  for (const { width, colorScheme } of LOOKS) {
    await page.setViewportSize({ width, height: 800 });
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.equal(overflow, 0, `${name} scrolls sideways at ${width}`);
    await page.screenshot({ path: path.join(shots, `${name}-${width}-${colorScheme}.png`), fullPage: true });
    // Past the page's own policy, which lets no foreign script in.
    const session = await page.context().newCDPSession(page);
    await session.send("Runtime.evaluate", { expression: axe });
    const { result } = await session.send("Runtime.evaluate", {
      expression: `axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] })
        .then(({ violations }) => JSON.stringify(violations.map((v) => v.id + ": " + v.nodes.map((n) => n.html).join(" "))))`,
      awaitPromise: true, returnByValue: true,
    });
    assert.deepEqual(JSON.parse(result.value), [], `${name} at ${width} ${colorScheme}`);
    await session.detach();
  }
  await page.setViewportSize({ width: 1280, height: 800 });
}
