'use strict';

// What to do about an error, where that is certain: it follows the error's message, also in the log.

const fs = require('node:fs');
const os = require('node:os');

const directory = process.env.BERTH_FUNCTION_DIR || '/berth/function';
const LINE_CHARS_MAX = 500; // a longer one has been minified, and has more in it than what failed
const NOT_FOUND = ['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND'];
const UNREACHABLE = ['EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND'];
const UNDEFINED = /\bundefined\b|token u in JSON at position 0/;

// The error itself, what it was made of, and the causes of all these.
function related(error, found = []) {
    if (typeof error !== 'object' || error === null || found.includes(error)) return found;
    found.push(error);
    for (const other of [error.cause, ...(error.errors ?? [])]) related(other, found);
    return found;
}

const hasNetwork = () => Object.values(os.networkInterfaces()).flat().some((address) => !address.internal);

// The function's line that an error comes from, and what of it stands before the place.
function sourceOf(stack) {
    const frame = stack.find((line) => line.includes(directory));
    const [, file, line, column] = /(?:file:\/\/|[( ])(\/[^():]*):(\d+):(\d+)\)?$/.exec(frame) ?? [];
    const code = fs.readFileSync(file, 'utf8');
    const text = code.split('\n')[line - 1];
    return { code, text, before: text.slice(0, column - 1) };
}

// The name of the variable that an expression stands for: process.env.NAME, or a name that got its value from there.
function variableOf(expression, code) {
    const direct = /^process\.env\W+(\w+)/.exec(expression);
    if (direct) return direct[1];
    const assigned = new RegExp(String.raw`\b${expression}\s*=\s*process\.env\.(\w+)\s*[;,\n]`).exec(code);
    if (assigned) return assigned[1];
    for (const [, names] of code.matchAll(/\{([^{}]*)\}\s*=\s*process\.env\b/g)) {
        const pairs = names.split(',').map((name) => name.trim().split(/\s*:\s*/));
        const pair = pairs.find((found) => found.at(-1) === expression);
        if (pair) return pair[0];
    }
    return undefined;
}

const EXPRESSION = String.raw`(?<![\w.$\])])(process\.env\.\w+|process\.env\[['"]\w+['"]\]|[A-Za-z_]\w*)`;
const EXPRESSIONS = new RegExp(EXPRESSION, 'g');
const READ_AT_END = new RegExp(String.raw`${EXPRESSION}(?:\.|\[)$`);

// The variable that an error comes from because it is not set: a member of its value was read, or it was passed on.
function unsetVariable(error, stack) {
    if (!UNDEFINED.test(`${error.message} ${error.input}`)) return undefined;
    const { code, text, before } = sourceOf(stack);
    if (text.length > LINE_CHARS_MAX) return undefined;
    const isRead = error.message.startsWith('Cannot read properties');
    const expressions = isRead ? READ_AT_END.exec(before)?.slice(1) : text.match(EXPRESSIONS);
    return expressions?.map((expression) => variableOf(expression, code)).find((name) => name && !(name in process.env));
}

function adviceOn(error, stack) {
    try {
        if (NOT_FOUND.includes(error.code)) {
            return `${error.message.includes('\n') ? '\n' : ' '}(it is neither among the function's files nor in the image of its language: add it there)`;
        }
        if (related(error).some(({ code }) => UNREACHABLE.includes(code)) && !hasNetwork()) {
            return ' (the function has no network: set its network to egress)';
        }
        const name = unsetVariable(error, stack);
        return name ? ` (the environment variable ${name} is not set: add it to the function's environment)` : '';
    } catch { // the function has replaced what was asked
        return '';
    }
}

module.exports = { adviceOn };
