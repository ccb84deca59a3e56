// Fifty refreshes of one generation at the same moment: held back by a barrier at the server until all have arrived.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import { root, stopEverything } from "./house.mjs";
import { cookies, shop, signedIn } from "./shop.mjs";

after(stopEverything);

async function fiftyAtOnce(house, round) {
  const { context, page } = await signedIn(house, { consent: round === 0 });
  const tabs = [page];
  for (let at = 1; at < 5; at++) {
    const tab = await context.newPage();
    await tab.goto(`${house.origins.app}/`);
    await tab.waitForFunction(() => document.getElementById("state").textContent === "signed-in");
    tabs.push(tab);
  }
  const before = (await cookies(house, context)).rt.value;
  house.barrier.hold(50);
  const answers = (await Promise.all(tabs.map((tab) => tab.evaluate(async (issuer) => {
    const one = async () => {
      const body = new URLSearchParams({ grant_type: "refresh_token", client_id: "spa" });
      const answer = await fetch(`${issuer}/oauth2/token`, { method: "POST", credentials: "include", headers: { "X-OAuth-Browser": "1" }, body });
      return [answer.status, Object.keys(await answer.json()).includes("refresh_token")];
    };
    return Promise.all(Array.from({ length: 10 }, one));
  }, house.issuer)))).flat();
  assert.equal(house.barrier.seen.length, 50);
  const carried = new Set(house.barrier.seen.map((line) => /__Host-Http-rt\.[^=]+=([^;]+)/.exec(line)?.[1]));
  assert.deepEqual([...carried], [before], "all fifty carried the same generation");
  assert.deepEqual(answers, Array(50).fill([200, false]));
  const value = (await cookies(house, context)).rt.value;
  const generation = (token) => Buffer.from(token.slice(6), "base64url").readUInt32BE(16);
  assert.equal(generation(value), generation(before) + 1, "one step");
  await page.evaluate(() => window.fd.getAccessToken({ force: true }));
  const next = (await cookies(house, context)).rt.value;
  assert.equal(generation(next), generation(before) + 2, "and on it goes");
  await context.close();
}

test("fifty raw refreshes of one generation: fifty 200s, the same cookie, one step", async () => {
  const house = await shop({ behind: 1 });
  for (let round = 0; round < 3; round++) await fiftyAtOnce(house, round);
});

test("the same over two processes on PostgreSQL", async () => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), "frontdesk-postgres-"));
  fs.rmdirSync(dir);
  const script = path.join(root, "tests/postgres");
  const url = execFileSync(script, ["start", dir], { encoding: "utf8" }).trim();
  try {
    const house = await shop({ behind: 2, database: url });
    for (let round = 0; round < 3; round++) await fiftyAtOnce(house, round);
  } finally {
    await stopEverything();
    execFileSync(script, ["stop", dir]);
  }
});
