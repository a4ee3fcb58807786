// Returns an array nested 100000 deep.

exports.handler = (event) => {
    if (event === 'behave') return 'well';
    let result = [];
    for (let i = 0; i < 100000; i++) result = [result];
    return result;
};
