// npm express-openid-connect receives our logout tokens: the sessions of an app end when those at the provider do, and no others.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { decodeJwt, decodeProtectedHeader, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose';
import { Browser } from './browser.mjs';
import { apps, serve } from './express-apps.mjs';
import { settings } from './settings.mjs';
import { suite, until } from './suite.mjs';

const tests = suite('express-openid-connect');
const EVENT = 'http://schemas.openid.net/event/backchannel-logout';
await serve();

/** A person's browser at an app. */
class Visitor {
    constructor(app, browser = new Browser()) {
        this.app = app;
        this.browser = browser;
    }

    /** What the page for people who are signed in says, or where else it sends the browser. */
    async open() {
        const response = await this.browser.request(new URL(`${this.app.address}/page`));
        if (response.status === 200) return { page: await response.json() };
        assert.equal(response.status, 302, await response.clone().text());
        return { to: new URL(response.headers.get('location')) };
    }

    async signIn() {
        const { to } = await this.open();
        assert.ok(to, 'signed in already');
        const { url, pages } = await this.browser.act(to);
        const back = await this.browser.request(url);
        assert.equal(back.status, 302, await back.clone().text());
        assert.equal(new URL(back.headers.get('location'), url).pathname, `/${this.app.id}/page`);
        const { page } = await this.open();
        assert.ok(page, 'not signed in');
        return { asked: to.searchParams, pages, page };
    }

    async isIn() {
        return (await this.open()).page !== undefined;
    }

    async mustBeIn() {
        assert.ok(await this.isIn(), 'the session in the app has ended');
    }

    /** The next request is sent to the sign-in. */
    async mustBeOut() {
        const { to } = await this.open();
        assert.ok(to, 'the session in the app lives on');
        assert.equal(to.origin + to.pathname, `${settings.issuer}/oauth2/authorize`);
    }
}

/** Does what ends sessions, and waits for the logout tokens that the app's library has accepted because of it, of sessions with these `sid`. */
async function told(app, sids, act) {
    const before = app.heard.length;
    await act();
    await until(() => sids.every((sid) => app.heard.slice(before).some(({ token }) => decodeJwt(token).sid === sid)));
    const heard = app.heard.slice(before);
    for (const { status, type } of heard) assert.deepEqual([status, type], [204, 'application/x-www-form-urlencoded']);
    assert.deepEqual(heard.map(({ token }) => decodeJwt(token).sid).sort(), [...sids].sort(), 'somebody else is said to have left');
    return heard.map(({ token }) => token);
}

/** A logout token that somebody sends. */
async function post(app, token) {
    const response = await fetch(`${app.address}/backchannel-logout`, { method: 'POST', body: new URLSearchParams(token === undefined ? {} : { logout_token: token }) });
    return { status: response.status, text: await response.text() };
}

async function mustRefuse(app, token, reason) {
    const { status, text } = await post(app, token);
    assert.equal(status, 400, text);
    assert.match(text, reason);
}

/** By an admin. */
const signOut = (username) => promisify(execFile)(process.env.FRONTDESK, ['--config', 'config.toml', 'users', 'sign-out', username], { cwd: dirname(process.env.INTEROP_SETTINGS) });

for (const app of apps) {
    await tests.flow(`${app.clientId}, which ends by ${app.endsBy}`, async (check) => {
        const [first, second, other] = [new Visitor(app), new Visitor(app), new Visitor(app, new Browser(settings.other_username))];
        const sid = async (visitor) => (await visitor.open()).page.claims.sid;
        await check('sign-in through the library, with PKCE, state and nonce', async () => {
            const { asked, pages, page } = await first.signIn();
            assert.deepEqual(pages, ['login', 'consent']);
            assert.equal(asked.get('response_type'), 'code');
            assert.equal(asked.get('code_challenge_method'), 'S256');
            for (const name of ['code_challenge', 'state', 'nonce']) assert.ok(asked.get(name), name);
            assert.deepEqual([page.claims.iss, page.claims.aud], [settings.issuer, app.clientId]);
            assert.equal(decodeProtectedHeader(page.id_token).alg, app.alg);
            assert.deepEqual([page.info.name, page.info.email, page.info.sub], ['Alice Liddell', 'alice@example.com', page.claims.sub]);
        });
        await check('her second browser, and another person', async () => {
            await second.signIn();
            const { page } = await other.signIn();
            assert.equal(page.info.name, 'Bob Carroll');
            assert.equal(new Set([await sid(first), await sid(second), await sid(other)]).size, 3);
        });

        let left;
        await check('forged logout tokens are refused, and nobody is signed out', async () => {
            const { page } = await first.open();
            const { kid } = decodeProtectedHeader(page.id_token);
            const claims = { iss: settings.issuer, aud: app.clientId, sub: page.claims.sub, sid: page.claims.sid, jti: 'forged', events: { [EVENT]: {} } };
            const now = Math.floor(Date.now() / 1000);
            const { privateKey } = await generateKeyPair(app.alg);
            const forged = await new SignJWT({ ...claims, iat: now, exp: now + 120 }).setProtectedHeader({ alg: app.alg, typ: 'logout+jwt', kid }).sign(privateKey);
            await mustRefuse(app, forged, /signature verification failed/);
            await mustRefuse(app, new UnsecuredJWT(claims).setIssuedAt(now).setExpirationTime(now + 120).encode(), /not allowed/);
            await mustRefuse(app, page.id_token, /backchannel-logout event/);
            await mustRefuse(app, undefined, /Missing logout_token/);
            for (const visitor of [first, second, other]) await visitor.mustBeIn();
        });
        await check('she signs out at the provider: the library accepts our logout token, and her session in the app is gone', async () => {
            const { claims } = (await first.open()).page;
            [left] = await told(app, [claims.sid], () => first.browser.press(`${settings.issuer}/account`, 'sign-out'));
            const token = decodeJwt(left);
            assert.deepEqual([token.iss, token.aud, token.sub, token.events, token.nonce], [settings.issuer, app.clientId, claims.sub, { [EVENT]: {} }, undefined]);
            const { typ, alg } = decodeProtectedHeader(left);
            assert.deepEqual([typ, alg], ['logout+jwt', app.alg]);
            await first.mustBeOut();
        });
        const herOther = app.endsBy === 'sid' ? 'so does that of her other browser' : 'the library ends that of her other browser, since it goes by `sub` too';
        await check(`another person's session lives on, and ${herOther}`, async () => {
            await other.mustBeIn();
            if (app.endsBy === 'sid') await second.mustBeIn();
            else await second.mustBeOut();
        });
        await check('the same token with another signature, or for another app, is refused; sent again it is accepted', async () => {
            const [header, payload, signature] = left.split('.');
            const changed = Buffer.from(signature, 'base64url');
            changed[7] ^= 1;
            await mustRefuse(app, `${header}.${payload}.${changed.toString('base64url')}`, /signature verification failed/);
            const stranger = apps.find((one) => one !== app && one.alg === app.alg);
            if (stranger) await mustRefuse(stranger, left, /unexpected \\"aud\\" claim/);
            assert.equal((await post(app, left)).status, 204);
        });

        await check('she signs in again, and the old logout is forgotten', async () => {
            assert.deepEqual((await first.signIn()).pages, ['login', 'consent']);
            if (!(await second.isIn())) await second.signIn();
            for (const visitor of [first, second, other]) await visitor.mustBeIn();
        });
        await check('she ends the session of her other browser at the account page', async () => {
            await told(app, [await sid(second)], () => first.browser.press(`${settings.issuer}/account/sessions`, 'end-others'));
            await second.mustBeOut();
            await other.mustBeIn();
            if (app.endsBy === 'sid') await first.mustBeIn();
        });
        await check('an admin signs him out', async () => {
            if (!(await first.isIn())) await first.signIn();
            await told(app, [await sid(other)], () => signOut(settings.other_username));
            await other.mustBeOut();
            await first.mustBeIn();
        });

        const elsewhere = new Visitor(apps.find((one) => one !== app), first.browser);
        await check('sign-out through the library leads back, and the app she used besides is told', async () => {
            const { pages, page } = await elsewhere.signIn();
            assert.deepEqual(pages, ['consent']);
            const { id_token: hint, claims } = (await first.open()).page;
            const signOutHere = async () => {
                const start = await first.browser.request(new URL(`${app.address}/logout`));
                assert.equal(start.status, 302);
                const to = new URL(start.headers.get('location'));
                assert.equal(to.searchParams.get('id_token_hint'), hint);
                const { url, pages: seen } = await first.browser.act(to);
                assert.equal(url.href, app.address);
                assert.deepEqual(seen, ['logout']);
            };
            // The app that asked is told as well.
            await told(app, [claims.sid], () => told(elsewhere.app, [page.claims.sid], signOutHere));
            assert.equal((await first.browser.request(new URL(app.address))).status, 200);
            await first.mustBeOut();
            await elsewhere.mustBeOut();
        });
        await check('and the provider asks who she is', async () => {
            const { to } = await first.open();
            await assert.rejects(first.browser.act(to, { silent: true }), /a page where none may be: .*Sign in/);
        });
    });
}
tests.end();
