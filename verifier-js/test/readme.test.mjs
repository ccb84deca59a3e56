// The programs in the README, as they stand there, with the addresses of this run.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { until } from "./support/clock.mjs";
import { AUDIENCE } from "./support/issuer.mjs";
import { IssuerServer } from "./support/server.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
let issuer;
let folder;
before(async () => {
  issuer = await IssuerServer.start();
  folder = mkdtempSync(join(tmpdir(), "frontdesk-verifier-"));
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(root, join(folder, "node_modules", "frontdesk-verifier"));
});
after(async () => {
  await issuer.stop();
  rmSync(folder, { recursive: true });
});

/** Writes down the block whose first line names the file. */
function program(name, changes = {}) {
  const blocks = [...readFileSync(join(root, "README.md"), "utf8").matchAll(/^```js\n([\s\S]*?)^```/gm)].map(([, body]) => body);
  const found = blocks.filter((body) => body.startsWith(`// ${name}\n`));
  assert.equal(found.length, 1, `${found.length} blocks are named ${name}`);
  let text = found[0];
  for (const [from, to] of Object.entries({ "https://id.example.com": issuer.address, ...changes })) {
    assert.ok(text.includes(from), from);
    text = text.replaceAll(from, to);
  }
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

test("the whole API", async () => {
  const port = await freePort();
  const child = spawn(process.execPath, [program("api.mjs", { "8082, \"localhost\"": `${port}, "127.0.0.1"` })], { stdio: "inherit" });
  try {
    const ask = (headers) => fetch(`http://127.0.0.1:${port}/notes`, { headers });
    await until(async () => {
      assert.equal(child.exitCode, null, "it ended");
      return ask({}).then(() => true, () => false);
    }, "it answers");
    const good = await ask({ authorization: `Bearer ${issuer.token(1)}` });
    assert.deepEqual([good.status, await good.text()], [200, "The notes of user-1"]);
    const none = await ask({});
    assert.deepEqual([none.status, none.headers.get("www-authenticate")], [401, `Bearer realm="${AUDIENCE}"`]);
    assert.equal((await ask({ authorization: `Bearer ${issuer.token(1, { scope: "x" })}` })).status, 403);
  } finally {
    child.kill();
    await once(child, "exit");
  }
});

test("the worker", async () => {
  const { default: worker } = await import(pathToFileURL(program("worker.mjs")));
  const ask = (headers) => worker.fetch(new Request("https://api.example.com/notes", { headers }));
  assert.equal(await (await ask({ authorization: `Bearer ${issuer.token(1)}` })).text(), "The notes of user-1");
  assert.equal((await ask({})).status, 401);
});

test("the careful one", async () => {
  process.env.CLIENT_SECRET = "secret";
  const listeners = process.listenerCount("SIGTERM");
  const { verifier } = await import(pathToFileURL(program("careful.mjs")));
  assert.equal(process.listenerCount("SIGTERM"), listeners + 1);
  issuer.revoked = [5];
  assert.equal((await verifier.verify(issuer.token(1))).subject, "user-1");
  await assert.rejects(verifier.verify(issuer.token(5)), { reason: "revoked" });
  await assert.rejects(verifier.verify(issuer.token(1, { status: undefined })), { reason: "status_missing" });
  await until(() => verifier.metrics().stream.state === "open");
  process.removeAllListeners("SIGTERM");
  verifier.close();
});
