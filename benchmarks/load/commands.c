/* What each command does; main.c tells them. */
#include "load.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { STAGE_S = 60 };

void say(const char *format, ...) {
    va_list rest;
    va_start(rest, format);
    vprintf(format, rest);
    putchar('\n');
    fflush(stdout);
    va_end(rest);
}

void fail(const char *format, ...) {
    va_list rest;
    va_start(rest, format);
    printf("{\"error\": \"");
    vprintf(format, rest);
    printf("\"}\n");
    fflush(stdout);
    va_end(rest);
    exit(1);
}

static double cpu_s(void) {
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return used.tv_sec + used.tv_nsec / 1e9;
}

static void await(int *counter, struct group *group, const char *what) {
    uint64_t began = now_us();
    while (*counter < group->size) {
        turn(0.02);
        if (group->closed) fail("%d clients were cut off", group->closed);
        if (now_us() - began > STAGE_S * 1000000ull)
            fail("%d of %d clients %s after %d s", *counter, group->size, what, STAGE_S);
    }
}

void connect_all(struct group *group) {
    uint64_t began = now_us();
    group->gap_us = 0;
    await(&group->shaken, group, "have their handshake answered");
    say("{\"seconds\": %.6f}", (now_us() - began) / 1e6);
}

void request_all(struct group *group) {
    uint64_t now = now_us();
    for (int i = 0; i < group->size; i++) {
        group->clients[i].began_us = now;
        group->clients[i].subscribed = 0;
        client_write(&group->clients[i], group->clients[i].requests, group->clients[i].requests_size);
    }
    group->subscribed = 0;
}

void subscribe_all(struct group *group) {
    uint64_t began = now_us();
    request_all(group);
    await(&group->subscribed, group, "have their subscription answered");
    say("{\"seconds\": %.6f}", (now_us() - began) / 1e6);
}

void join(struct group *group, double per_s) {
    group->subscribes = 1;
    group->gap_us = 1e6 / per_s;
    group->due_us = now_us();
    say("{}");
}

void joined(struct group *group) {
    await(&group->subscribed, group, "have joined");
    say("{\"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f}", ages_ms(&group->joins, 0.5),
        ages_ms(&group->joins, 0.99), group->joins.max_us / 1000.0);
}

void probe_from_now(double gap_ms) {
    if (!probes.size) {
        probes = groups[0];
        probes.number = 39;
        probes.size = 1;
        probes.opened = probes.shaken = probes.subscribed = probes.closed = 0;
        probes.ready = "ong"; /* "pong", PONG */
        probes.ready_size = 3;
        probes.clients = calloc(1, sizeof *probes.clients);
        probes.clients->group = &probes;
        client_open(probes.clients, 0);
        uint64_t began = now_us();
        while (!probes.shaken && now_us() - began < STAGE_S * 1000000ull) turn(0.01);
        probes.clients->subscribed = 1;
    }
    probe_gap_us = gap_ms * 1000;
    say("{}");
}

void set_apart(int clients, int bytes_s) {
    struct group *group = &groups[0];
    for (int i = group->size - clients < 0 ? 0 : group->size - clients; i < group->size; i++) {
        struct client *client = &group->clients[i];
        client->apart = 1;
        client->fresh_us = client->stale_bytes = client->stale_after_fresh = 0;
        client_watch(client, 0);
    }
    slow_bytes = bytes_s;
    say("{}");
}

static int by_size(const void *one, const void *other) {
    double first = *(const double *)one, second = *(const double *)other;
    return (first > second) - (first < second);
}

void awake(double seconds) {
    struct group *group = &groups[0];
    uint64_t began = now_us();
    for (int i = 0; i < group->size; i++) client_watch(&group->clients[i], 1);
    while (now_us() - began < seconds * 1e6) turn(0.01);
    int clients = 0, closed = 0, fresh = 0, stale_after = 0;
    double *kib = calloc(group->size + 1, sizeof *kib), *after_ms = calloc(group->size + 1, sizeof *after_ms);
    for (int i = 0; i < group->size; i++) {
        struct client *client = &group->clients[i];
        if (!client->apart) continue;
        kib[clients++] = client->stale_bytes / 1024.0;
        closed += client->state == CLOSED;
        stale_after += client->stale_after_fresh > 0;
        if (client->fresh_us) after_ms[fresh++] = (client->fresh_us - began) / 1000.0;
        client->apart = 0;
    }
    qsort(kib, clients, sizeof *kib, by_size);
    qsort(after_ms, fresh, sizeof *after_ms, by_size);
    say("{\"clients\": %d, \"closed\": %d, \"fresh\": %d, \"stale_after_fresh\": %d, \"stale_kib\": %.1f, "
        "\"fresh_after_ms\": %.1f, \"fresh_after_ms_max\": %.1f}",
        clients, closed, fresh, stale_after, kib[clients / 2], after_ms[fresh / 2], fresh ? after_ms[fresh - 1] : 0);
    free(kib);
    free(after_ms);
}

void measure(double seconds, double window_ms) {
    static struct ages empty, total;
    struct group *group = &groups[0];
    group->counts = (struct counts){0};
    group->window = group->quiet = total = probes.joins = empty;
    longest_turn_us = 0;
    double began_cpu = cpu_s(), worst_ms = 0;
    uint64_t began = now_us(), end = began + seconds * 1e6, window_end = began + window_ms * 1000, now = began;
    while (now < end) {
        turn((end - now) / 1e6);
        now = now_us();
        if (now >= window_end) {
            double p99 = ages_ms(&group->window, 0.99);
            if (p99 > worst_ms) worst_ms = p99;
            ages_merge(&total, &group->window);
            window_end = now + window_ms * 1000;
        }
    }
    ages_merge(&total, &group->window);
    double took = (now - began) / 1e6;
    struct counts *counts = &group->counts;
    printf("{\"seconds\": %.6f, \"ticks\": %lu, \"rate\": %.3f, \"bytes\": %lu, \"reads\": %lu, ", took, counts->ticks,
           counts->ticks / took, counts->bytes, counts->reads);
    printf("\"p50_ms\": %.3f, \"p99_ms\": %.3f, \"p999_ms\": %.3f, \"max_ms\": %.3f, \"worst_window_ms\": %.3f, ",
           ages_ms(&total, 0.5), ages_ms(&total, 0.99), ages_ms(&total, 0.999), total.max_us / 1000.0, worst_ms);
    printf("\"quiet\": %lu, \"quiet_p50_ms\": %.3f, \"quiet_p99_ms\": %.3f, ", group->quiet.count,
           ages_ms(&group->quiet, 0.5), ages_ms(&group->quiet, 0.99));
    printf("\"trips\": %lu, \"trip_p50_ms\": %.3f, \"trip_p99_ms\": %.3f, \"trip_max_ms\": %.3f, ", probes.joins.count,
           ages_ms(&probes.joins, 0.5), ages_ms(&probes.joins, 0.99), probes.joins.max_us / 1000.0);
    printf("\"malformed\": %lu, \"unasked\": %lu, \"disordered\": %lu, \"repeated\": %lu, \"missing\": %lu, "
           "\"conflated\": %lu, ",
           counts->malformed, counts->unasked, counts->disordered, counts->repeated, counts->missing, counts->conflated);
    say("\"apart_ticks\": %lu, \"closed\": %d, \"busy\": %.4f, \"longest_turn_ms\": %.3f}", counts->apart_ticks,
        group->closed, (cpu_s() - began_cpu) / took, longest_turn_us / 1000.0);
}

void count_ticks(struct group *group) {
    struct counts *counts = &group->counts;
    say("{\"ticks\": %lu, \"missing\": %lu, \"wrong\": %lu, \"closed\": %d}", counts->ticks, counts->missing,
        counts->malformed + counts->unasked + counts->disordered + counts->repeated, group->closed);
}
