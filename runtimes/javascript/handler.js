'use strict';

// Finds the function that a handler setting names, in CommonJS or an ES module, and the line of code that does not compile.

const fs = require('node:fs');
const Module = require('node:module');
const path = require('node:path');
const { pathToFileURL } = require('node:url');
const resources = require('./resources.js');
const { isNativeError, stackOf } = require('./errors.js');

const FILES_MAX = 10; // of the function's, in the message that the one with the handler is not there

class HandlerError extends Error {}

let source; // the file with the handler

// Returns the function that a handler such as "main.handler" or "pkg/mod.handler" names.
async function load(directory, name) {
    const match = /^((?:.*\/)?[^./]+)\.([^/]+)$/.exec(name);
    if (!match) throw new HandlerError(`handler '${name}' is not of the form 'module.function'`);
    const base = path.join(directory, match[1]);
    source = ['.js', '.mjs', '.cjs'].map((end) => base + end).find((file) => fs.existsSync(file));
    if (!source) {
        const files = fs.readdirSync(directory).sort().slice(0, FILES_MAX).join(', ');
        throw new HandlerError(`handler '${name}': there is no ${match[1]}.js, .mjs or .cjs; name one of the function's files: ${files}`);
    }

    let found = await loadModule(source);
    for (const part of match[2].split('.')) found = found?.[part];
    if (found === undefined) throw new HandlerError(`handler '${name}': ${source} does not export '${match[2]}'`);
    if (typeof found !== 'function') throw new HandlerError(`handler '${name}': '${match[2]}' is not a function`);
    return found;
}

async function loadModule(file) {
    if (file.endsWith('.mjs')) return importFile(file);

    // Before Node.js 20.19, an ES module in a .js file without a package.json causes a syntax error and a warning.
    const listeners = process.listeners('warning');
    process.removeAllListeners('warning');
    try {
        return require(file);
    } catch (error) {
        if (error?.code === 'ERR_REQUIRE_ESM' || error?.code === 'ERR_REQUIRE_ASYNC_MODULE') return importFile(file);
        if (file.endsWith('.cjs') || placeOf(error)?.file !== file) throw error;
        return await loadUndeclared(file, error);
    } finally {
        for (const listener of listeners) process.on('warning', listener);
    }
}

const importFile = (file) => resources.watch(() => import(pathToFileURL(file).href));

const ESM_SYNTAX = /import statement|import\.meta|token 'export'|token 'import'/;

// Tries a file that does not compile as CommonJS as an ES module. Of two errors, the more fitting one is that of the reading
// that came further; code with the syntax of modules is meant to be one.
async function loadUndeclared(file, error) {
    treatAsModule(pathToFileURL(file).href);
    const meant = ESM_SYNTAX.test(error.message);
    try {
        const found = await importFile(file);
        if (meant || Object.keys(found).length > 0) return found;
    } catch (other) {
        if (meant || !(syntaxErrorAt(other)?.line <= placeOf(error).line)) throw other;
    }
    throw error;
}

// Declares the file to be an ES module. Hooks run in a thread that takes 50 ms to start, so this is the last resort.
function treatAsModule(url) {
    const hook = `export const load = (url, context, next) =>
        next(url, url === ${JSON.stringify(url)} ? { ...context, format: 'module' } : context);`;
    Module.register(`data:text/javascript,${encodeURIComponent(hook)}`);
}

const isSyntaxError = (error) => isNativeError(error) && error.name === 'SyntaxError';

// Where CommonJS does not compile; undefined for any other error.
function placeOf(error) {
    const [, file, line] = (isSyntaxError(error) && /^(?:file:\/\/)?(\/.*):(\d+)\n/.exec(error.stack)) || [];
    return file && { file, line: Number(line) };
}

// For code of the function that does not compile: { file, line }, line 0 if unknown; undefined for any other error.
function syntaxErrorAt(error) {
    const place = placeOf(error);
    if (place || !isSyntaxError(error)) return place;
    if (stackOf(error).some((frame) => frame.includes(path.dirname(source)))) return undefined; // thrown by code that compiles
    // Node.js does not report the line of an ES module that does not compile; its syntax checker prints it.
    const check = ['--input-type=module', '--check', '-'];
    const { stderr } = require('node:child_process').spawnSync(process.execPath, check, { input: fs.readFileSync(source) });
    return { file: source, line: Number(/^\[stdin\]:(\d+)/m.exec(stderr)?.[1] || 0) };
}

module.exports = { HandlerError, load, syntaxErrorAt };
