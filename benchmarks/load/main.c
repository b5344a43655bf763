/*     load PORT TLS
 *
 * PORT on 127.0.0.1; TLS is 1 or 0. Lines on standard input, each answered by one line of JSON:
 *
 *     plan G FILE         the clients of group G; the figures are those of group 0, of the others what is said
 *     connect G           opens every client of the group
 *     subscribe G         sends its requests, and waits for the answers
 *     join G PER_S        does both, client by client, so many a second; is answered at once
 *     joined G            waits until all are subscribed
 *     request G           sends the requests of all at once; is answered at once
 *     churn PER_S         changes the lists of clients, one after the other
 *     probe MS            from now on asks for a pong so often
 *     stall N             the last N clients stop reading
 *     slow N BYTES_S      they read so slowly
 *     awake S             the stalled ones read again, for so long
 *     measure S WINDOW_MS counts and measures
 *     count G             ticks of the group, and what was wrong with them; of group 0 since the last `measure` began
 *     leave G             closes every connection
 *
 * Between commands it goes on reading. It ends when standard input closes.
 */
#include "load.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 64, IN_FLIGHT = 48 /* below the smallest default backlog among the contenders, 50 */, STAGE_S = 60 };
enum { PING_S = 15, SLOW_STEPS_S = 20, LONGEST_WAIT_US = 20000 };

char *symbol_names[MAX_SYMBOLS];
uint32_t symbol_sizes[MAX_SYMBOLS];
int symbols, port, epoll;
SSL_CTX *tls;
struct group groups[MAX_GROUPS];

/* The client that asks for pongs. */
static struct group probes = {.number = 39};
static uint64_t probe_gap_us, probe_due_us;

static uint64_t slow_due_us, ping_due_us, longest_turn_us;
static int slow_bytes;

uint64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000ull + now.tv_nsec / 1000;
}

static double cpu_s(void) {
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return used.tv_sec + used.tv_nsec / 1e9;
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

static struct group *group_of(int number) {
    if (number < 0 || number >= MAX_GROUPS || !groups[number].size) fail("no group %d", number);
    return &groups[number];
}

/* What is due by the clock. */

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

/* Read what came within so many seconds at most; returns after a few clients. */
static void turn(double seconds) {
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

static void await(int *counter, struct group *group, const char *what) {
    uint64_t began = now_us();
    while (*counter < group->size) {
        turn(0.02);
        if (group->closed) fail("%d clients were cut off", group->closed);
        if (now_us() - began > STAGE_S * 1000000ull)
            fail("%d of %d clients %s after %d s", *counter, group->size, what, STAGE_S);
    }
}

/* The commands. */

static void say(const char *format, ...) {
    va_list rest;
    va_start(rest, format);
    vprintf(format, rest);
    putchar('\n');
    fflush(stdout);
    va_end(rest);
}

static void connect_all(struct group *group) {
    uint64_t began = now_us();
    group->gap_us = 0;
    await(&group->shaken, group, "have their handshake answered");
    say("{\"seconds\": %.6f}", (now_us() - began) / 1e6);
}

static void request_all(struct group *group) {
    uint64_t now = now_us();
    for (int i = 0; i < group->size; i++) {
        group->clients[i].began_us = now;
        group->clients[i].subscribed = 0;
        client_write(&group->clients[i], group->clients[i].requests, group->clients[i].requests_size);
    }
    group->subscribed = 0;
}

static void subscribe_all(struct group *group) {
    uint64_t began = now_us();
    request_all(group);
    await(&group->subscribed, group, "have their subscription answered");
    say("{\"seconds\": %.6f}", (now_us() - began) / 1e6);
}

static void join(struct group *group, double per_s) {
    group->subscribes = 1;
    group->gap_us = 1e6 / per_s;
    group->due_us = now_us();
    say("{}");
}

static void joined(struct group *group) {
    await(&group->subscribed, group, "have joined");
    say("{\"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f}", ages_ms(&group->joins, 0.5),
        ages_ms(&group->joins, 0.99), group->joins.max_us / 1000.0);
}

static void probe_from_now(double gap_ms) {
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
    probe_due_us = now_us();
    say("{}");
}

static void set_apart(int clients, int bytes_s) {
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

static void awake(double seconds) {
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

static void measure(double seconds, double window_ms) {
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

static void count(struct group *group) {
    struct counts *counts = &group->counts;
    say("{\"ticks\": %lu, \"missing\": %lu, \"wrong\": %lu, \"closed\": %d}", counts->ticks, counts->missing,
        counts->malformed + counts->unasked + counts->disordered + counts->repeated, group->closed);
}

static void obey(char *line) {
    int number;
    double first, second;
    char path[4096];
    if (sscanf(line, "plan %d %4095s", &number, path) == 2) {
        if (number < 0 || number >= MAX_GROUPS) fail("no group %d", number);
        groups[number].number = number;
        groups[number].gap_us = -1;
        plan_read(path, &groups[number]);
        say("{\"clients\": %d}", groups[number].size);
    } else if (sscanf(line, "connect %d", &number) == 1) connect_all(group_of(number));
    else if (sscanf(line, "subscribe %d", &number) == 1) subscribe_all(group_of(number));
    else if (sscanf(line, "join %d %lf", &number, &first) == 2) join(group_of(number), first);
    else if (sscanf(line, "joined %d", &number) == 1) joined(group_of(number));
    else if (sscanf(line, "request %d", &number) == 1) {
        request_all(group_of(number));
        say("{}");
    } else if (sscanf(line, "churn %lf", &first) == 1) {
        struct group *group = group_of(0);
        if (!group->changes_size) fail("the plan has no changes");
        group->change_gap_us = 1e6 / first;
        group->change_due_us = now_us();
        say("{}");
    } else if (sscanf(line, "probe %lf", &first) == 1) probe_from_now(first);
    else if (sscanf(line, "stall %d", &number) == 1) set_apart(number, 0);
    else if (sscanf(line, "slow %d %lf", &number, &first) == 2) set_apart(number, (int)first);
    else if (sscanf(line, "awake %lf", &first) == 1) awake(first);
    else if (sscanf(line, "measure %lf %lf", &first, &second) == 2) measure(first, second);
    else if (sscanf(line, "count %d", &number) == 1) count(group_of(number));
    else if (sscanf(line, "leave %d", &number) == 1) {
        struct group *group = group_of(number);
        for (int i = 0; i < group->opened; i++) client_close(&group->clients[i]);
        group->gap_us = -1;
        say("{}");
    } else fail("unknown command %s", line);
}

static int readable(int fd) {
    struct epoll_event event;
    static int poll = -1;
    if (poll < 0) {
        poll = epoll_create1(0);
        event.events = EPOLLIN;
        epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
    }
    return epoll_wait(poll, &event, 1, 0) > 0;
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    port = atoi(argv[1]);
    if (atoi(argv[2])) {
        tls = SSL_CTX_new(TLS_client_method());
        SSL_CTX_set_read_ahead(tls, 1);
    }
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    epoll = epoll_create1(0);
    char text[4096];
    size_t size = 0;
    for (;;) {
        turn(0.02);
        if (!readable(0)) continue;
        ssize_t more = read(0, text + size, sizeof text - 1 - size);
        if (more <= 0) return 0;
        text[size += more] = 0;
        char *line = text, *end;
        while ((end = strchr(line, '\n'))) {
            *end = 0;
            obey(line);
            line = end + 1;
        }
        size -= line - text;
        memmove(text, line, size + 1);
    }
}
