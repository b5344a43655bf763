/* The floor: what the kernel alone costs. One thread, epoll, and for each client one send per turn that carries
 * everything the turn brought. It does only what the comparison needs: no TLS, no limits, no slow consumers (what a
 * socket does not take is waited for), requests recognised by a search for symbol names.
 *
 *     floor PORT FEED_PORT SYMBOL[,SYMBOL...] REST
 *
 * With REST 1 it sleeps after each turn's sends as long as they took, but no longer than 5 ms: each turn carries more
 * then, as the relay's do under load.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_SYMBOLS = 64, MAX_FDS = 20000, RECORD_BYTES = 20, TURN_BYTES = 1 << 20, READ_BYTES = 1 << 16 };

#define MAX_REST_S 0.005

struct client {
    uint64_t wanted; /* one bit a symbol */
    char open;
};

static char *names[MAX_SYMBOLS];
static int symbols;
static struct client clients[MAX_FDS];
static int fds[MAX_FDS], connected;
/* the frames of this turn, one block a symbol */
static char *block[MAX_SYMBOLS];
static size_t block_used[MAX_SYMBOLS];
static char joined[TURN_BYTES * 4];

static void send_all(int fd, const char *data, size_t size) {
    while (size) {
        ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);
        if (sent <= 0) return;
        data += sent;
        size -= sent;
    }
}

static size_t frame(char *out, const char *text, size_t size) {
    out[0] = (char)0x81;
    if (size < 126) {
        out[1] = (char)size;
        memcpy(out + 2, text, size);
        return size + 2;
    }
    out[1] = 126;
    out[2] = (char)(size >> 8);
    out[3] = (char)size;
    memcpy(out + 4, text, size);
    return size + 4;
}

static void send_text(int fd, const char *text) {
    char out[4096];
    send_all(fd, out, frame(out, text, strlen(text)));
}

static void unmask(unsigned char *data, size_t size) {
    for (size_t at = 0; at + 6 <= size;) {
        size_t head = 2, length = data[at + 1] & 127;
        if (length == 126) {
            length = (size_t)data[at + 2] << 8 | data[at + 3];
            head = 4;
        }
        unsigned char *key = data + at + head, *payload = key + 4;
        for (size_t i = 0; i < length && payload + i < data + size; i++) payload[i] ^= key[i & 3];
        at += head + 4 + length;
    }
}

static void request(int fd) {
    char data[READ_BYTES + 1];
    ssize_t size = recv(fd, data, READ_BYTES, MSG_DONTWAIT);
    struct client *client = &clients[fd];
    if (size < 0 && errno == EAGAIN) return;
    if (size <= 0) {
        for (int i = 0; i < connected; i++)
            if (fds[i] == fd) fds[i] = fds[--connected];
        memset(client, 0, sizeof *client);
        close(fd);
        return;
    }
    data[size] = 0;
    if (!client->open) {
        /* the client sends a constant key and checks nothing */
        const char *accept = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                             "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
        client->open = 1;
        send_all(fd, accept, strlen(accept));
        return;
    }
    unmask((unsigned char *)data, size);
    if (memmem(data, size, "\"connect\"", 9)) send_text(fd, "{\"type\":\"status\",\"status\":\"connected\"}");
    if (memmem(data, size, "\"subscribe\"", 11)) {
        for (int i = 0; i < symbols; i++)
            if (memmem(data, size, names[i], strlen(names[i]))) client->wanted |= 1ull << i;
        send_text(fd, "{\"type\":\"subscribeResponse\",\"results\":[]}");
    }
}

static void tick(const char *record) {
    uint32_t id;
    double bid, ask;
    char text[256];
    struct timespec now;
    memcpy(&id, record, 4);
    memcpy(&bid, record + 4, 8);
    memcpy(&ask, record + 12, 8);
    clock_gettime(CLOCK_REALTIME, &now);
    int size = snprintf(text, sizeof text,
                        "{\"type\":\"tick\",\"symbol\":\"%s\",\"symbolId\":%u,\"bid\":%.5f,\"ask\":%.5f,"
                        "\"spread\":%.5f,\"timestamp\":%lld}",
                        names[id - 1], id, bid, ask, ask - bid, now.tv_sec * 1000ll + now.tv_nsec / 1000000);
    size_t *used = &block_used[id - 1];
    if (*used + sizeof text < TURN_BYTES / 16) *used += frame(block[id - 1] + *used, text, size);
}

static void flush(void) {
    uint64_t brought = 0, last = 0;
    size_t size = 0;
    for (int i = 0; i < symbols; i++)
        if (block_used[i]) brought |= 1ull << i;
    if (!brought) return;
    for (int c = 0; c < connected; c++) {
        uint64_t wanted = clients[fds[c]].wanted & brought;
        if (!wanted) continue;
        if (wanted != last) {
            size = 0;
            for (uint64_t bits = wanted; bits; bits &= bits - 1) {
                int i = __builtin_ctzll(bits);
                memcpy(joined + size, block[i], block_used[i]);
                size += block_used[i];
            }
            last = wanted;
        }
        send_all(fds[c], joined, size);
    }
    memset(block_used, 0, sizeof block_used);
}

static double now_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}

static void rest_for(double seconds) {
    double most = seconds < MAX_REST_S ? seconds : MAX_REST_S;
    struct timespec rest = {.tv_nsec = (long)(most * 1e9)};
    nanosleep(&rest, NULL);
}

int main(int argc, char **argv) {
    if (argc != 5) return 2;
    for (char *name = strtok(argv[3], ","); name && symbols < MAX_SYMBOLS; name = strtok(NULL, ",")) {
        block[symbols] = malloc(TURN_BYTES / 16);
        names[symbols++] = name;
    }
    int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0), feed = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
    struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[2]))};
    here.sin_addr.s_addr = there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (void *)&here, sizeof here) || listen(listener, 1024)) return 1;
    if (connect(feed, (void *)&there, sizeof there)) return 1;
    int poll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN}, ready[1024];
    event.data.fd = listener;
    epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event);
    event.data.fd = feed;
    epoll_ctl(poll, EPOLL_CTL_ADD, feed, &event);
    char data[READ_BYTES];
    size_t rest = 0;
    int rests = atoi(argv[4]);
    for (;;) {
        int count = epoll_wait(poll, ready, 1024, -1);
        for (int i = 0; i < count; i++) {
            int fd = ready[i].data.fd;
            if (fd == listener) {
                int client = accept(listener, NULL, NULL);
                if (client < 0 || client >= MAX_FDS) return 1;
                setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
                event.data.fd = fds[connected++] = client;
                epoll_ctl(poll, EPOLL_CTL_ADD, client, &event);
            } else if (fd == feed) {
                ssize_t size = recv(feed, data + rest, sizeof data - rest, 0);
                if (size <= 0) return 0;
                size_t whole = rest + size, at = 0;
                for (; at + RECORD_BYTES <= whole; at += RECORD_BYTES) tick(data + at);
                rest = whole - at;
                memmove(data, data + at, rest);
            } else {
                request(fd);
            }
        }
        double began = now_s();
        flush();
        if (rests) rest_for(now_s() - began);
    }
}
