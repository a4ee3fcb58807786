// Throws where nobody catches, after it has answered.

exports.handler = (event) => {
    if (event === 'behave') return 'well';
    setTimeout(() => { throw new Error('late'); }, 5);
    return 'answered';
};
