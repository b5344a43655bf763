#include "load.h"

#include <stdlib.h>
#include <string.h>

enum { TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, STALE_US = 1000000 };

static struct place *place_of(struct client *client, int symbol) {
    return client->places + __builtin_popcountll(client->wanted & ((1ull << symbol) - 1));
}

/* Count a tick, and check it against the one before it of the same symbol. */
static void take(struct client *client, const struct tick *tick, size_t size, uint64_t now) {
    struct group *group = client->group;
    struct counts *counts = &group->counts;
    uint64_t age = now > tick->stamp_us ? now - tick->stamp_us : 0;
    if (!(client->wanted >> tick->symbol & 1)) {
        counts->unasked++;
        return;
    }
    struct place *place = place_of(client, tick->symbol);
    int is_quiet = client->period_us && tick->stamp_us >= place->stamp_us + client->period_us;
    if (place->stamp_us) {
        int step = (tick->number - place->number + NUMBERS) % NUMBERS;
        if (tick->stamp_us < place->stamp_us) counts->disordered++;
        else if (group->changes_size) {
            /* a symbol that was dropped and taken again begins with the newest tick, which may be a known one */
        } else if (!step && !tick->conflated) counts->repeated++;
        else if (!client->apart) {
            uint64_t left_out = (step + NUMBERS - 1) % NUMBERS;
            if (left_out == tick->conflated % NUMBERS) counts->conflated += tick->conflated;
            else counts->missing += left_out;
        }
    }
    place->stamp_us = tick->stamp_us;
    place->number = tick->number;
    if (client->apart) {
        counts->apart_ticks++;
        if (age > STALE_US) {
            if (client->fresh_us) client->stale_after_fresh++;
            else client->stale_bytes += size;
        } else if (!client->fresh_us) {
            client->fresh_us = now;
        }
        return;
    }
    counts->ticks++;
    ages_add(&group->window, age);
    if (is_quiet) ages_add(&group->quiet, age);
}

static void message(struct client *client, const char *data, size_t size, size_t whole, uint64_t now) {
    struct group *group = client->group;
    struct tick tick;
    int verdict = tick_parse(group->kind, data, size, &tick);
    if (verdict > 0) take(client, &tick, whole, now);
    else if (verdict < 0) group->counts.malformed++;
    else if (!client->subscribed && memmem(data, size, group->ready, group->ready_size)) {
        client->subscribed = 1;
        group->subscribed++;
        ages_add(&group->joins, now - client->began_us);
    }
}

/* NATS: MSG <subject> <sid> <#bytes>, the payload, and lines of its own. A frame may end anywhere. */
static void lines(struct client *client, const char *data, size_t size, uint64_t now) {
    static char text[MAX_CARRY];
    if (client->line_size + size > sizeof text) fail("a line of NATS is too long");
    memcpy(text, client->line, client->line_size);
    memcpy(text + client->line_size, data, size);
    size_t end = client->line_size + size, at = 0;
    while (at < end) {
        char *stop = memmem(text + at, end - at, "\r\n", 2);
        if (!stop) break;
        size_t next = stop + 2 - text;
        if (end - at > 4 && !memcmp(text + at, "MSG ", 4)) {
            char *space = stop;
            while (space[-1] != ' ') space--;
            size_t bytes = strtoul(space, NULL, 10);
            if (next + bytes + 2 > end) break;
            message(client, text + next, bytes, next + bytes + 2 - at, now);
            next += bytes + 2;
        } else if (!memcmp(text + at, "PING\r\n", 6)) {
            client_write(client, client->group->ping, client->group->ping_size); /* its PONG is not asked for */
        } else {
            message(client, text + at, next - at, next - at, now);
        }
        at = next;
    }
    client->line_size = end - at;
    client->line = realloc(client->line, client->line_size + 1);
    memcpy(client->line, text + at, client->line_size);
}

static void pong(struct client *client, const char *data, size_t size) {
    char out[6 + 125] = {(char)0x8A, (char)(0x80 | size)}; /* masked with zeros */
    memcpy(out + 6, data, size);
    client_write(client, out, size + 6);
}

size_t frames_read(struct client *client, char *data, size_t size, uint64_t now) {
    size_t at = 0;
    while (size - at >= 2 && client->state == OPEN) {
        const unsigned char *head = (const unsigned char *)data + at;
        uint64_t length = head[1] & 127;
        size_t skip = 2;
        if (length == 126) {
            if (size - at < 4) break;
            length = head[2] << 8 | head[3];
            skip = 4;
        } else if (length == 127) {
            if (size - at < 10) break;
            length = 0;
            for (int i = 2; i < 10; i++) length = length << 8 | head[i];
            skip = 10;
        }
        if (head[0] & 0x70 || head[1] & 0x80 || length > MAX_CARRY) {
            client->group->counts.malformed++;
            client_close(client);
            break;
        }
        if (size - at < skip + length) break;
        char *payload = data + at + skip;
        switch (head[0]) {
        case 0x80 | TEXT:
        case 0x80 | BINARY:
            if (client->group->kind == KIND_NATS) lines(client, payload, length, now);
            else message(client, payload, length, skip + length, now);
            break;
        case 0x80 | PING:
            pong(client, payload, length);
            break;
        case 0x80 | CLOSE:
            client_close(client);
            break;
        }
        at += skip + length;
    }
    return at;
}
