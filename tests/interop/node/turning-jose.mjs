// npm jose, checking tokens again and again while keys turn: `turning-jose.mjs SECONDS`, for how long the key set may be kept. What it
// reads and prints is described in turning_suite.py.
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';

const MARGIN = 2;
const kept = Number(process.argv[2]);
const sets = new Map();
const now = () => Date.now() / 1000;
let checked = 0;

/** The keys of an issuer. An unknown key is no reason to ask: only a set that may not be kept any longer is. */
function keysOf(issuer) {
    if (!sets.has(issuer)) {
        const options = { cacheMaxAge: kept * 1000, cooldownDuration: Infinity };
        sets.set(issuer, createRemoteJWKSet(new URL('/.well-known/jwks.json', issuer), options));
    }
    return sets.get(issuer);
}

async function watch(issuer, audience, token, exp) {
    const life = exp - now();
    const { alg } = decodeProtectedHeader(token);
    let waited = 0;
    for (const at of [0, 2, life / 2, life - MARGIN]) {
        await sleep(Math.max(at - waited, 0) * 1000);
        waited = at;
        if (now() > exp - MARGIN / 4) return;
        checked += 1;
        try {
            await jwtVerify(token, keysOf(issuer), { issuer, audience, typ: 'at+jwt', algorithms: [alg] });
        } catch (error) {
            console.log(`refused ${token} ${error.code ?? ''} ${error.message}`.replaceAll('\n', ' '));
            return;
        }
    }
}

const watching = [];
for await (const line of createInterface({ input: process.stdin })) {
    const [issuer, audience, token, exp] = line.split(' ');
    watching.push(watch(issuer, audience, token, Number(exp)));
}
await Promise.all(watching);
console.log(`checked ${checked}`);
