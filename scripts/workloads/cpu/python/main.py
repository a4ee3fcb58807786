"""Computes: counts primes by trial division, in the language itself."""


def handler(event, context):
    count = 0
    for n in range(2, 12000):
        d = 2
        while d * d <= n and n % d:
            d += 1
        count += d * d > n
    return count
