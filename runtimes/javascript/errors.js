'use strict';

// Whatever the function throws, as the type, message and stack of an error frame (../protocol.md).

const { inspect, types } = require('node:util');
const { adviceOn } = require('./advice.js');
const { Error, bufferFrom, has, includes, push, replaceAll, setPrototypeOf, split, startsWith, stringify, toText, trim } =
    require('./originals.js');

const TYPE_BYTES_MAX = 256;
const MESSAGE_BYTES_MAX = 8 << 10;
const STACK_LINES_MAX = 64;
const STACK_LINE_BYTES_MAX = 512;

const { isNativeError } = types;
const AGENT = `${__dirname}/`;

// An error may come from another realm (node:vm), or have been made without Error.
function isError(value) {
    if (isNativeError(value)) return true;
    if (typeof value !== 'object' || value === null) return false;
    return value instanceof Error || ['name', 'message', 'stack'].every((field) => typeof value[field] === 'string');
}

function typeOf(error) {
    if (!isError(error)) return typeof error;
    if (error.name && error.name !== 'Error') return `${error.name}`;
    const maker = error.constructor?.name;
    return (maker !== 'Object' && maker) || 'Error';
}

function messageOf(error) {
    if (isError(error)) return `${error.message}`;
    return typeof error === 'string' ? error : inspect(error);
}

// Returns the function's own lines of a stack, innermost first, then those of the error's cause.
function stackOf(error) {
    const lines = [];
    const seen = [];
    while (isError(error) && !has(seen, error) && lines.length < STACK_LINES_MAX) {
        if (seen.length > 0) push(lines, clean(`Caused by ${typeOf(error)}: ${error.message}`, STACK_LINE_BYTES_MAX));
        push(seen, error);
        const frames = split(`${error.stack}`, '\n');
        for (let i = 0; i < frames.length && lines.length < STACK_LINES_MAX; i++) {
            if (!startsWith(frames[i], '    at ')) continue;
            if (includes(frames[i], AGENT)) break;
            if (!includes(frames[i], 'node:internal/')) push(lines, clean(trim(frames[i]), STACK_LINE_BYTES_MAX));
        }
        error = error.cause;
    }
    return lines;
}

// Returns at most limit bytes of UTF-8, without lone surrogates and NUL, which C's JSON parsers refuse.
function clean(text, limit) {
    const bytes = bufferFrom(replaceAll(text, '\0', '\ufffd'));
    let end = limit < bytes.length ? limit : bytes.length;
    while ((bytes[end] & 0xc0) === 0x80) end--;
    return toText(bytes, 'utf8', 0, end);
}

// A thrown value may itself throw when it is looked at.
function attempt(show, error, otherwise) {
    try {
        return show(error);
    } catch {
        return otherwise;
    }
}

// Whether a worker thread has reached the limit of its heap. The main thread ends the process instead.
const isOutOfMemory = (error) => attempt(({ code }) => code === 'ERR_WORKER_OUT_OF_MEMORY', error, false);

function describe(error, before = '') {
    const stack = attempt(stackOf, error, []);
    const message = attempt(messageOf, error, '(the error cannot be shown)') + adviceOn(error, stack);
    return { type: clean(attempt(typeOf, error, 'Error'), TYPE_BYTES_MAX), message: clean(before + message, MESSAGE_BYTES_MAX), stack };
}

// Returns the JSON of texts, numbers and the lines of a stack, whatever the function made of toJSON in prototypes.
function toJson(fields, stack) {
    return stringify({ __proto__: null, ...fields, stack: setPrototypeOf(stack, null) });
}

// Returns the error on one line, as the Node.js runtime of Lambda logs it.
function toLine({ type, message, stack }) {
    const lines = [`${type}: ${message}`];
    for (let i = 0; i < stack.length; i++) push(lines, `    ${stack[i]}`);
    return toJson({ errorType: type, errorMessage: message }, lines);
}

module.exports = { describe, isNativeError, isOutOfMemory, stackOf, toJson, toLine };
