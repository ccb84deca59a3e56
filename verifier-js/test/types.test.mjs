// The types say what the package is.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import * as everything from "frontdesk-verifier";

const root = new URL("..", import.meta.url).pathname;

test("the types fit a program that uses everything, and refuse what is wrong", () => {
  const tsc = [`${root}node_modules/typescript/bin/tsc`, "--project", `${root}test/types`];
  try {
    execFileSync(process.execPath, tsc, { encoding: "utf8" });
  } catch (error) {
    assert.fail(error.stdout);
  }
});

test("the types name exactly what the package gives", () => {
  const types = readFileSync(`${root}src/index.d.ts`, "utf8");
  const declared = [...types.matchAll(/^export (?:declare )?(?:function|class|const) (\w+)/gm)].map(([, name]) => name);
  assert.deepEqual(declared.sort(), Object.keys(everything).sort());
});

test("the only dependency is jose, and nothing needs Node.js", () => {
  const imported = readdirSync(`${root}src`)
    .filter((name) => name.endsWith(".js"))
    .flatMap((name) => [...readFileSync(`${root}src/${name}`, "utf8").matchAll(/\bfrom "([^.][^"]*)"/g)].map(([, from]) => from));
  assert.deepEqual([...new Set(imported)], ["jose"]);
  const { dependencies, license } = JSON.parse(readFileSync(`${root}package.json`, "utf8"));
  assert.deepEqual([Object.keys(dependencies), license], [["jose"], "MIT OR Apache-2.0"]);
});
