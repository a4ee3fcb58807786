// Prints from a timer when its invocation is over.

exports.handler = (event) => {
    if (event === 'behave') return 'well';
    if (event === 'again') console.log('mine');
    else for (let i = 1; i <= 5; i++) setTimeout(() => console.log('left by a timer'), i * 5);
    return 'answered';
};
