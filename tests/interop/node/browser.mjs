// A browser without a window: cookies, redirects and forms, enough to sign in on pages that work without scripts.
import assert from 'node:assert/strict';
import { settings } from './settings.mjs';

const STEPS = 12;

export class Browser {
    #cookies = new Map();
    #username;

    /** Of a person; all of them have the same password. */
    constructor(username = settings.username) {
        this.#username = username;
    }

    /**
     * Opens an address of the issuer and acts as a person would (name and password, "allow", "sign out"), until the browser
     * would leave the issuer.
     * @param {URL | string} start
     * @param {{ silent?: boolean, deny?: boolean }} [how] `silent`: any page is a failure
     * @returns {Promise<{ url?: URL, post?: { action: string, fields: URLSearchParams }, pages: string[] }>}
     *   where it would go: an address, or a form sent to one
     */
    async act(start, how = {}) {
        const pages = [];
        let answer = await this.#load(new URL(start));
        for (let step = 0; step < STEPS; step += 1) {
            if (answer.left) return { url: answer.left, pages };
            const page = new Page(answer.html);
            const elsewhere = page.postsElsewhere();
            if (elsewhere) return { post: elsewhere, pages };
            assert.equal(answer.status, 200, `${answer.url} answered ${answer.status}: ${page.words()}`);
            assert.ok(!how.silent, `a page where none may be: ${page.words()}`);
            const { kind, form } = page.toFill(this.#username, how.deny === true);
            assert.ok(!(kind === 'login' && pages.includes('login')), `the sign-in was refused: ${page.words()}`);
            pages.push(kind);
            answer = await this.#submit(answer.url, form);
        }
        throw new Error(`still not back after ${STEPS} pages: ${pages.join(', ')}`);
    }

    /** Opens an address and reads the page that comes. */
    async page(start) {
        const answer = await this.#load(new URL(start));
        assert.ok(!answer.left, `left for ${answer.left}`);
        return { status: answer.status, html: answer.html };
    }

    /** Opens a page of the issuer and presses the button with this id. */
    async press(start, id) {
        const answer = await this.#load(new URL(start));
        assert.ok(!answer.left, `left for ${answer.left}`);
        const after = await this.#submit(answer.url, new Page(answer.html).press(id));
        assert.equal(after.status, 200, `${after.url} answered ${after.status}`);
    }

    /** One request, to whatever host: nothing is followed or filled in. All is `localhost`, and cookies know no ports (RFC 6265 section 8.5). */
    async request(url, init = {}) {
        const headers = { accept: 'text/html', 'accept-language': 'en', ...init.headers, ...this.#cookieHeader(url) };
        const response = await fetch(url, { ...init, redirect: 'manual', headers });
        this.#remember(response);
        return response;
    }

    async #submit(base, form) {
        const target = new URL(form.action || base, base);
        return this.#load(target, {
            method: 'POST',
            headers: {
                'content-type': 'application/x-www-form-urlencoded',
                origin: settings.issuer,
                referer: String(base),
                'sec-fetch-site': 'same-origin',
                'sec-fetch-mode': 'navigate',
                'sec-fetch-dest': 'document',
            },
            body: String(form.fields),
        });
    }

    /** Follows redirects within the issuer; `left` is the first address outside it. */
    async #load(url, init = {}) {
        let request = init;
        let from = url;
        for (let step = 0; step < STEPS; step += 1) {
            if (from.origin !== settings.issuer) return { left: from };
            const response = await this.request(from, request);
            const location = response.headers.get('location');
            if (response.status >= 300 && response.status < 400 && location) {
                assert.equal(response.status, 303, 'redirects are 303');
                await response.arrayBuffer();
                from = new URL(location, from);
                request = {};
                continue;
            }
            return { url: from, status: response.status, html: await response.text() };
        }
        throw new Error('too many redirects');
    }

    #cookieHeader(url) {
        const sent = [...this.#cookies.values()].filter(({ path }) => url.pathname === path || url.pathname.startsWith(path.endsWith('/') ? path : `${path}/`));
        return sent.length === 0 ? {} : { cookie: sent.map(({ name, value }) => `${name}=${value}`).join('; ') };
    }

    #remember(response) {
        for (const line of response.headers.getSetCookie()) {
            const [pair, ...attributes] = line.split(';').map((part) => part.trim());
            const at = pair.indexOf('=');
            const name = pair.slice(0, at);
            const attribute = (wanted) => attributes.map((one) => one.split('=')).find(([key]) => key.toLowerCase() === wanted)?.[1];
            const path = attribute('path') ?? '/';
            const gone = attribute('max-age') === '0' || Date.parse(attribute('expires') ?? '') < Date.now();
            if (gone) this.#cookies.delete(`${name} ${path}`);
            else this.#cookies.set(`${name} ${path}`, { name, value: pair.slice(at + 1), path });
        }
    }
}

class Page {
    constructor(html) {
        this.html = html;
        this.forms = [...html.matchAll(/<form\b([^>]*)>([\s\S]*?)<\/form>/gi)].map(([, head, body]) => ({
            action: attributes(head).action ?? '',
            fields: inputs(body),
            buttons: [...body.matchAll(/<button\b([^>]*)>/gi)].map(([, inside]) => attributes(inside)),
        }));
    }

    /** The self-submitting form of `response_mode=form_post`. */
    postsElsewhere() {
        const form = this.forms.find(({ action }) => /^https?:/.test(action) && new URL(action).origin !== settings.issuer);
        return form && { action: form.action, fields: form.fields };
    }

    /** The form of a button, filled as it came. */
    press(id) {
        for (const form of this.forms) {
            const button = form.buttons.find((one) => one.id === id);
            if (button) return pressed(form, button);
        }
        throw new Error(`no button ${id} on this page: ${this.words()}`);
    }

    toFill(username, deny) {
        for (const form of this.forms) {
            const button = (id) => form.buttons.find((one) => one.id === id);
            if (form.fields.has('username') && button('login-submit')) {
                form.fields.set('username', username);
                form.fields.set('password', settings.password);
                return { kind: 'login', form: pressed(form, button('login-submit')) };
            }
            const consent = button(deny ? 'consent-deny' : 'consent-accept');
            if (consent) return { kind: 'consent', form: pressed(form, consent) };
            const logout = button('logout-confirm');
            if (logout) return { kind: 'logout', form: pressed(form, logout) };
        }
        throw new Error(`nothing to do on this page: ${this.words()}`);
    }

    words() {
        return decode(this.html.replace(/<(script|style|head)\b[\s\S]*?<\/\1>/gi, ' ').replace(/<[^>]*>/g, ' '))
            .replace(/\s+/g, ' ')
            .trim()
            .slice(0, 400);
    }
}

function pressed(form, button) {
    if (button.name) form.fields.set(button.name, button.value ?? '');
    return { action: button.formaction ?? form.action, fields: form.fields };
}

function inputs(body) {
    const fields = new URLSearchParams();
    for (const [, inside] of body.matchAll(/<input\b([^>]*)>/gi)) {
        const input = attributes(inside);
        const tick = input.type === 'checkbox' || input.type === 'radio';
        if (!input.name || (tick && input.checked === undefined)) continue;
        fields.append(input.name, input.value ?? (tick ? 'on' : ''));
    }
    return fields;
}

function attributes(inside) {
    const found = {};
    for (const [, name, double, single, bare] of inside.matchAll(/([a-z][\w-]*)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?/gi)) {
        found[name.toLowerCase()] = decode(double ?? single ?? bare ?? '');
    }
    return found;
}

function decode(text) {
    const named = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: ' ' };
    return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(amp|lt|gt|quot|apos|nbsp));/gi, (_, hex, decimal, name) =>
        name ? named[name.toLowerCase()] : String.fromCodePoint(parseInt(hex ?? decimal, hex ? 16 : 10)));
}
