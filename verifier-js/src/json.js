/**
 * JSON objects without ambiguity. A duplicate member name lets two programs read two different things from one signed text, so it is
 * refused at every depth (RFC 7515 section 4, RFC 7519 section 4 allow that). Deep nesting is refused too.
 */

/** Deepest nesting that is read; real tokens and key sets need less than five. */
const MAX_DEPTH = 16;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Reads one JSON object from bytes or a text. `undefined` when it is anything else, has a duplicate name or nests deeply. */
export function parseObject(source) {
  try {
    const text = typeof source === "string" ? source : decoder.decode(source);
    const value = JSON.parse(text);
    return isObject(value) && isStrict(text) ? value : undefined;
  } catch {
    return undefined;
  }
}

export const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** A member of its own, never one that all objects inherit. */
export const member = (object, name) => (Object.hasOwn(object, name) ? object[name] : undefined);

/** Looks at names and depth of a text that `JSON.parse` has read, so its grammar is good. */
function isStrict(text) {
  const open = []; // for each object the names so far, for each array null
  let position = 0;
  let nameFollows = false;
  while (position < text.length) {
    switch (text[position]) {
      case "{":
      case "[":
        if (open.length === MAX_DEPTH) return false;
        nameFollows = text[position] === "{";
        open.push(nameFollows ? new Set() : null);
        break;
      case "}":
      case "]":
        open.pop();
        break;
      case ",":
        nameFollows = open.at(-1) !== null;
        break;
      case '"': {
        const end = endOfString(text, position);
        const raw = text.slice(position, end);
        const string = raw.includes("\\") ? JSON.parse(raw) : raw.slice(1, -1);
        if (!string.isWellFormed()) return false;
        if (nameFollows) {
          if (open.at(-1).has(string)) return false;
          open.at(-1).add(string);
          nameFollows = false;
        }
        position = end - 1;
        break;
      }
    }
    position += 1;
  }
  return true;
}

/** Where the string that begins here is over. */
function endOfString(text, start) {
  let end = start;
  do {
    end = text.indexOf('"', end + 1);
  } while (isEscaped(text, end));
  return end + 1;
}

function isEscaped(text, position) {
  let backslashes = 0;
  while (text[position - 1 - backslashes] === "\\") backslashes += 1;
  return backslashes % 2 === 1;
}
