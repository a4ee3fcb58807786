// Blocks the event loop for ever.

exports.handler = (event) => {
    if (event === 'behave') return 'well';
    for (;;);
};
