// Fills the heap of the JavaScript engine with arrays that stay reachable.

exports.handler = (event) => {
    if (event === 'behave') return 'well';
    const kept = [];
    for (;;) kept.push(new Array(1 << 20).fill(kept.length + 0.5));
};
