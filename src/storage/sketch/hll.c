#include "storage/sketch/hll.h"

#include <math.h>

enum { HLL_RANKS = 64 - HLL_BITS + 2 };

void hll_merge(uint8_t *into, const uint8_t *from)
{
    for (int i = 0; i < HLL_REGISTERS; i++)
        into[i] = from[i] > into[i] ? from[i] : into[i];
}

/* Registers that are still 0. */
static double sigma(double x)
{
    double y = 1, z = x, before;
    do {
        x *= x;
        before = z;
        z += x * y;
        y += y;
    } while (z != before && isfinite(z));
    return z;
}

/* Registers that can grow no more. */
static double tau(double x)
{
    double y = 1, z = 1 - x, before;
    if (x <= 0 || x >= 1)
        return 0;
    do {
        x = sqrt(x);
        before = z;
        y *= 0.5;
        z -= (1 - x) * (1 - x) * y;
    } while (z != before);
    return z / 3;
}

double hll_estimate(const uint8_t *registers)
{
    const double m = HLL_REGISTERS;
    uint32_t counts[HLL_RANKS] = {0};
    for (int i = 0; i < HLL_REGISTERS; i++)
        counts[registers[i] < HLL_RANKS ? registers[i] : HLL_RANKS - 1]++;
    if (counts[0] == HLL_REGISTERS)
        return 0;
    double z = m * tau(1 - counts[HLL_RANKS - 1] / m);
    for (int k = HLL_RANKS - 2; k >= 1; k--)
        z = 0.5 * (z + counts[k]);
    z += m * sigma(counts[0] / m);
    return m * m / (2 * log(2.0)) / z;
}
