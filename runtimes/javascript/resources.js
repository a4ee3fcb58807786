'use strict';

// Whether the function has made anything that Node.js may have to wait for.
//
// Node.js gives a number to each such thing: timers, handles, requests, jobs of its threads, ticks. So a number that is not the
// next one shows that there was another in between. process.getActiveResourcesInfo() would not do, because it leaves out the jobs
// of zlib and crypto, and all that does not keep the process alive (unref()), such as connections that are kept open. Numbers do
// not tell when a thing is over, so once there was one, there may always be one.

const { AsyncResource, createHook } = require('node:async_hooks');
const { apply } = require('./originals.js');

const asyncId = Function.prototype.call.bind(AsyncResource.prototype.asyncId);
const take = () => asyncId(new AsyncResource('BERTH'));

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

// Calls a function of Node.js, whatever that makes.
function own(call, object, args) {
    if (found || any()) return apply(call, object, args);
    try {
        return apply(call, object, args);
    } finally {
        next = take() + 1;
    }
}

// Imports an ES module, for which Node.js makes things itself. So until any() is asked the next time, each thing is watched. That
// makes promises slower, and is not done for longer.
async function watch(load) {
    if (any()) return load();
    found = true;
    const left = new Set();
    const hook = createHook({
        init: (id, type) => type === 'PROMISE' || type === 'FILEHANDLE' || left.add(id), // neither is waited for itself
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

module.exports = { allow, any, own, start, watch };
