'use strict';

// What the Node.js runtime of AWS Lambda has around a handler besides the call: environment variables, the names in the
// context, the modules of layers, awslambda, os.userInfo().

const fs = require('node:fs');
const Module = require('node:module');
const os = require('node:os');
const { slice } = require('./originals.js');

const TASK_ROOT = '/var/task';
const major = process.versions.node.split('.')[0];

function sameDirectory(one, other) {
    try {
        const [a, b] = [fs.statSync(one), fs.statSync(other)];
        return a.dev === b.dev && a.ino === b.ino;
    } catch {
        return false;
    }
}

const digits = (count) => Array.from({ length: count }, () => Math.floor(Math.random() * 16).toString(16)).join('');

const today = () => new Date().toISOString().slice(0, 10).replaceAll('-', '/');

// Before INIT: what is the same for all functions.
function prepare(directory) {
    Object.assign(process.env, {
        AWS_EXECUTION_ENV: `AWS_Lambda_nodejs${major}.x`,
        LAMBDA_RUNTIME_DIR: __dirname,
        LAMBDA_TASK_ROOT: sameDirectory(TASK_ROOT, directory) ? TASK_ROOT : directory,
        LANG: 'C.UTF-8',
        NODE_PATH: `/opt/nodejs/node${major}/node_modules:/opt/nodejs/node_modules`,
        TZ: ':UTC',
    });
    Module._initPaths(); // Node.js has read NODE_PATH already
    today(); // the first time takes as long as all the rest of assign()

    Object.defineProperty(globalThis, 'awslambda', {
        configurable: true,
        get: () => require('./streaming.js'), // few functions have it
    });

    const { userInfo } = os;
    os.userInfo = function (options) {
        try {
            return userInfo(options);
        } catch (error) {
            if (error.code !== 'ERR_SYSTEM_ERROR') throw error;
            const { uid, gid } = { uid: process.getuid(), gid: process.getgid() }; // a uid that is not in /etc/passwd
            const texts = { username: 'sandbox', homedir: os.tmpdir(), shell: '/bin/sh' };
            if (options?.encoding === 'buffer') for (const name in texts) texts[name] = Buffer.from(texts[name]);
            return { uid, gid, ...texts };
        }
    };
}

// With INIT: sets the environment; returns the members of the context that all invocations share.
function assign({ function: { name, version, region, account_id, sandbox_id }, handler, limits, environment }) {
    region ??= 'us-east-1';
    const id = /^[0-9a-f]{32}$/.test(sandbox_id) ? sandbox_id : digits(32);
    const day = today();
    const shared = {
        functionName: name,
        functionVersion: String(version),
        memoryLimitInMB: String(limits.memory_limit_mb),
        invokedFunctionArn: `arn:aws:lambda:${region}:${account_id ?? '000000000000'}:function:${name}:${version}`,
        logGroupName: `/aws/lambda/${name}`,
        logStreamName: `${day}/[${version}]${id}`,
    };
    Object.assign(process.env, {
        AWS_LAMBDA_FUNCTION_NAME: name,
        AWS_LAMBDA_FUNCTION_VERSION: version,
        AWS_LAMBDA_FUNCTION_MEMORY_SIZE: limits.memory_limit_mb,
        AWS_LAMBDA_LOG_GROUP_NAME: shared.logGroupName,
        AWS_LAMBDA_LOG_STREAM_NAME: shared.logStreamName,
        AWS_REGION: region,
        AWS_DEFAULT_REGION: region,
        _HANDLER: handler,
        ...environment,
    });
    if (environment?.NODE_PATH !== undefined) Module._initPaths();
    return shared;
}

let traced = null; // the traceparent of the variable

// With INVOKE: the variable in which libraries for X-Ray find the trace.
function trace(traceparent) {
    if (traceparent === traced) return;
    traced = traceparent;
    if (traceparent?.length >= 55) {
        const root = `1-${slice(traceparent, 3, 11)}-${slice(traceparent, 11, 35)}`;
        const sampled = `0x${slice(traceparent, 53, 55)}` & 1;
        process.env._X_AMZN_TRACE_ID = `Root=${root};Parent=${slice(traceparent, 36, 52)};Sampled=${sampled}`;
    } else {
        delete process.env._X_AMZN_TRACE_ID;
    }
}

module.exports = { assign, prepare, trace };
