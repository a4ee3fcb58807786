'use strict';

// awslambda: handlers that write their answer to a stream. Until there are answers that stream, it is kept, and what was
// written is the output: JSON as it is, other text as a string, other bytes in Base64; after HttpResponseStream.from() the
// object with statusCode, headers and body that a function behind an HTTP gateway returns.

const { isUtf8 } = require('node:buffer');
const { Writable, finished } = require('node:stream');
const { parse, stringify } = require('./originals.js');

class ResponseStream extends Writable {
    #chunks = [];
    #prelude;

    _write(chunk, encoding, done) {
        this.#chunks.push(chunk);
        done();
    }

    setContentType() {} // the caller of a function gets JSON

    static from(stream, prelude) {
        stream.#prelude = parse(stringify(prelude ?? {}));
        return stream;
    }

    output() {
        const bytes = Buffer.concat(this.#chunks);
        const isText = isUtf8(bytes);
        const body = bytes.toString(isText ? 'utf8' : 'base64');
        if (this.#prelude || !isText) return { statusCode: 200, ...this.#prelude, body, isBase64Encoded: !isText };
        try {
            return parse(body);
        } catch {
            return body;
        }
    }
}

const HttpResponseStream = { from: ResponseStream.from };

function streamifyResponse(handler) {
    return async (event, context) => {
        const stream = new ResponseStream();
        const result = handler(event, stream, context);
        if (typeof result?.then !== 'function') throw new TypeError('a streaming handler must be async');
        await result;
        await new Promise((resolve, reject) => finished(stream, (error) => (error ? reject(error) : resolve())));
        return stream.output();
    };
}

module.exports = { HttpResponseStream, streamifyResponse };
