// Starves the event loop: each microtask queues the next.

exports.handler = (event) => {
    if (event === 'behave') return 'well';
    const next = () => queueMicrotask(next); // a chain of promises would fill the memory, too
    next();
    return new Promise(() => {});
};
