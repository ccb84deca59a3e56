// Every page: looked over by axe-core at three widths in light and dark, photographed, and used without scripts.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { challengeOf, PASSWORD, random, signInAt, stopEverything } from "./house.mjs";
import { look } from "./look.mjs";
import { shop } from "./shop.mjs";

let house;
before(async () => {
  house = await shop();
});
after(stopEverything);

const authorize = (extra = {}) => `${house.issuer}/oauth2/authorize?${new URLSearchParams({ client_id: "spa", response_type: "code",
  redirect_uri: `${house.origins.app}/callback`, scope: "openid profile email notes:read", state: random(),
  code_challenge: challengeOf(random()), code_challenge_method: "S256", ...extra })}`;

test("every page of a sign-in", async () => {
  const context = await house.browser.newContext();
  const page = await context.newPage();
  await page.goto(authorize());
  await page.locator("#login-submit").waitFor();
  assert.ok((await page.locator("body").innerText()).includes("Shop"), "it says for which app");
  await look(page, "sign-in");
  await page.fill('input[name="username"]', "alice");
  await page.fill('input[name="password"]', "not this one");
  await page.click("#login-submit");
  await page.locator("#form-error").waitFor();
  assert.equal(await page.inputValue('input[name="username"]'), "alice");
  assert.equal(await page.inputValue('input[name="password"]'), "");
  await look(page, "sign-in-wrong");
  await page.fill('input[name="password"]', PASSWORD);
  await page.click("#login-submit");
  await page.locator("#consent-accept").waitFor();
  const text = await page.locator("body").innerText();
  for (const word of ["Shop", "alice@example.com", "Alice Liddell", "app.shop.test"]) assert.ok(text.includes(word), word);
  assert.equal(await page.locator("#client-name").innerText(), "Shop");
  await look(page, "consent");
  await page.click("#consent-deny");
  await page.waitForURL(`${house.origins.app}/callback?error=access_denied**`);
  await page.goto(authorize({ prompt: "login" }));
  await page.locator("#login-submit").waitFor();
  await look(page, "sign-in-again");
  await page.goto(authorize({ prompt: "select_account" }));
  await page.locator("#choose-continue").waitFor();
  await look(page, "choose-account");
  await page.goto(`${house.issuer}/oauth2/authorize?client_id=nobody`);
  await page.locator("#error-page").waitFor();
  assert.match(await page.locator("#request-id").innerText(), /[\w-]{22}/);
  await look(page, "error");
  await context.close();
});

test("every page of the account", async () => {
  const context = await house.browser.newContext();
  const page = await context.newPage();
  await page.goto(authorize());
  await signInAt(page, "alice", PASSWORD);
  await page.waitForURL(`${house.origins.app}/**`);
  await page.goto(`${house.issuer}/`);
  await page.waitForURL(`${house.issuer}/account`);
  await look(page, "account");
  await page.goto(`${house.issuer}/account/password`);
  await page.click("#password-submit");
  await look(page, "account-password");
  await page.goto(`${house.issuer}/account/sessions`);
  assert.ok(await page.locator("[data-session]").count() >= 1);
  await look(page, "account-sessions");
  await page.goto(`${house.issuer}/account/apps`);
  assert.equal(await page.locator("[data-app]").count(), 1);
  await look(page, "account-apps");
  await page.locator('[data-app] a[href*="withdraw"]').click();
  await page.locator("#withdraw-confirm").waitFor();
  await look(page, "account-withdraw");
  await page.click("#withdraw-confirm");
  await page.waitForURL(`${house.issuer}/account/apps**`);
  assert.equal(await page.locator("[data-app]").count(), 0);
  await look(page, "account-apps-empty");
  await page.goto(`${house.issuer}/logout`);
  await page.locator("#logout-confirm").waitFor();
  await look(page, "sign-out");
  await page.click("#logout-confirm");
  await page.locator("#signed-out").waitFor();
  await look(page, "signed-out");
  await context.close();
});

test("the first admin's page, once", async () => {
  const link = fs.readFileSync(path.join(house.dir, "../setup-link.txt"), "utf8").trim();
  assert.equal(fs.statSync(path.join(house.dir, "../setup-link.txt")).mode & 0o777, 0o600);
  const context = await house.browser.newContext();
  const page = await context.newPage();
  await page.goto(link);
  await look(page, "setup");
  for (const [name, value] of [["username", "root"], ["name", "Rosa Root"], ["email", "root@example.com"], ["new_password", PASSWORD], ["repeat_password", PASSWORD]]) {
    await page.fill(`input[name="${name}"]`, value);
  }
  await page.click("#setup-submit");
  await signInAt(page, "root", PASSWORD, { consent: false });
  await page.waitForURL(`${house.issuer}/account`);
  await page.goto(link);
  await page.locator("#setup-invalid").waitFor();
  await look(page, "setup-invalid");
  await context.close();
});

test("without scripts: sign-in, consent, account, sign-out", async () => {
  const context = await house.browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto(authorize({ prompt: "consent" }));
  await signInAt(page, "mallory", PASSWORD);
  await page.waitForURL(`${house.origins.app}/callback?code=fd_ac_**`);
  await page.goto(`${house.issuer}/account/sessions`);
  assert.equal(await page.locator("[data-session]").count(), 1);
  await page.goto(`${house.issuer}/logout`);
  await page.click("#logout-confirm");
  await page.locator("#signed-out").waitFor();
  await context.close();
});

test("the sign-in page by keyboard alone", async () => {
  const context = await house.browser.newContext();
  const page = await context.newPage();
  await page.goto(`${house.issuer}/login`);
  await page.locator('input[name="username"]').focus();
  await page.keyboard.type("mallory");
  await page.keyboard.press("Tab");
  await page.locator('input[name="password"]').focus();
  await page.keyboard.type(PASSWORD);
  await page.keyboard.press("Enter");
  await page.waitForURL(`${house.issuer}/account`);
  await context.close();
});
