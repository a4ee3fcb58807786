// Returns a promise that never settles, beside a timer that goes on.

exports.handler = (event) => {
    if (event === 'behave') return 'well';
    setInterval(() => {}, 100);
    return new Promise(() => {});
};
