// One line per check, and an exit status that cannot be overlooked.
import { setTimeout } from 'node:timers/promises';

/**
 * A suite of flows. A flow is a story: its first failing check ends it, since the rest of the story rests on it.
 * @param {string} name
 */
export function suite(name) {
    let failed = 0;
    const seen = new WeakSet();
    const report = (what, error) => {
        failed += 1;
        console.log(`FAIL ${name}: ${what}: ${describe(error)}`);
    };
    return {
        /**
         * @param {string} flow
         * @param {(check: <T>(what: string, body: () => Promise<T> | T) => Promise<T>) => Promise<void>} story
         */
        async flow(flow, story) {
            const check = async (what, body) => {
                try {
                    const value = await body();
                    console.log(`ok   ${name}: ${flow}: ${what}`);
                    return value;
                } catch (error) {
                    const known = error instanceof Error ? error : new Error(String(error));
                    report(`${flow}: ${what}`, known);
                    seen.add(known);
                    throw known;
                }
            };
            try {
                await story(check);
            } catch (error) {
                if (!(error instanceof Error && seen.has(error))) report(flow, error);
            }
        },
        /** Ends the process. */
        end() {
            process.exit(failed === 0 ? 0 : 1);
        },
    };
}

/** Waits until it is so. Nothing is said about how long that takes, but it must come. */
export async function until(isSo) {
    for (let turn = 0; turn < 60; turn += 1) {
        if (await isSo()) return;
        await setTimeout(500);
    }
    throw new Error('it does not come');
}

function describe(error) {
    if (!(error instanceof Error)) return String(error);
    const parts = [error.message];
    for (const member of ['code', 'error', 'error_description', 'status']) {
        if (error[member] !== undefined) parts.push(`${member}=${error[member]}`);
    }
    if (error.cause) parts.push(`cause: ${error.cause instanceof Error ? error.cause.message : JSON.stringify(error.cause)}`);
    return parts.join('; ').replaceAll('\n', ' ');
}
