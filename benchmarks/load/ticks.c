/* A tick is looked at closely once and recognised by its bytes after that: the same ones go to many clients. */
#include "load.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { KEPT = 16384, KEPT_BYTES = 256 };

static struct kept {
    uint64_t hash;
    uint32_t size;
    int verdict;
    struct tick tick;
    char bytes[KEPT_BYTES];
} kept[KEPT];

static uint64_t hash(const char *data, size_t size) {
    uint64_t sum = size, word;
    size_t at = 0;
    for (; at + 8 <= size; at += 8) {
        memcpy(&word, data + at, 8);
        sum = (sum ^ word) * 0x9E3779B97F4A7C15ull;
        sum ^= sum >> 32;
    }
    if (size >= 8) {
        memcpy(&word, data + size - 8, 8);
        sum = (sum ^ word) * 0x9E3779B97F4A7C15ull;
    }
    return sum ^ sum >> 29;
}

/* The number after the name, which must be there; NAN if it is not. */
static double number(const char *data, size_t size, const char *name) {
    size_t length = strlen(name);
    const char *at = memmem(data, size, name, length);
    if (!at) return NAN;
    char text[40] = {0};
    size_t left = data + size - at - length;
    memcpy(text, at + length, left < 39 ? left : 39);
    char *end;
    double value = strtod(text, &end);
    return end == text || (*end != ',' && *end != '}') ? NAN : value;
}

static int is_recent(double unix_ms) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return fabs(unix_ms - now.tv_sec * 1e3) < 3600e3;
}

/* What the numbers of a tick must be to one another: see feed.py. */
static int check(struct tick *tick, double id, double bid, double spread, double unix_ms) {
    if (!(id >= 1 && id <= symbols && bid > 0 && spread >= 1 && spread <= NUMBERS && is_recent(unix_ms))) return -1;
    tick->symbol = (int)id - 1;
    tick->stamp_us = (uint64_t)bid;
    tick->number = (int)spread - 1;
    return 1;
}

static int json(const char *data, size_t size, struct tick *tick) {
    static const char head[] = "{\"type\":\"tick\",\"symbol\":\"";
    if (size < sizeof head || memcmp(data, head, sizeof head - 1)) return 0;
    if (data[size - 1] != '}' || memchr(data, 0, size)) return -1;
    double bid = rint(number(data, size, "\"bid\":") * 1e5), ask = rint(number(data, size, "\"ask\":") * 1e5);
    double spread = rint(number(data, size, "\"spread\":") * 1e5);
    double id = number(data, size, "\"symbolId\":"), unix_ms = number(data, size, "\"timestamp\":");
    if (!(ask - bid == spread) || check(tick, id, bid, spread, unix_ms) < 0) return -1;
    const char *name = data + sizeof head - 1;
    double conflated = number(data, size, "\"conflated\":");
    tick->conflated = conflated > 0 ? (uint64_t)conflated : 0;
    uint32_t length = symbol_sizes[tick->symbol];
    if (name + length >= data + size || memcmp(name, symbol_names[tick->symbol], length) || name[length] != '"') return -1;
    return 1;
}

static uint64_t varint(const unsigned char **at, const unsigned char *end) {
    uint64_t value = 0;
    for (int shift = 0; *at < end && shift < 64; shift += 7) {
        unsigned char byte = *(*at)++;
        value |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) break;
    }
    return value;
}

/* ServerMessage{tick = 1}: symbol_id 1, bid 2 and spread 3 (zigzag), timestamp 4, conflated 7, and others. */
static int protobuf(const char *data, size_t size, struct tick *tick) {
    const unsigned char *at = (const unsigned char *)data, *end = at + size;
    if (!size || *at++ != 0x0A) return 0;
    uint64_t length = varint(&at, end), found[8] = {0};
    if (length != (uint64_t)(end - at)) return -1;
    while (at < end) {
        uint64_t tag = varint(&at, end);
        if ((tag & 7) == 2) {
            uint64_t bytes = varint(&at, end);
            if (bytes > (uint64_t)(end - at)) return -1;
            at += bytes;
        } else if (tag & 7) {
            return -1;
        } else {
            uint64_t value = varint(&at, end);
            if (tag >> 3 < 8) found[tag >> 3] = value;
        }
    }
    tick->conflated = found[7];
    return check(tick, found[1], found[2] >> 1, found[3] >> 1, found[4]);
}

int tick_parse(enum kind kind, const char *data, size_t size, struct tick *tick) {
    if (size > KEPT_BYTES) return kind == KIND_PROTOBUF ? protobuf(data, size, tick) : json(data, size, tick);
    uint64_t sum = hash(data, size);
    struct kept *slot = &kept[sum % KEPT];
    if (slot->hash != sum || slot->size != size || memcmp(slot->bytes, data, size)) {
        slot->verdict = kind == KIND_PROTOBUF ? protobuf(data, size, &slot->tick) : json(data, size, &slot->tick);
        slot->hash = sum;
        slot->size = size;
        memcpy(slot->bytes, data, size);
    }
    *tick = slot->tick;
    return slot->verdict;
}
