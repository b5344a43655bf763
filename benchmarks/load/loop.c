/* What is due by the clock, and reading what came. */
#include "load.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>

enum { EVENTS = 64, IN_FLIGHT = 48 /* below the smallest default backlog among the contenders, 50 */ };
enum { PING_S = 15, SLOW_STEPS_S = 20, LONGEST_WAIT_US = 20000 };

struct group probes = {.number = 39};
uint64_t probe_gap_us, longest_turn_us;
int slow_bytes;

static uint64_t probe_due_us, slow_due_us, ping_due_us;

uint64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000ull + now.tv_nsec / 1000;
}

static void open_some(struct group *group, uint64_t now) {
    if (group->gap_us < 0) return;
    while (group->opened < group->size && group->opened - group->shaken - group->closed < IN_FLIGHT) {
        if (now < group->due_us) return;
        group->due_us += group->gap_us;
        client_open(&group->clients[group->opened], group->opened);
        group->opened++;
    }
}

static void change_some(struct group *group, uint64_t now) {
    while (group->change_gap_us && now >= group->change_due_us) {
        struct change *change = &group->changes[group->changed++ % group->changes_size];
        client_write(&group->clients[change->client], change->request, change->size);
        group->change_due_us += group->change_gap_us;
    }
}

/* A hundredth of the clients at a time, so that it never shows in the figures. */
static void ping_some(struct group *group) {
    if (group->shaken < group->size) return;
    for (int i = 0; i <= group->size / 100; i++) {
        struct client *client = &group->clients[group->pinged++ % group->size];
        if (client->state == OPEN && !client->away) client_write(client, group->ping, group->ping_size);
    }
}

static void slow_some(struct group *group) {
    for (int i = 0; i < group->size; i++)
        if (group->clients[i].away) client_read(&group->clients[i], slow_bytes / SLOW_STEPS_S);
}

static void probe(uint64_t now) {
    struct client *client = probes.clients;
    if (!client->subscribed || now < probe_due_us) return;
    client->subscribed = 0;
    client->began_us = now;
    probe_due_us = now + probe_gap_us;
    client_write(client, probes.ping, probes.ping_size);
}

void turn(double seconds) {
    struct epoll_event events[EVENTS];
    uint64_t now = now_us();
    double due = now + seconds * 1e6;
    for (int i = 0; i < MAX_GROUPS && groups[i].size; i++) {
        open_some(&groups[i], now);
        change_some(&groups[i], now);
        if (groups[i].gap_us > 0 && groups[i].opened < groups[i].size && groups[i].due_us < due) due = groups[i].due_us;
        if (groups[i].change_gap_us && groups[i].change_due_us < due) due = groups[i].change_due_us;
    }
    if (now >= ping_due_us) {
        ping_due_us = now + PING_S * 10000;
        for (int i = 0; i < MAX_GROUPS && groups[i].size; i++) ping_some(&groups[i]);
    }
    if (slow_bytes && now >= slow_due_us) {
        slow_due_us = now + 1000000 / SLOW_STEPS_S;
        slow_some(&groups[0]);
    }
    if (probe_gap_us) probe(now);
    if (probe_gap_us && probes.clients->subscribed && probe_due_us < due) due = probe_due_us;
    double wait_us = due < now ? 0 : due - now > LONGEST_WAIT_US ? LONGEST_WAIT_US : due - now;
    struct timespec wait = {.tv_nsec = (long)(wait_us * 1000)};
    int count = epoll_pwait2(epoll, events, EVENTS, &wait, NULL);
    uint64_t began = now_us();
    for (int i = 0; i < count; i++) client_ready(events[i].data.ptr, events[i].events);
    uint64_t took = now_us() - began;
    if (took > longest_turn_us) longest_turn_us = took;
}
