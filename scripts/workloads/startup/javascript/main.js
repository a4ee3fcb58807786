// Loads much: a graph of modules, each a file of its own, and modules of Node. A warm call loads the graph once more.
const fs = require("node:fs");
const path = require("node:path");
require("node:crypto");
require("node:http2");
require("node:worker_threads");
require("node:zlib");

const MODULES = 80;
const directory = fs.mkdtempSync("/tmp/modules-");

// Each needs the two below it, and has a table that is to be parsed.
for (let i = 0; i < MODULES; i++) {
    const needs = [2 * i + 1, 2 * i + 2].filter((n) => n < MODULES).map((n) => `require("./m${n}.js")`);
    const table = JSON.stringify(Array.from({ length: 100 }, (_, n) => ({ id: n, name: `row ${n} of ${i}` })));
    fs.writeFileSync(path.join(directory, `m${i}.js`), `exports.size = [${needs}].reduce((s, m) => s + m.size, ${table}.length);\n`);
}

function load() {
    for (const file of Object.keys(require.cache)) if (file.startsWith(directory)) delete require.cache[file];
    return require(path.join(directory, "m0.js")).size;
}

load();
exports.handler = async () => load();
