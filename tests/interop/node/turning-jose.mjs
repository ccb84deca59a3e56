// npm jose, checking tokens again and again while keys turn: `turning-jose.mjs SECONDS`, for how long the key set may be kept. What
// it reads and prints is described in turning_traffic.py.
import { setMaxListeners } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { createRemoteJWKSet, customFetch, decodeProtectedHeader, jwtVerify } from 'jose';

// Seconds between two checks of a token, before its end at which it is checked for the last time, and before a question that was
// not answered is put again.
const STEP = 30;
const MARGIN = 2;
const AGAIN = 0.5;
const kept = Number(process.argv[2]);
const sets = new Map();
const now = () => Date.now() / 1000;
const enough = new AbortController();
// Every token waits for it.
setMaxListeners(0, enough.signal);
let checked = 0;
let told = 0;

/** The keys of an issuer. An unknown key is no reason to ask: only a set that may not be kept any longer is. */
function keysOf(issuer) {
    if (!sets.has(issuer)) {
        const set = { asked: -Infinity };
        const timed = async (url, options) => {
            const asked = performance.now();
            const answer = await fetch(url, options);
            set.asked = asked;
            return answer;
        };
        const options = { cacheMaxAge: kept * 1000, cooldownDuration: Infinity, timeoutDuration: 30_000, [customFetch]: timed };
        set.keys = createRemoteJWKSet(new URL('/.well-known/jwks.json', issuer), options);
        sets.set(issuer, set);
    }
    return sets.get(issuer);
}

/** Waits until a moment, or until all is over; says when it comes late. */
async function until(at) {
    await sleep(Math.max(at - now(), 0) * 1000, undefined, { signal: enough.signal }).catch(() => {});
    const late = now() - at;
    if (late > 1 && now() - told > 1) {
        told = now();
        console.log(`late ${late.toFixed(1)}`);
    }
}

/** When a token is checked that has just come. */
function* moments(exp) {
    const came = now();
    const last = exp - MARGIN;
    yield came;
    yield came + 2;
    for (let at = came + STEP; at < last - MARGIN; at += STEP) yield at;
    yield last;
}

async function watch(issuer, audience, token, exp) {
    const { alg } = decodeProtectedHeader(token);
    const set = keysOf(issuer);
    for (const at of moments(exp)) {
        await until(at);
        const over = enough.signal.aborted;
        while (now() <= exp - MARGIN / 4) {
            try {
                await jwtVerify(token, set.keys, { issuer, audience, typ: 'at+jwt', algorithms: [alg] });
            } catch (error) {
                if (error.code === 'ERR_JWKS_TIMEOUT' || error.message === 'fetch failed') {
                    await sleep(AGAIN * 1000);
                    continue;
                }
                checked += 1;
                const age = (performance.now() - set.asked) / 1000;
                const why = `${error.code ?? ''} ${error.message}`.replaceAll('\n', ' ');
                console.log(`refused ${token} ${now().toFixed(3)} ${age.toFixed(3)} ${why}`);
                return;
            }
            checked += 1;
            break;
        }
        if (over) return;
    }
}

const watching = [];
for await (const line of createInterface({ input: process.stdin })) {
    if (line === 'enough') {
        enough.abort();
        continue;
    }
    const [issuer, audience, token, exp] = line.split(' ');
    watching.push(watch(issuer, audience, token, Number(exp)));
}
await Promise.all(watching);
console.log(`checked ${checked}`);
