// Moves memory: gets new pages, writes each, copies them, and gives them back.
const SIZE = 16 << 20;

exports.handler = async () => {
    const buffer = Buffer.alloc(SIZE);
    for (let page = 0; page < SIZE; page += 4096) buffer[page] = (page >> 12) & 255;
    const copy = Buffer.from(buffer);
    return copy[4096 * 17] + copy.length;
};
