// Makes the vectors beside it: `node make.mjs`. The private keys live only while it runs.
import { writeFileSync } from "node:fs";
import { accessTokens } from "./make/access-tokens.mjs";
import { keySets } from "./make/key-sets.mjs";
import { audience, issuer, now, publicKeys } from "./make/issuer.mjs";
import { statusChecks } from "./make/status-checks.mjs";
import { statusLists } from "./make/status-lists.mjs";

const common = { issuer, audience, now, leeway: 30, algorithms: ["ES256", "RS256"], jwks: { keys: publicKeys } };

for (const [name, { about, ...rest }] of Object.entries({
  "access-tokens": accessTokens(),
  "status-lists": statusLists(),
  "status-checks": statusChecks(),
  "key-sets": keySets(),
})) {
  const names = rest.cases.map((each) => each.name);
  const twice = names.find((each, index) => names.indexOf(each) !== index);
  if (twice !== undefined) throw new Error(`${name}: two cases are named ${twice}`);
  writeFileSync(new URL(`${name}.json`, import.meta.url), `${JSON.stringify({ about, ...common, ...rest }, null, 1)}\n`);
  console.log(`${name}.json: ${names.length} cases`);
}
