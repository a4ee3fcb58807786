// Works with small files in /tmp: writes, lists, reads and deletes them.
const fs = require("node:fs");

const FILES = 200;

exports.handler = async () => {
    const directory = fs.mkdtempSync("/tmp/files-");
    let size = 0;
    for (let i = 0; i < FILES; i++) fs.writeFileSync(`${directory}/${i}`, Buffer.alloc(1000));
    for (const name of fs.readdirSync(directory)) size += fs.readFileSync(`${directory}/${name}`).length;
    fs.rmSync(directory, { recursive: true });
    return size;
};
