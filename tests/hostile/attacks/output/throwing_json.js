// Returns an object that throws, loops and lies when it is turned into JSON.

exports.handler = (event) => {
    if (event === 'behave') return 'well';
    const result = { number: 1n, toJSON() { throw result; } };
    result.self = result;
    Object.defineProperty(result, 'message', { get() { throw result; } });
    return result;
};
