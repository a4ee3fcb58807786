// Leaves a thread that spins on between invocations, when no invocation is charged for it.

const { Worker } = require('node:worker_threads');

exports.handler = async (event) => {
    if (event === 'behave') return 'well';
    if (event === 'who') return process.getuid();
    const worker = new Worker('for (;;) {}', { eval: true });
    await new Promise((resolve) => worker.on('online', resolve));
    return 'left';
};
