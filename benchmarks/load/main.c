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

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

char *symbol_names[MAX_SYMBOLS];
uint32_t symbol_sizes[MAX_SYMBOLS];
int symbols, port, epoll;
SSL_CTX *tls;
struct group groups[MAX_GROUPS];

static struct group *group_of(int number) {
    if (number < 0 || number >= MAX_GROUPS || !groups[number].size) fail("no group %d", number);
    return &groups[number];
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
    else if (sscanf(line, "count %d", &number) == 1) count_ticks(group_of(number));
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
