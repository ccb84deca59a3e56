// The browser app of the README in real Chromium: the page as it stands there, with the addresses of this run.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, test } from "node:test";
import { chrome, command, folder, freePort, PASSWORD, root, serve, signInAt, site, stopEverything, write } from "./house.mjs";

after(stopEverything);

/** The block of the README whose first lines name the file. */
function block(name) {
  const text = fs.readFileSync(path.join(root, "README.md"), "utf8");
  const blocks = [...text.matchAll(/^```\w+\n([\s\S]*?)^```/gm)].map(([, body]) => body);
  const found = blocks.filter((body) => body.split("\n", 2).some((line) => [`# ${name}`, `<!-- ${name} -->`].includes(line)));
  assert.equal(found.length, 1, `${found.length} blocks are named ${name}`);
  return found[0];
}

test("signs in, calls the API, survives a reload, signs out", async () => {
  const dir = folder();
  const [provider, page] = [await freePort(), { body: "" }];
  const app = await site(null, { "/": (_, response) => { response.setHeader("content-type", "text/html"); response.end(page.body); } });
  const seen = [];
  const api = await site(null, {
    "/notes": (request, response) => {
      response.setHeader("access-control-allow-origin", `http://localhost:${app}`);
      response.setHeader("access-control-allow-headers", "authorization");
      if (request.headers.authorization) seen.push(request.headers.authorization);
      response.end("Buy tea");
    },
  });
  const here = (text) => text.replaceAll("localhost:8080", `localhost:${provider}`).replaceAll("localhost:5173", `localhost:${app}`)
    .replaceAll("localhost:4000", `localhost:${api}`);
  page.body = here(block("index.html"));
  write(path.join(dir, "config.toml"), `[server]\nissuer = "http://localhost:${provider}"\nlisten = "localhost:${provider}"\n`);
  write(path.join(dir, "apps.toml"), here(block("apps.toml")));
  write(path.join(dir, "people.toml"), `[[users]]\nusername = "alice"\npassword = "${PASSWORD}"\n`);
  command(dir, "apply", path.join(dir, "apps.toml"));
  command(dir, "apply", path.join(dir, "people.toml"));
  await serve(dir, `http://localhost:${provider}/readyz`);

  const context = await (await chrome()).newContext();
  const tab = await context.newPage();
  const says = (start) => tab.waitForFunction((start) => document.getElementById("who").textContent.startsWith(start), start);
  await tab.goto(`http://localhost:${app}/`);
  await says("Nobody");
  await tab.click("#sign-in");
  await signInAt(tab, "alice", PASSWORD);
  await says("Signed in: ");
  assert.equal(tab.url(), `http://localhost:${app}/`);
  await tab.click("#fetch");
  await tab.waitForFunction(() => document.getElementById("notes").textContent === "200 Buy tea");
  assert.match(seen.at(-1), /^Bearer ey/);
  await tab.reload();
  await says("Signed in: ");
  assert.equal(await tab.evaluate(() => document.cookie + JSON.stringify([{ ...localStorage }, { ...sessionStorage }])), "[{},{}]");
  await tab.click("#sign-out");
  await says("Nobody");
  await tab.reload();
  await says("Nobody");
});
