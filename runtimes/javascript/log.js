'use strict';

// What the function prints: the order between its two streams, the levels of what it writes with console, and the agent's
// own lines about it.

const fs = require('node:fs');
const { format } = require('node:util');
const resources = require('./resources.js');
const { Date, apply, bufferFrom, concat, indexOf, toISOString } = require('./originals.js');

// The mark that is written to both streams when the function switches from one to the other.
const SWITCH = bufferFrom('\xff\0berth:switch\0\xff', 'latin1');

// Written to both streams when an invocation begins and something was printed since the last answer.
const INVOKE = bufferFrom('\xff\0berth:invoke\0\xff', 'latin1');
// Written before an error that nobody caught after an answer.
const FAILED = bufferFrom('\xff\0berth:failed\0\xff', 'latin1');

const TRACE = 1, DEBUG = 2, INFO = 3, WARNING = 4, ERROR = 5, CRITICAL = 6;
const METHODS = {
    debug: DEBUG, log: INFO, info: INFO, dir: INFO, dirxml: INFO, warn: WARNING, error: ERROR,
};
const MARKS = [0, 1, 2, 3, 4, 5, 6].map((level) => bufferFrom(`\xff\0berth:level${level}\0\xff`, 'latin1'));

const { fstatSync, writeSync } = fs;
const { captureStackTrace } = Error;
const { stdout, stderr } = process;

let latest; // the stream that was written to last
let method; // the level of the console's method that runs
let levels = false; // the host understands the marks of levels
let late = false; // the host understands the marks of late output

function isSocket(fd) {
    try {
        return fstatSync(fd).isSocket(); // otherwise the function has replaced it by a file, or closed it
    } catch {
        return false;
    }
}

function put(fd, data) {
    try {
        writeSync(fd, data);
    } catch {} // the function or the host has closed it
}

function mark(bytes) {
    if (isSocket(1)) put(1, bytes);
    if (isSocket(2)) put(2, bytes);
}

function turnTo(stream) {
    if (latest && latest !== stream) mark(SWITCH);
    latest = stream;
}

// An invocation begins that is not the first one. The host has to tell what it prints from what was printed since the answer before.
function begin() {
    if (latest && late) mark(INVOKE);
}

// The invocation is about to be answered.
function end() {
    latest = undefined;
}

// Returns what console prints between marks of its level, unless it is one line of the level that its stream has anyway.
function marked(text, fd, own) {
    const bytes = bufferFrom(text);
    const end = indexOf(bytes, '\n');
    if ((method === own && (end === -1 || end === bytes.length - 1)) || !isSocket(fd)) return text;
    return concat([MARKS[method], bytes, MARKS[0]]);
}

function follow(stream, fd, own) {
    // Writes are synchronous, so that no output is lost on an exit, a timeout or an out-of-memory kill.
    stream._handle?.setBlocking?.(true);
    const write = stream.write;
    stream.write = function (...args) {
        if (latest !== stream) turnTo(stream);
        if (levels && method && typeof args[0] === 'string') args[0] = marked(args[0], fd, own);
        return resources.own(write, stream, args);
    };
}

function watch(name, level, print) {
    console[name] = function (...args) {
        const outer = method; // console.table calls console.log
        method = outer || level;
        try {
            return apply(print, console, args);
        } finally {
            method = outer;
        }
    };
    return console[name];
}

follow(stdout, 1, INFO);
follow(stderr, 2, ERROR);
const { error: printError } = console;
for (const name of Object.keys(METHODS)) watch(name, METHODS[name], console[name]);

// That of Node.js would show the function above in its stack.
const trace = watch('trace', TRACE, (...args) => {
    const here = { name: 'Trace', message: format(...args) };
    captureStackTrace(here, trace);
    printError(here.stack);
});

watch('fatal', CRITICAL, printError); // Lambda's; Node.js has none

// Prints a line about an invocation, as the Node.js runtime of Lambda does.
function error(id, what) {
    turnTo(stderr);
    put(2, `${toISOString(new Date())}\t${id}\tERROR\t${what}\n`);
}

// The same about an error that nobody caught after the answer.
function failed(id, what) {
    turnTo(stderr);
    if (late && isSocket(2)) put(2, FAILED);
    error(id, what);
}

function allowMarks({ log_levels, late_marks }) {
    levels = Boolean(log_levels);
    late = Boolean(late_marks);
}

module.exports = { allowMarks, begin, end, error, failed, print: (text) => put(2, text) };
