// Keys in the admin's room, while they turn: who lags is seen, a key is tried, turned past the laggard, and thrown out.
import assert from "node:assert/strict";
import fs from "node:fs";
import https from "node:https";
import path from "node:path";
import { after, before, test } from "node:test";
import { command, local, PASSWORD, post, signInAt, stopEverything, write } from "./house.mjs";
import { look, shots } from "./look.mjs";
import { shop, signedIn } from "./shop.mjs";

const SECRET = "0123456789012345678901234567890123456789";
let house;

before(async () => {
  // So quickly that the pages have a past and a future to show. For an app that lags a turn waits an hour.
  house = await shop({ settings: `
[keys]
period = "20s"
publish_ahead = "3s"
jwks_max_age = "1s"
clock_skew = "0s"
patience = "1h"
` });
  write(path.join(house.dir, "keys.toml"), `
[[users]]
username = "root"
password = "${PASSWORD}"
roles = ["admin"]
[users.claims]
name = "Rosa Root"
[[clients]]
client_id = "reports"
client_name = "Reports"
application_type = "service"
client_secret = "${SECRET}"
scope = "notes:read"
`);
  command(house.dir, "apply", path.join(house.dir, "keys.toml"));
});
after(stopEverything);

const basic = (client) => ({ authorization: `Basic ${Buffer.from(`${client}:${SECRET}`).toString("base64")}` });
const kidOf = (token) => JSON.parse(Buffer.from(token.split(".")[0], "base64url")).kid;
const keys = () => JSON.parse(command(house.dir, "keys", "list", "--json"));
const key = (state) => keys().find((key) => key.alg === "ES256" && key.state === state).kid;

/** A token that the app gets for itself. */
async function token(client) {
  const form = { grant_type: "client_credentials", scope: "notes:read", resource: "https://api.shop.test" };
  const answer = await post(`${house.issuer}/oauth2/token`, house.ca, form, basic(client));
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return answer.body.access_token;
}

const lives = async (token) => (await post(`${house.issuer}/oauth2/introspect`, house.ca, { token }, basic("web"))).body.active;

/** Fetches the key set as an app's back end does. */
function keySet(client) {
  const options = { lookup: local, ca: fs.readFileSync(house.ca), headers: { "user-agent": "back-office/2.3" } };
  return new Promise((done, failed) => {
    https.get(`${house.issuer}/.well-known/jwks.json?app=${client}`, options, (answer) => {
      answer.resume();
      answer.on("end", () => done(answer.statusCode));
    }).on("error", failed);
  });
}

/** Until it is so. */
async function until(what, holds) {
  for (let attempt = 0; attempt < 600; attempt++) {
    if (await holds()) return;
    await new Promise((done) => setTimeout(done, 100));
  }
  assert.fail(`never: ${what}`);
}

test("an admin sees who lags, tries a key, turns it all the same, and throws the old one out", async () => {
  await until("keys turn by themselves", () => keys().filter((key) => key.state === "retiring").length >= 2);
  // An app at work, which checks tokens of both kinds. It has the keys of now; after the turn there are new ones, and it does not
  // come back for them.
  const pending = () => keys().filter((key) => key.state === "pending");
  const waits = (key) => key.waiting_for.includes("web");
  await token("web");
  await until("both turns wait for the app", () => pending().every(waits));
  const known = pending().map((key) => key.kid);
  assert.equal(await keySet("web"), 200);
  await until("both have turned, and wait again", () => pending().every((key) => waits(key) && !known.includes(key.kid)));
  const hers = await signedIn(house);
  const [old, next, before] = [key("active"), key("pending"), await token("reports")];
  assert.equal(kidOf(before), old);

  const context = await house.browser.newContext();
  const page = await context.newPage();
  await page.goto(`${house.issuer}/account`);
  await signInAt(page, "root", PASSWORD, { consent: false });
  await page.click("#to-admin");
  await page.click('nav a[href="/admin/keys"]');
  await page.locator('[data-waiting="ES256"]').waitFor();
  assert.equal(await page.locator("svg.turns").count(), 2);
  assert.equal(await page.locator(`[data-kid="${next}"]`).getAttribute("data-state"), "pending");
  for (const alg of ["ES256", "RS256"]) assert.match(await page.locator(`[data-waiting="${alg}"]`).innerText(), /\bweb\b/);
  assert.match(await page.locator('[data-app="web"]').innerText(), /Lacks the next key/);

  // The next key is tried on one app, and signs for no other.
  await page.click("#canary-ES256");
  await page.fill('input[name="current_password"]', PASSWORD);
  await page.click("#elevate-submit");
  await page.waitForURL("**/admin/keys/ES256/canary");
  await until("the key is old enough", async () => (await page.reload(), page.locator("#confirm").isVisible()));
  await page.fill("#client_id", "reports");
  await page.click("#confirm");
  await page.locator('[data-canary="reports"]').waitFor();
  // For the documentation, before the looks below take so long that the timeline has moved on.
  await page.goto(`${house.issuer}/admin/keys`);
  await page.setViewportSize({ width: 1280, height: 860 });
  await page.screenshot({ path: path.join(shots, "keys.png") });
  await look(page, "admin-keys");
  const tried = await token("reports");
  assert.deepEqual([kidOf(tried), kidOf(await token("web"))], [next, old]);
  assert.ok(await lives(tried));
  await page.click('[data-canary="reports"] a');
  await page.locator('[data-canary="reports"] button').waitFor();
  await look(page, "admin-key-canary-running");
  await page.fill("#client_id", "nobody");
  await page.click("#confirm");
  await page.locator("#form-error").waitFor();
  await look(page, "admin-key-canary-unknown");
  await page.click('[data-canary="reports"] button');
  await page.locator("#said").waitFor();
  assert.equal(await page.locator("[data-canary]").count(), 0);
  assert.equal(kidOf(await token("reports")), old);
  await page.click("#canary-ES256");
  await page.locator("#confirm").waitFor();
  await look(page, "admin-key-canary");
  await page.goBack();

  // Turned at once: the page says first whom that leaves behind.
  await page.click("#rotate-ES256");
  assert.match(await page.locator("#lagging").innerText(), /\bweb\b/);
  await look(page, "admin-key-rotate");
  await page.click("#confirm-now");
  await page.locator("#said").waitFor();
  assert.equal(await page.locator(`[data-kid="${next}"]`).getAttribute("data-state"), "active");
  assert.equal(await page.locator(`[data-kid="${old}"]`).getAttribute("data-state"), "retiring");
  assert.equal(kidOf(await token("reports")), next);
  assert.ok(await lives(before), "what the old key signed is good to its end");

  // Thrown out: what that means comes first, and the key's name is typed.
  await page.click(`[id="revoke-${old}"]`);
  await page.locator("#report").waitFor();
  assert.ok(Number(await page.locator("[data-live-tokens]").getAttribute("data-live-tokens")) >= 2);
  assert.equal(await page.locator("[data-people]").getAttribute("data-people"), "1");
  for (const app of ["reports", "spa"]) assert.match(await page.locator("#report").innerText(), new RegExp(`\\b${app}\\b`));
  await look(page, "admin-key-revoke");
  const reason = "It stood in the log of a build";
  await page.fill('input[name="reason"]', reason);
  await page.fill('input[name="kid"]', "yes");
  await page.click("#confirm");
  await page.locator("#form-error").waitFor();
  assert.equal(await page.inputValue('input[name="reason"]'), reason);
  await look(page, "admin-key-revoke-wrong");
  await page.fill('input[name="kid"]', old.slice(0, 8));
  await page.click("#confirm");
  await page.locator("#said").waitFor();
  const row = page.locator(`[data-kid="${old}"]`);
  assert.equal(await row.getAttribute("data-state"), "revoked");
  assert.ok((await row.innerText()).includes(reason));
  await look(page, "admin-keys-revoked");
  assert.equal(await lives(before), false);
  assert.ok(await lives(await token("reports")));
  await hers.page.reload();
  await hers.page.waitForFunction(() => document.getElementById("state")?.textContent === "signed-in");

  await page.goto(`${house.issuer}/admin/audit?about=${old}`);
  const entry = page.locator('[data-action="key.compromise"]');
  assert.equal(await entry.count(), 1);
  for (const words of ["root", reason]) assert.ok((await entry.innerText()).includes(words), words);
  await look(page, "admin-audit-key");
  await page.goto(`${house.issuer}/admin/audit?about=${next}`);
  const deeds = await page.locator("[data-action]").evaluateAll((rows) => rows.map((row) => row.dataset.action));
  for (const deed of ["key.canary", "key.canary_end", "key.activate"]) assert.ok(deeds.includes(deed), `${deed} of ${deeds}`);
  command(house.dir, "audit", "verify");
  await hers.context.close();
  await context.close();
});
