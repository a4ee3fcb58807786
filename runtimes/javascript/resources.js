'use strict';

// Whether the function has made anything that Node.js may have to wait for.
//
// Node.js gives a number to each such thing: timers, handles, requests, jobs of its threads, ticks. So a number that is not the
// next one shows that there was another in between. process.getActiveResourcesInfo() would not do, because it leaves out the jobs
// of zlib and crypto, and all that does not keep the process alive (unref()), such as connections that are kept open. Numbers do
// not tell when a thing is over, so once there was one, there may always be one. A few things have none, such as a backup of
// node:sqlite: they are waited for while an invocation runs, and what is left of them goes on with the next one.

const { AsyncResource, createHook } = require('node:async_hooks');
const { apply, has } = require('./originals.js');

const asyncId = Function.prototype.call.bind(AsyncResource.prototype.asyncId);
const runInAsyncScope = Function.prototype.call.bind(AsyncResource.prototype.runInAsyncScope);
const make = () => new AsyncResource('BERTH');
const take = () => asyncId(make());
const root = make();

let next; // the number that take() returns as long as nothing is made
let found = true; // also while the agent starts
let unnumbered = false; // the function has begun something of UNNUMBERED
let imported; // ends the watch over an import, and returns whether something of it is left

function reset() {
    found = false;
    next = take() + 1;
}

// From now on, what is made is the function's.
function start() {
    imported?.();
    imported = undefined;
    unnumbered = false;
    reset();
}

function any() {
    if (imported && !imported()) reset();
    imported = undefined;
    found = found || unnumbered || take() !== next++;
    return found;
}

// Lets the agent itself make that many things.
function allow(count) {
    next += count;
}

// Calls the agent's own code. What the function has put into an AsyncLocalStorage is not there, and what it puts there in this call is
// gone in the next.
function outside(callback, argument) {
    next++;
    return runInAsyncScope(runInAsyncScope(root, make), callback, undefined, argument);
}

// Calls a function of Node.js, whatever that makes.
function own(call, object, args) {
    if (found || any()) return apply(call, object, args);
    try {
        return apply(call, object, args);
    } finally {
        next = take() + 1;
    }
}

const NOT_WAITED_FOR = ['PROMISE', 'FILEHANDLE', 'BERTH'];

// Imports an ES module, for which Node.js makes things itself. So until any() is asked the next time, each thing is watched. That
// makes promises slower, and is not done for longer.
async function watch(load) {
    if (any()) return load();
    found = true;
    const left = new Set();
    const hook = createHook({
        init: (id, type) => has(NOT_WAITED_FOR, type) || left.add(id),
        destroy: (id) => left.delete(id),
    }).enable();
    try {
        return await load();
    } finally {
        imported = () => {
            hook.disable();
            return left.size > 0;
        };
    }
}

// What has no number is noticed when it begins: work of V8, and of addons, which can use the event loop directly.
const UNNUMBERED = [[process, 'dlopen'], [Atomics, 'waitAsync'], [WebAssembly, 'compile'], [WebAssembly, 'instantiate']];

for (const [object, name] of UNNUMBERED) {
    const call = object[name];
    if (!call) continue; // a version of Node.js without it
    const noticed = { [name](...args) {
        unnumbered = true;
        return apply(call, this, args);
    } };
    Object.defineProperty(object, name, { value: noticed[name] });
}

module.exports = { allow, any, outside, own, start, watch };
