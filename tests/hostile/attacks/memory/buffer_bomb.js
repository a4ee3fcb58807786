// Takes memory outside the heap of the JavaScript engine, where its own limit does not count.

exports.handler = (event) => {
    if (event === 'behave') return 'well';
    const kept = [];
    for (;;) kept.push(Buffer.alloc(8 << 20, 1));
};
