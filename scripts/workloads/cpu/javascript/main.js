// Computes: counts primes by trial division, in the language itself.
exports.handler = async () => {
    let count = 0;
    for (let n = 2; n < 120000; n++) {
        let d = 2;
        while (d * d <= n && n % d !== 0) d++;
        count += d * d > n ? 1 : 0;
    }
    return count;
};
