#include "load.h"

#include <string.h>

static int bin(uint64_t us) {
    if (us < BINS_PER_OCTAVE * 2) return (int)us;
    int octave = 63 - __builtin_clzll(us) - 6; /* 2^6 bins an octave */
    int place = (octave + 1) * BINS_PER_OCTAVE + (int)((us >> octave) - BINS_PER_OCTAVE);
    return place < BINS ? place : BINS - 1;
}

static double upper_us(int bin) {
    if (bin < BINS_PER_OCTAVE * 2) return bin + 1;
    int octave = bin / BINS_PER_OCTAVE - 1;
    return (double)((uint64_t)(bin % BINS_PER_OCTAVE + BINS_PER_OCTAVE + 1) << octave);
}

void ages_add(struct ages *ages, uint64_t age_us) {
    ages->bins[bin(age_us)]++;
    ages->count++;
    if (age_us > ages->max_us) ages->max_us = age_us;
}

void ages_merge(struct ages *into, struct ages *from) {
    for (int i = 0; i < BINS; i++) into->bins[i] += from->bins[i];
    into->count += from->count;
    if (from->max_us > into->max_us) into->max_us = from->max_us;
    memset(from, 0, sizeof *from);
}

/* The age in milliseconds below which that share of the ticks arrived; 0 where there were none. */
double ages_ms(const struct ages *ages, double share) {
    uint64_t seen = 0;
    if (!ages->count) return 0;
    for (int i = 0; i < BINS; i++) {
        seen += ages->bins[i];
        if (ages->bins[i] && seen >= share * ages->count) {
            double us = upper_us(i);
            return (us < ages->max_us ? us : ages->max_us) / 1000;
        }
    }
    return ages->max_us / 1000.0;
}
