'use strict';

// Berth's JavaScript agent: one function, one invocation at a time, over descriptor 3 (../protocol.md).
// Runs on Node.js 18 and later. The function shares this process, so the agent takes what it needs before the
// function's code can replace it.

const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { inspect } = require('node:util');
const { pathToFileURL } = require('node:url');

const HELLO = 1, INIT = 2, READY = 3, INIT_ERROR = 4, INVOKE = 5, RESULT = 6, ERROR = 7;

const CONTROL_FD = 3;
const HEADER_BYTES = 5;
const FRAME_BYTES_MAX = 64 << 20; // maximum frame from the host, far above any configurable limit
const READ_BYTES = 64 << 10;

const TYPE_BYTES_MAX = 256;
const MESSAGE_BYTES_MAX = 8 << 10;
const STACK_LINES_MAX = 64;
const STACK_LINE_BYTES_MAX = 512;
const ERROR_BYTES_MAX = 64 << 10;

// The mark that is written to both streams when the function switches from one to the other.
const SWITCH = Buffer.from('\xff\0berth:switch\0\xff', 'latin1');

const { parse, stringify } = JSON;
const { fstatSync, writeSync } = fs;
const { apply } = Reflect;
const isSocket = (fd) => fstatSync(fd).isSocket();
const { allocUnsafe, byteLength, concat, from: bufferFrom } = Buffer;
const now = performance.now.bind(performance);
const exit = process.exit.bind(process);
const { stdout, stderr } = process;
const print = stderr.write.bind(stderr);

const directory = process.env.BERTH_FUNCTION_DIR || '/berth/function';
// One buffer for all reads, because Node.js would otherwise allocate a new one for each.
const onread = {
    buffer: Buffer.alloc(READ_BYTES),
    callback(length, buffer) {
        receive(bufferFrom(buffer.subarray(0, length)));
        return true;
    },
};
const control = new net.Socket({ fd: CONTROL_FD, readable: true, writable: true, onread });

let settings; // the payload of INIT
let source; // the file with the handler
let handler; // undefined until the code is loaded
let fail; // ends the current load or invocation with an error; undefined when there is none

// Frames

let chunks = []; // received bytes that are not a whole frame yet
let received = 0;
let wanted = HEADER_BYTES;
const frames = []; // whole frames that wait for the current one to be handled

function receive(chunk) {
    chunks.push(chunk);
    received += chunk.length;
    while (received >= wanted) {
        const data = chunks.length === 1 ? chunks[0] : concat(chunks, received);
        const end = HEADER_BYTES + data.readUInt32BE(0);
        if (end > FRAME_BYTES_MAX) return refuse(`frame of ${end} bytes`);
        if (data.length < end) {
            chunks = [data];
            wanted = end;
            return;
        }
        chunks = data.length > end ? [data.subarray(end)] : [];
        received = data.length - end;
        wanted = HEADER_BYTES;
        frames.push({ type: data[4], payload: data.subarray(HEADER_BYTES, end) });
        next();
    }
}

function next() {
    if (fail || frames.length === 0) return;
    const { type, payload } = frames.shift();
    if (type !== (handler ? INVOKE : INIT)) return refuse(`frame of type ${type}`);
    try {
        if (handler) invoke(payload);
        else init(payload);
    } catch (error) {
        refuse(inspect(error));
    }
}

// The host broke the protocol, which can only be reported in the log.
function refuse(reason) {
    print(`agent: ${reason}\n`);
    exit(1);
}

function send(type, text) {
    const length = byteLength(text);
    const frame = allocUnsafe(HEADER_BYTES + length);
    frame.writeUInt32BE(length, 0);
    frame[4] = type;
    frame.write(text, HEADER_BYTES);
    // A direct write is faster than the stream's, and completes before an exit(). The stream sends the rest.
    let sent = 0;
    try {
        sent = writeSync(CONTROL_FD, frame);
    } catch (error) {
        if (error.code !== 'EAGAIN') exit(0); // the host has closed
    }
    if (sent < frame.length) control.write(frame.subarray(sent));
}

// Errors

// Returns at most limit bytes of UTF-8, without lone surrogates and NUL, which C's JSON parsers refuse.
function clean(text, limit) {
    const bytes = bufferFrom(text.replaceAll('\0', '\ufffd'));
    let end = Math.min(limit, bytes.length);
    while ((bytes[end] & 0xc0) === 0x80) end--;
    return bytes.toString('utf8', 0, end);
}

// Returns the function's own lines of a stack, innermost first, then those of the error's cause.
function stackOf(error) {
    const lines = [];
    const seen = new Set();
    while (error instanceof Error && !seen.has(error) && lines.length < STACK_LINES_MAX) {
        if (seen.size > 0) lines.push(`Caused by ${typeOf(error)}: ${error.message}`);
        seen.add(error);
        const frames = String(error.stack).split('\n').filter((line) => /^ {4}at /.test(line));
        const agent = frames.findIndex((line) => line.includes(__filename));
        for (const line of agent === -1 ? frames : frames.slice(0, agent)) {
            if (!line.includes('node:internal/')) lines.push(line.trim());
        }
        error = error.cause;
    }
    return lines;
}

function typeOf(error) {
    if (!(error instanceof Error)) return typeof error;
    return String((error.name !== 'Error' && error.name) || error.constructor.name);
}

function messageOf(error) {
    if (error instanceof Error) return String(error.message);
    return typeof error === 'string' ? error : inspect(error);
}

// A thrown value may itself throw when it is inspected.
function describe(error) {
    try {
        return { type: typeOf(error), message: messageOf(error), stack: stackOf(error) };
    } catch {
        return { type: 'Error', message: '(the error cannot be shown)', stack: [] };
    }
}

function sendError(frame, fields, { type, message, stack }) {
    fields.type = clean(type, TYPE_BYTES_MAX);
    fields.message = clean(message, MESSAGE_BYTES_MAX);
    fields.stack = stack.slice(0, STACK_LINES_MAX).map((line) => clean(line, STACK_LINE_BYTES_MAX));
    let text = stringify(fields);
    if (byteLength(text) > ERROR_BYTES_MAX) text = stringify({ ...fields, stack: [] }); // escapes can make it too long
    send(frame, text);
}

// The function

class HandlerError extends Error {}

// Returns the function that a handler such as "main.handler" or "pkg/mod.handler" names.
async function load(name) {
    const match = /^((?:.*\/)?[^./]+)\.([^/]+)$/.exec(name);
    if (!match) throw new HandlerError(`handler '${name}' is not of the form 'module.function'`);
    const base = path.join(directory, match[1]);
    source = ['.js', '.mjs', '.cjs'].map((end) => base + end).find((file) => fs.existsSync(file));
    if (!source) throw new HandlerError(`handler '${name}': there is no ${match[1]}.js, .mjs or .cjs`);

    let found = await loadModule(source);
    for (const part of match[2].split('.')) found = found?.[part];
    if (found === undefined) throw new HandlerError(`handler '${name}': ${source} does not export '${match[2]}'`);
    if (typeof found !== 'function') throw new HandlerError(`handler '${name}': '${match[2]}' is not a function`);
    return found;
}

const ESM_SYNTAX = /import statement|import\.meta|token 'export'|token 'import'|await is only valid/;

async function loadModule(file) {
    const url = pathToFileURL(file).href;
    if (file.endsWith('.mjs')) return import(url);

    // Before Node.js 20.19, an ES module in a .js file without a package.json causes a syntax error and a warning.
    const listeners = process.listeners('warning');
    process.removeAllListeners('warning');
    try {
        return require(file);
    } catch (error) {
        const declared = error?.code === 'ERR_REQUIRE_ESM' || error?.code === 'ERR_REQUIRE_ASYNC_MODULE';
        if (!declared && !(error instanceof SyntaxError && ESM_SYNTAX.test(error.message))) throw error;
        if (!declared) treatAsModule(url);
    } finally {
        for (const listener of listeners) process.on('warning', listener);
    }
    return import(url);
}

// Declares the file to be an ES module. Hooks run in a thread that takes 50 ms to start, so this is the last resort.
function treatAsModule(url) {
    const hook = `export const load = (url, context, next) =>
        next(url, url === ${stringify(url)} ? { ...context, format: 'module' } : context);`;
    require('node:module').register(`data:text/javascript,${encodeURIComponent(hook)}`);
}

// For code of the function that does not compile: { file, line }, line 0 if unknown; undefined for any other error.
function syntaxErrorAt(error) {
    if (!(error instanceof SyntaxError)) return undefined;
    const [, file, line] = /^(?:file:\/\/)?(\/.*):(\d+)\n/.exec(error.stack) || [];
    if (file) return { file, line: Number(line) };
    if (stackOf(error).some((frame) => frame.includes(directory))) return undefined; // thrown by code that compiles
    // Node.js does not report the line of an ES module that does not compile; its syntax checker prints it.
    const check = ['--input-type=module', '--check', '-'];
    const { stderr } = require('node:child_process').spawnSync(process.execPath, check, { input: fs.readFileSync(source) });
    return { file: source, line: Number(/^\[stdin\]:(\d+)/m.exec(stderr)?.[1] || 0) };
}

function init(payload) {
    settings = parse(payload.toString());
    fail = (error) => {
        const report = describe(error);
        const fields = { kind: error instanceof HandlerError ? 'handler' : 'exception' };
        const place = syntaxErrorAt(error);
        if (place) {
            fields.kind = 'syntax';
            fields.line = place.line;
            report.stack = [`at ${place.file}:${place.line}`];
        }
        sendError(INIT_ERROR, fields, report);
        exit(1);
    };
    Object.assign(process.env, settings.environment);
    process.chdir(directory);
    load(settings.handler).then((found) => {
        handler = found;
        send(READY, '{}');
        fail = undefined;
        next();
    }, fail);
}

function invoke(payload) {
    const split = payload.indexOf('\n');
    const { invocation_id, request_id, remaining_ms, traceparent = null } = parse(payload.toString('utf8', 0, split));
    // An older host names no invocation, and recognises the answer by the request.
    const [name, id] = invocation_id ? ['invocation_id', invocation_id] : ['request_id', request_id];
    const deadline = now() + remaining_ms;
    let answered = false; // a callback may be called twice, or after an error

    const answer = (type, ...content) => {
        if (answered) return;
        answered = true;
        (type === RESULT ? send : sendError)(type, ...content);
        fail = undefined;
        next();
    };
    const succeed = (value) => {
        let output;
        try {
            output = stringify(value) ?? 'null';
        } catch (error) {
            const report = describe(error);
            report.message = `what the handler returned cannot be written as JSON: ${report.message}`;
            return answer(ERROR, { [name]: id, kind: 'invalid_output' }, report);
        }
        const size_bytes = byteLength(output);
        const limit = settings.limits.response_bytes;
        if (size_bytes > limit) {
            const message = `the output has ${size_bytes} bytes, the limit is ${limit}`;
            const fields = { [name]: id, kind: 'response_too_large', size_bytes };
            return answer(ERROR, fields, { type: 'ResponseTooLarge', message, stack: [] });
        }
        return answer(RESULT, `{"${name}":"${id}"}\n${output}`);
    };
    const failed = (error, exiting) => answer(ERROR, { [name]: id, kind: 'function', exiting }, describe(error));
    const callback = (error, value) => (error === undefined || error === null ? succeed(value) : failed(error));
    fail = failed;

    const context = {
        awsRequestId: request_id,
        requestId: request_id,
        invocationId: invocation_id,
        functionName: settings.function.name,
        functionVersion: String(settings.function.version),
        memoryLimitInMB: String(settings.limits.memory_limit_mb),
        traceparent,
        parameters: {},
        getRemainingTimeInMillis: () => Math.max(0, Math.floor(deadline - now())),
    };
    try {
        const body = split + 1 < payload.length ? parse(payload.toString('utf8', split + 1)) : {};
        context.parameters = body.parameters ?? {};
        const result = handler(body.input ?? null, context, callback);
        if (typeof result?.then === 'function') result.then(succeed, (error) => failed(error));
        else if (result !== undefined || handler.length < 3) succeed(result);
    } catch (error) {
        failed(error);
    }
}

// Unhandled rejections end here as well. The function's state is unknown now, so the process ends too.
process.on('uncaughtException', (error) => {
    if (fail) fail(error, true);
    else print(`${inspect(error)}\n`);
    exit(1);
});

// The host reads each stream separately; marks in both, written when the function switches streams, tell it the order.
let latest;

function mark() {
    for (const fd of [1, 2]) {
        try {
            if (isSocket(fd)) writeSync(fd, SWITCH); // otherwise the function has replaced it by a file
        } catch {} // the function or the host has closed it
    }
}

for (const stream of [stdout, stderr]) {
    // Writes are synchronous, so that no output is lost on an exit, a timeout or an out-of-memory kill.
    stream._handle?.setBlocking?.(true);
    const write = stream.write;
    stream.write = function (...args) {
        if (latest !== stream) {
            if (latest) mark();
            latest = stream;
        }
        return apply(write, stream, args);
    };
}

control.on('end', () => exit(0));
control.on('error', () => exit(0));
send(HELLO, stringify({ protocol: 1, language: 'javascript', version: process.versions.node }));
