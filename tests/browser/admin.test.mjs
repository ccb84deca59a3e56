// The admin's room in a browser: looked at, and used.
import assert from "node:assert/strict";
import path from "node:path";
import { after, before, test } from "node:test";
import { command, PASSWORD, signInAt, stopEverything, write } from "./house.mjs";
import { look } from "./look.mjs";
import { shop, signedIn } from "./shop.mjs";

const LONG = "Wolfeschlegelsteinhausenbergerdorff-Österreichischer von und zu Guttenberg";
let house;

before(async () => {
  house = await shop();
  const people = Array.from({ length: 55 }, (_, at) => `
[[users]]
username = "person-${String(at).padStart(2, "0")}"
`).join("");
  write(path.join(house.dir, "admin.toml"), `
[[users]]
username = "root"
password = "${PASSWORD}"
roles = ["admin"]
[users.claims]
name = "Rosa Root"
[[users]]
username = "wolfeschlegelsteinhausenbergerdorff.oesterreichischer@department.example.com"
email = "wolfeschlegelsteinhausenbergerdorff.oesterreichischer@department.example.com"
[users.claims]
name = "${LONG}"
${people}
[[clients]]
client_id = "a-very-long-client-id-of-an-app-that-somebody-made-by-a-program-0123456789abcdef"
client_name = "${LONG} <b>&amp;</b>"
application_type = "service"
scope = "notes:read"
`);
  command(house.dir, "apply", path.join(house.dir, "admin.toml"));
});
after(stopEverything);

/** A window of the admin, at this page. */
async function admin(at, options = {}) {
  const context = await house.browser.newContext(options);
  const page = await context.newPage();
  await page.goto(`${house.issuer}${at}`);
  await signInAt(page, "root", PASSWORD, { consent: false });
  await page.waitForURL(`${house.issuer}${at}`);
  return { context, page };
}

async function elevate(page) {
  await page.locator("#elevate-submit").waitFor();
  await page.fill('input[name="current_password"]', PASSWORD);
  await page.click("#elevate-submit");
}

test("an admin signs a person out and finds it in the audit", async () => {
  const hers = await signedIn(house);
  const { context, page } = await admin("/admin");
  await look(page, "admin-overview");
  await page.click('nav a[href="/admin/people"]');
  assert.equal(await page.locator("[data-person]").count(), 50);
  await look(page, "admin-people");
  await page.click("#next");
  assert.equal(await page.locator("[data-person]").count(), 9);
  await page.fill('input[name="find"]', "ALICE");
  await page.click('form[role="search"] button');
  await page.click('[data-person="alice"] a');
  await page.locator("[data-session]").waitFor();
  assert.equal(await page.locator("[data-session]").count(), 1);
  assert.equal(await page.locator("[data-app]").count(), 1);
  await look(page, "admin-person");
  await page.click('a[href$="/sign-out"]');
  await page.locator("#elevate-submit").waitFor();
  await page.click("#elevate-submit");
  await page.locator("#form-error").waitFor();
  await look(page, "admin-elevate");
  await elevate(page);
  // On to what was wanted: it asks, and says what will happen.
  await page.locator("#confirm").waitFor();
  await look(page, "admin-confirm");
  await page.click("#confirm");
  await page.locator("#notice").waitFor();
  assert.equal(await page.locator("[data-session]").count(), 0);
  await look(page, "admin-person-signed-out");
  await hers.page.reload();
  await hers.page.waitForFunction(() => document.getElementById("state")?.textContent === "signed-out");
  await hers.context.close();
  await page.click('.more a[href*="/admin/audit"]');
  assert.equal(await page.locator('[data-action="sessions.end"]').count(), 1);
  assert.ok((await page.locator('[data-action="sessions.end"]').innerText()).includes("root"), "it says by whom");
  await look(page, "admin-audit");
  await page.goto(`${house.issuer}/admin/audit?action=nothing`);
  await look(page, "admin-audit-none");
  // Signed out, the room is closed.
  await page.click("#sign-out");
  await page.locator("#logout-confirm, #signed-out").first().waitFor();
  await page.goto(`${house.issuer}/admin/people`);
  await page.locator("#login-submit").waitFor();
  await context.close();
});

test("apps, sessions and the last admin, without scripts", async () => {
  const { context, page } = await admin("/admin/apps", { javaScriptEnabled: false });
  assert.ok(await page.locator("[data-app]").count() >= 4);
  await page.click('[data-app="spa"] a');
  await page.click('a[href$="/disable"]');
  await elevate(page);
  await page.click("#confirm");
  assert.ok((await page.locator("#notice").innerText()).length > 0);
  await page.click('a[href$="/enable"]');
  await page.click("#confirm");
  await page.locator("#notice").waitFor();
  await page.goto(`${house.issuer}/admin/people?find=root`);
  await page.click('[data-person="root"] a');
  await page.click('a[href$="/unmake-admin"]');
  await page.click("#confirm");
  await page.locator("#form-error").waitFor();
  await page.goto(`${house.issuer}/admin/sessions`);
  assert.equal(await page.locator("[data-session][data-current]").count(), 1);
  await context.close();
});

test("the other pages, and long names", async () => {
  const { context, page } = await admin("/admin/apps");
  await look(page, "admin-apps");
  await page.click('[data-app^="a-very-long"] a');
  await page.locator("#actions").waitFor();
  await look(page, "admin-app-long");
  await page.goto(`${house.issuer}/admin/apps/spa`);
  await look(page, "admin-app");
  await page.goto(`${house.issuer}/admin/sessions`);
  await look(page, "admin-sessions");
  await page.goto(`${house.issuer}/admin/people?find=wolfe`);
  await look(page, "admin-people-long");
  await page.click("[data-person] a");
  await look(page, "admin-person-long");
  await page.goto(`${house.issuer}/admin/people?find=nobody`);
  await look(page, "admin-people-none");
  await page.goto(`${house.issuer}/admin/people/nobody`);
  await page.locator("#error-page").waitFor();
  await look(page, "admin-not-found");
  // Who is no admin sees that this is so, and nothing else.
  const other = await house.browser.newContext();
  const theirs = await other.newPage();
  await theirs.goto(`${house.issuer}/admin`);
  await signInAt(theirs, "mallory", PASSWORD, { consent: false });
  await theirs.locator("#error-page").waitFor();
  await look(theirs, "admin-forbidden");
  await other.close();
  await context.close();
});
