// What `tests/interop/run` registered.
import { readFileSync } from 'node:fs';

const path = process.env.INTEROP_SETTINGS;
if (!path) throw new Error('INTEROP_SETTINGS is not set: start the suites with tests/interop/run');

export const settings = JSON.parse(readFileSync(path, 'utf8'));

/** Every pair of an algorithm and what is registered for it. */
export const algorithms = ['ES256', 'RS256'].map((alg) => ({
    alg,
    id: alg.toLowerCase(),
    resource: `https://${alg.toLowerCase()}.api.example.com`,
    scope: `${alg.toLowerCase()}:read`,
}));

/** The algorithm that is not the given one. */
export const other = (alg) => algorithms.find((one) => one.alg !== alg);
