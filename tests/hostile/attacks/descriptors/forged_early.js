// Answers itself at once, so that its agent's answer comes while the next invocation is under way, whose client calls it the same.

const fs = require('node:fs');

exports.handler = async (event, context) => {
    if (event === 'behave') return 'well';
    const payload = Buffer.from(`{"invocation_id":"${context.invocationId}"}\n"forged"`);
    const header = Buffer.from([0, 0, 0, 0, 6]);
    header.writeUInt32BE(payload.length);
    fs.writeSync(3, Buffer.concat([header, payload]));
    await new Promise((resolve) => setTimeout(resolve, 500));
    return "the agent's";
};
