// Returns a promise that never settles.

exports.handler = (event) => (event === 'behave' ? 'well' : new Promise(() => {}));
