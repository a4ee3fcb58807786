'use strict';

// Berth's JavaScript agent: one function, one invocation at a time, over descriptor 3 (../protocol.md).
// Runs on Node.js 18 and later. The function shares this process, so the agent takes what it needs before the
// function's code can replace it (originals.js).

const fs = require('node:fs');
const net = require('node:net');
const { inspect } = require('node:util');
const lambda = require('./lambda.js');
const log = require('./log.js');
const resources = require('./resources.js');
const { describe, isOutOfMemory, toJson, toLine } = require('./errors.js');
const { HandlerError, load, syntaxErrorAt } = require('./handler.js');
const {
    Error, allocUnsafe, bufferFrom, byteLength, concat, getPrototypeOf, indexOf, isArray, parse, push, readUInt32BE, shift,
    stringify, subarray, toText, write, writeUInt32BE,
} = require('./originals.js');

const HELLO = 1, INIT = 2, READY = 3, INIT_ERROR = 4, INVOKE = 5, RESULT = 6, ERROR = 7;

const CONTROL_FD = 3;
const HEADER_BYTES = 5;
const FRAME_BYTES_MAX = 64 << 20; // maximum frame from the host, far above any configurable limit
const READ_BYTES = 64 << 10;
const ERROR_BYTES_MAX = 64 << 10;
const REHEARSE_AFTER_MS = 50;

const { readvSync, writeSync } = fs;
const { floor, max } = Math;
const { clearTimeout, setImmediate } = globalThis;
const now = performance.now.bind(performance);
const exit = process.exit.bind(process);

let directory = process.env.BERTH_FUNCTION_DIR || '/berth/function';
// One buffer for all reads, because Node.js would otherwise allocate a new one for each.
const onread = {
    buffer: Buffer.alloc(READ_BYTES),
    callback(length, buffer) {
        resources.outside(receive, subarray(buffer, 0, length));
        if (!resources.any()) later(attend);
        return true;
    },
};
const control = new net.Socket({ fd: CONTROL_FD, readable: true, writable: true, onread });

let settings; // the payload of INIT
let shared; // the members of the context that all invocations have in common
let handler; // undefined until the code is loaded
let latest; // the id of the invocation that came last

// While the code is loaded or an invocation runs:
let crash; // ends it with an exception that nobody caught, and the process
let idle; // ends it when nothing is left to wait for

// Frames

let chunks = []; // received bytes that are not a whole frame yet
let received = 0;
let wanted = HEADER_BYTES;
const frames = []; // whole frames that wait for the current one to be handled

function receive(bytes) {
    // What nearly always comes is one frame that is handled at once. Everything else has to be kept, and is copied.
    const idling = !crash && received === 0 && frames.length === 0;
    if (idling && bytes.length >= HEADER_BYTES && bytes.length === HEADER_BYTES + readUInt32BE(bytes, 0)) {
        return handle(bytes[4], subarray(bytes, HEADER_BYTES));
    }
    push(chunks, bufferFrom(bytes));
    received += bytes.length;
    while (received >= wanted) {
        const data = chunks.length === 1 ? chunks[0] : concat(chunks, received);
        const end = HEADER_BYTES + readUInt32BE(data, 0);
        if (end > FRAME_BYTES_MAX) return refuse(`frame of ${end} bytes`);
        if (data.length < end) {
            chunks = [data];
            wanted = end;
            return;
        }
        chunks = data.length > end ? [subarray(data, end)] : [];
        received = data.length - end;
        wanted = HEADER_BYTES;
        push(frames, { type: data[4], payload: subarray(data, HEADER_BYTES, end) });
        next();
    }
}

function next() {
    if (crash || frames.length === 0) return;
    const { type, payload } = shift(frames);
    handle(type, payload);
}

function handle(type, payload) {
    if (type !== (handler ? INVOKE : INIT)) return refuse(`frame of type ${type}`);
    try {
        if (handler) invoke(payload);
        else init(parse(toText(payload)));
    } catch (error) {
        refuse(inspect(error));
    }
}

// The host broke the protocol, which can only be reported in the log.
function refuse(reason) {
    log.print(`agent: ${reason}\n`);
    exit(1);
}

function toFrame(type, text) {
    const length = byteLength(text);
    const frame = allocUnsafe(HEADER_BYTES + length);
    writeUInt32BE(frame, length, 0);
    frame[4] = type;
    write(frame, text, HEADER_BYTES);
    return frame;
}

function send(type, text) {
    const frame = toFrame(type, text);
    if (rehearsed) return rehearsed();
    // A direct write is faster than the stream's, and completes before an exit(). The stream sends the rest.
    let sent = 0;
    try {
        sent = writeSync(CONTROL_FD, frame);
    } catch (error) {
        if (error.code !== 'EAGAIN') exit(0); // the host has closed
    }
    if (sent < frame.length) control.write(subarray(frame, sent));
}

function sendError(type, fields, report) {
    fields = { ...fields, type: report.type, message: report.message };
    let text = toJson(fields, report.stack);
    if (byteLength(text) > ERROR_BYTES_MAX) text = toJson(fields, []); // escapes can make it too long
    send(type, text);
}

// Waiting for frames
//
// A call costs less when the agent waits for it in a blocking read than in the event loop, on gVisor a third less. But nothing else
// happens in the thread meanwhile, so the agent does that only between invocations, and while the function has made nothing that could
// happen. Between two reads the event loop turns once, for Node.js's own work and V8's.

// Two parts, because Node.js would read into a single one with read(), which gVisor takes more slowly than readv().
const parts = [subarray(onread.buffer, 0, HEADER_BYTES), subarray(onread.buffer, HEADER_BYTES)];
let blocking = false; // the control socket

// The stream must not read from a socket that blocks: after a full buffer it would read again.
function setBlocking(block) {
    if (block === blocking) return;
    blocking = block;
    if (block) control._handle.readStop();
    control._handle.setBlocking(block);
    if (!block) control._handle.readStart();
}

function attend() {
    if (!crash && frames.length > 0) return later(attend); // after next()
    setBlocking(!crash && !resources.any());
    if (!blocking) return; // the stream reads on
    let length = 0;
    try {
        length = readvSync(CONTROL_FD, parts);
    } catch (error) {
        if (error.code === 'EINTR') return later(attend);
    }
    if (length === 0) exit(0); // the host has closed
    receive(subarray(onread.buffer, 0, length));
    later(attend);
}

function later(callback) {
    setImmediate(() => resources.outside(callback));
    resources.allow(1);
}

// The event loop

// While a function is waited for, the control socket does not keep the event loop going. So Node.js asks by beforeExit
// whether there is more to do, as soon as nothing is left of the function, and goes on because the answer takes the socket back.
process.on('beforeExit', () => {
    if (!idle) return;
    idle();
    if (!resources.any()) later(attend);
});

function proceed() {
    if (idle) control.ref();
    crash = idle = undefined;
    if (frames.length > 0) later(next);
}

// The function

async function init(payload) {
    clearTimeout(rehearsal);
    resources.start();
    settings = payload;
    crash = (error, _label, advice = '') => {
        const report = describe(error);
        report.message += advice;
        const fields = { kind: error instanceof HandlerError ? 'handler' : 'exception' };
        const place = syntaxErrorAt(error);
        if (isOutOfMemory(error)) fields.kind = 'out_of_memory';
        if (place) {
            fields.kind = 'syntax';
            fields.line = place.line;
            report.stack = [`at ${place.file}:${place.line}`];
        }
        sendError(INIT_ERROR, fields, report);
        exit(1);
    };
    idle = () => crash(unsettled('a top-level await'));
    control.unref();
    try {
        log.allowMarks(settings);
        shared = lambda.assign(settings);
        process.chdir(directory);
        handler = await load(directory, settings.handler);
    } catch (error) {
        return crash(error);
    }
    send(READY, '{}');
    proceed();
}

function unsettled(promise) {
    const error = new Error(`${promise} waits for a promise that nothing can settle any more: no timer, request or other work is left`);
    error.name = 'NeverSettled';
    return error;
}

// Whether a value is data, and nothing that stands for work which goes on: a timer, a request, an emitter of events.
function isData(value) {
    if (typeof value !== 'object') return value !== undefined && typeof value !== 'function';
    if (value === null) return false;
    if (isArray(value) || typeof value.toJSON === 'function') return true;
    const prototype = getPrototypeOf(value);
    return prototype === null || getPrototypeOf(prototype) === null;
}

// The handler answers once, in the first of these ways; what comes later does not count:
//   * It calls context.succeed(), fail() or done().
//   * It calls callback(). A value is sent when nothing is left to wait for, unless callbackWaitsForEmptyEventLoop is false.
//   * It returns a promise, or something else with then().
//   * It has fewer than three parameters and returns data. On Lambda that would not be an answer.
//   * Nothing is left to wait for. Then the answer is null, or what it returned if it has fewer than three parameters.
function invoke(payload) {
    const split = indexOf(payload, '\n');
    const { invocation_id, request_id, remaining_ms, traceparent = null } = parse(toText(payload, 'utf8', 0, split));
    // An older host names no invocation, and recognises the answer by the request.
    const name = invocation_id ? 'invocation_id' : 'request_id';
    const id = invocation_id ?? request_id;
    const deadline = now() + remaining_ms;
    let decided = false; // the handler has answered
    let answered = false; // the host has been told
    let returned = false; // the answer is data that the handler returned

    const answer = (type, content, report) => {
        answered = true;
        log.end();
        if (type === RESULT) send(type, content);
        else sendError(type, content, report);
        if (!content.exiting) proceed();
    };
    const output = (value) => {
        let text;
        try {
            text = stringify(value) ?? 'null';
        } catch (error) {
            const report = describe(error, 'what the handler returned cannot be written as JSON: ');
            return answer(ERROR, { [name]: id, kind: 'invalid_output' }, report);
        }
        const size_bytes = byteLength(text);
        const limit = settings.limits.response_bytes;
        if (size_bytes > limit) {
            const message = `the output has ${size_bytes} bytes, the limit is ${limit}`;
            const fields = { [name]: id, kind: 'response_too_large', size_bytes };
            return answer(ERROR, fields, { type: 'ResponseTooLarge', message, stack: [] });
        }
        return answer(RESULT, `{"${name}":"${id}"}\n${text}`);
    };
    const sendFailure = (reason, label, exiting, advice = '') => {
        const report = describe(reason);
        log.error(id, `${label}\t${toLine(report)}`);
        report.message += advice;
        answer(ERROR, { [name]: id, kind: isOutOfMemory(reason) ? 'out_of_memory' : 'function', exiting }, report);
    };
    const succeed = (value) => {
        if (!decided) {
            decided = true;
            output(value);
        } else if (returned) {
            returned = false;
            log.error(id, 'The handler called back after the value that it returned had been sent as its answer');
        }
    };
    const fail = (reason) => {
        if (decided) return (answered ? log.failed : log.error)(id, `Error after the answer\t${toLine(describe(reason))}`);
        decided = true;
        return sendFailure(reason, 'Invoke Error');
    };
    const done = (error, value) => (error === undefined || error === null ? succeed(value) : fail(error));
    const callback = (error, value) => {
        if (decided || (error !== undefined && error !== null) || !context.callbackWaitsForEmptyEventLoop) {
            return done(error, value);
        }
        decided = true;
        idle = () => output(value);
    };
    const context = {
        callbackWaitsForEmptyEventLoop: true,
        ...shared,
        awsRequestId: id,
        requestId: request_id,
        invocationId: invocation_id,
        identity: undefined,
        clientContext: undefined,
        traceparent,
        parameters: {},
        getRemainingTimeInMillis: () => max(0, floor(deadline - now())),
        succeed,
        fail: (reason) => fail(reason ?? 'handled'),
        done,
    };

    if (latest) log.begin();
    latest = id;
    crash = (reason, label, advice) => sendFailure(reason, label, true, advice);
    try {
        lambda.trace(traceparent);
        const body = split + 1 < payload.length ? parse(toText(payload, 'utf8', split + 1)) : {};
        context.parameters = body.parameters ?? {};
        const result = handler(body.input ?? null, context, callback);
        if (typeof result?.then === 'function') {
            if (!answered) idle ??= () => fail(unsettled('the handler'));
            result.then(succeed, fail);
        } else if (!decided && handler.length < 3 && isData(result)) {
            returned = true;
            succeed(result);
        } else if (!answered) {
            idle ??= () => output(handler.length < 3 ? result : undefined);
        }
    } catch (error) {
        fail(error);
    }
    if (!answered) control.unref();
}

// Unhandled rejections end here as well. The function's state is unknown now, so the process ends too.
process.on('uncaughtException', (error, origin) => {
    const advice = origin === 'unhandledRejection' ? ' (is an await missing?)' : '';
    const label = advice ? `Unhandled Promise Rejection${advice}` : 'Uncaught Exception';
    if (crash) crash(error, label, advice);
    else log.failed(latest ?? 'loading', `${label}, left behind after its answer\t${toLine(describe(error))}`);
    if (control.writableLength === 0) exit(1);
    control.pause(); // no invocation is begun any more
    control.end(() => exit(1)); // after the rest of the answer has been sent
});

// The rehearsal
//
// What runs for the first time costs a multiple of the second time, on gVisor most of all. So a spare loads and calls two functions
// of the agent's own before it gets one. A sandbox whose function comes at once is not held up.

const rehearsal = setTimeout(rehearse, REHEARSE_AFTER_MS);
let rehearsed; // takes the place of sending a frame meanwhile

const perform = (type, text) => new Promise((done) => {
    rehearsed = done;
    receive(toFrame(type, text));
});

async function rehearse() {
    if (received > 0) return; // the function comes
    const real = directory;
    const meta = { invocation_id: '', request_id: '', remaining_ms: 1, traceparent: null };
    control.pause();
    directory = `${__dirname}/rehearsal`;
    for (const name of ['commonjs.handler', 'module.handler']) {
        await perform(INIT, stringify({ handler: name, environment: {}, function: {}, limits: { response_bytes: 1 << 10 } }));
        await perform(INVOKE, `${stringify(meta)}\n{"input":{"name":""}}`);
        handler = latest = undefined;
    }
    directory = real;
    rehearsed = undefined;
    control.resume();
    resources.start();
    later(attend);
}

control.on('end', () => exit(0));
control.on('error', () => exit(0));
lambda.prepare(directory);
send(HELLO, stringify({ protocol: 1, language: 'javascript', version: process.versions.node }));
