// Matches a regular expression that takes exponentially long.

exports.handler = (event) => {
    if (event === 'behave') return 'well';
    return /^(a+)+$/.test(`${'a'.repeat(64)}b`);
};
