'use strict';

// What the agent uses of the language while the function's code runs, taken before that code can replace it. Methods are
// functions here, with the object first, so that a function that changes prototypes harms only itself.

const uncurry = (method) => Function.prototype.call.bind(method);

const { Array, Buffer, Date, Error, JSON, Object, Reflect, String } = globalThis;

module.exports = {
    Date,
    Error,
    apply: Reflect.apply,
    getPrototypeOf: Object.getPrototypeOf,
    isArray: Array.isArray,
    parse: JSON.parse,
    setPrototypeOf: Object.setPrototypeOf,
    stringify: JSON.stringify,

    has: uncurry(Array.prototype.includes),
    push: uncurry(Array.prototype.push),
    shift: uncurry(Array.prototype.shift),

    includes: uncurry(String.prototype.includes),
    replaceAll: uncurry(String.prototype.replaceAll),
    slice: uncurry(String.prototype.slice),
    split: uncurry(String.prototype.split),
    startsWith: uncurry(String.prototype.startsWith),
    trim: uncurry(String.prototype.trim),

    toISOString: uncurry(Date.prototype.toISOString),

    allocUnsafe: Buffer.allocUnsafe,
    bufferFrom: Buffer.from,
    byteLength: Buffer.byteLength,
    concat: Buffer.concat,
    indexOf: uncurry(Buffer.prototype.indexOf),
    readUInt32BE: uncurry(Buffer.prototype.readUInt32BE),
    subarray: uncurry(Buffer.prototype.subarray),
    toText: uncurry(Buffer.prototype.toString),
    write: uncurry(Buffer.prototype.write),
    writeUInt32BE: uncurry(Buffer.prototype.writeUInt32BE),
};
