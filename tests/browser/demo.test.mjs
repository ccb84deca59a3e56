// The story of the README in real Chromium, on `frontdesk demo`.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, test } from "node:test";
import { chrome, demo, recordBodies, root, signInAt, stopEverything } from "./house.mjs";

after(stopEverything);

const shots = path.join(root, "target/screenshots");
const result = async (page) => JSON.parse(await page.locator("#result").innerText());
const settled = (page, state) => page.waitForFunction((state) => document.getElementById("status").dataset.state === state, state);

async function press(page, id) {
  await page.locator("#result").evaluate((node) => { node.dataset.state = "idle"; });
  await page.click(id);
  await page.waitForFunction(() => ["ok", "error"].includes(document.getElementById("result").dataset.state));
  return result(page);
}

/** The API hears of a revocation by the status list, which it asks for every ten seconds. Until then it takes the token. */
async function refusedByTheApi(page, token) {
  const { exp } = JSON.parse(Buffer.from(token.split(".")[1], "base64url"));
  const { api } = await page.evaluate(async () => (await fetch("/config.json")).json());
  const status = () => page.evaluate(async ([api, token]) => (await fetch(`${api}/notes`, { headers: { authorization: token } })).status, [api, token]);
  for (;;) {
    const seen = await status();
    if (seen === 401) break;
    assert.equal(seen, 200);
    await page.waitForTimeout(500);
  }
  assert.ok(exp * 1000 > Date.now(), "its time is not over");
}

/** The app in a browser in which the person has signed in. `token` is the last access token that went to the API. */
async function signedIn(house, context, bodies = []) {
  const [alice] = house.users;
  const page = await context.newPage();
  recordBodies(page, bodies);
  let token;
  page.on("request", (request) => { if (request.url().startsWith(house.api)) token = request.headers().authorization ?? token; });
  await page.goto(house.app);
  await settled(page, "signed-out");
  await page.click("#sign-in");
  await signInAt(page, alice.username, alice.password);
  await settled(page, "signed-in");
  return { page, token: () => token };
}

/** Ends the session of one browser in another. */
async function twoBrowsers(house, browser) {
  const open = async () => {
    const app = await signedIn(house, await browser.newContext());
    assert.equal((await press(app.page, "#call-api")).status, 200);
    return app;
  };
  const [here, there] = [await open(), await open()];
  const account = await here.page.context().newPage();
  await account.goto(`${house.issuer}/account/apps`);
  await account.locator("[data-app]").first().waitFor();
  await account.goto(`${house.issuer}/account/sessions`);
  const row = account.locator("[data-session]:not([data-current])");
  assert.equal(await row.count(), 1);
  await row.getByRole("button").click();
  await account.locator("[data-session]").first().waitFor();
  assert.equal(await account.locator("[data-session]").count(), 1);
  await refusedByTheApi(there.page, there.token());
  const ended = await press(there.page, "#call-api");
  assert.notEqual(ended.status, 200, JSON.stringify(ended));
  assert.equal((await press(here.page, "#call-api")).status, 200, "the other session goes on");
}

async function story(house, browser, prefix) {
  const context = await browser.newContext();
  const bodies = [];
  const { page, token } = await signedIn(house, context, bodies);
  const held = await context.cookies(house.issuer);
  const refresh = held.find((cookie) => cookie.name.startsWith(`${prefix}rt.`));
  assert.ok(refresh?.httpOnly && refresh.sameSite === "Strict", JSON.stringify(held.map(({ name }) => name)));
  assert.equal(await page.evaluate(() => document.cookie), "");
  assert.equal(await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }])), "[{},{}]");
  const called = await press(page, "#call-api");
  assert.deepEqual([called.ok, called.status], [true, 200]);
  const refreshed = await press(page, "#refresh");
  assert.equal(refreshed.ok, true);
  const turned = (await context.cookies(house.issuer)).find((cookie) => cookie.name.startsWith(`${prefix}rt.`));
  assert.notEqual(turned.value, refresh.value);
  const second = await context.newPage();
  await second.goto(house.app);
  await settled(second, "signed-in");
  const userinfo = (value) => page.evaluate(async ([issuer, value]) => (await fetch(`${issuer}/oauth2/userinfo`, { headers: { authorization: value } })).status, [house.issuer, value]);
  await press(page, "#call-api");
  assert.equal(await userinfo(token()), 200);
  fs.mkdirSync(shots, { recursive: true });
  for (const [width, colorScheme] of [[1280, "light"], [1280, "dark"], [320, "light"], [320, "dark"]]) {
    await page.setViewportSize({ width, height: 900 });
    await page.emulateMedia({ colorScheme });
    await page.screenshot({ path: path.join(shots, `demo-${width}-${colorScheme}.png`) });
  }
  await page.setViewportSize({ width: 1280, height: 900 });
  await page.click("#sign-out");
  await settled(page, "signed-out");
  await settled(second, "signed-out");
  const after = await press(page, "#refresh");
  assert.equal(after.error, "invalid_grant");
  assert.equal(await userinfo(token()), 401);
  await refusedByTheApi(page, token());
  const refused = await press(page, "#call-api");
  assert.equal(refused.status, 401, "the API refuses the token that has not expired");
  const text = (await Promise.all(bodies)).join("\n");
  assert.ok(text.includes("access_token") && !text.includes("fd_rt_"));
  await context.close();
}

test("the whole story on localhost", async () => {
  const house = await demo();
  await story(house, await chrome(), "dev-");
});

test("a session that ends in one browser ends in the other, and the API hears of it", async () => {
  await twoBrowsers(await demo(), await chrome());
});

test("the whole story under demo.localhost, with the real cookie names", async () => {
  const house = await demo("--site", "demo.localhost");
  assert.match(house.issuer, /^http:\/\/id\.demo\.localhost:/);
  await story(house, await chrome(), "__Host-Http-");
});
