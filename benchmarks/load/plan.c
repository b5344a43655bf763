/* A plan is what load.py's `write_plan` wrote: numbers in the machine's order, texts with their length before them. */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void bytes(FILE *file, void *into, size_t size) {
    if (size && fread(into, size, 1, file) != 1) fail("the plan ends early");
}

static uint32_t count(FILE *file) {
    uint32_t value;
    bytes(file, &value, sizeof value);
    return value;
}

static char *text(FILE *file, uint32_t *size) {
    *size = count(file);
    char *found = calloc(1, *size + 1);
    bytes(file, found, *size);
    return found;
}

void plan_read(const char *path, struct group *group) {
    FILE *file = fopen(path, "rb");
    if (!file) fail("no plan %s", path);
    group->kind = count(file);
    group->hello = text(file, &group->hello_size);
    group->ready = text(file, &group->ready_size);
    group->ping = text(file, &group->ping_size);
    symbols = count(file);
    if (symbols > MAX_SYMBOLS) fail("too many symbols");
    for (int i = 0; i < symbols; i++) symbol_names[i] = text(file, &symbol_sizes[i]);
    group->size = count(file);
    group->clients = calloc(group->size, sizeof *group->clients);
    for (int i = 0; i < group->size; i++) {
        struct client *client = &group->clients[i];
        client->group = group;
        client->fd = -1;
        bytes(file, &client->wanted, sizeof client->wanted);
        client->period_us = count(file);
        client->requests = text(file, &client->requests_size);
        client->places = calloc(__builtin_popcountll(client->wanted) + 1, sizeof *client->places);
    }
    group->changes_size = count(file);
    group->changes = calloc(group->changes_size + 1, sizeof *group->changes);
    for (uint32_t i = 0; i < group->changes_size; i++) {
        struct change *change = &group->changes[i];
        change->client = count(file);
        change->request = text(file, &change->size);
    }
    fclose(file);
}
