#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLIENTS_PER_ADDRESS = 50, WRITE_MS = 5000 };

static void watch(struct client *client, int operation, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = client};
    if (epoll_ctl(epoll, operation, client->fd, &event)) fail("epoll: %s", strerror(errno));
}

/* From one of several loopback addresses: ports and limits are per address. */
void client_open(struct client *client, int index) {
    int on = 1, place = client->group->number * 500 + index / CLIENTS_PER_ADDRESS;
    struct sockaddr_in from = {.sin_family = AF_INET}, to = {.sin_family = AF_INET, .sin_port = htons(port)};
    from.sin_addr.s_addr = htonl(0x7F000000 | (1 + place / 250) << 8 | (1 + place % 250));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (client->fd < 0) fail("socket: %s", strerror(errno));
    setsockopt(client->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (bind(client->fd, (void *)&from, sizeof from)) fail("bind: %s", strerror(errno));
    if (connect(client->fd, (void *)&to, sizeof to) && errno != EINPROGRESS) fail("connect: %s", strerror(errno));
    client->state = CONNECTING;
    client->began_us = now_us();
    watch(client, EPOLL_CTL_ADD, EPOLLOUT);
}

static void say_hello(struct client *client) {
    client->state = OPENING;
    watch(client, EPOLL_CTL_MOD, EPOLLIN);
    client_write(client, client->group->hello, client->group->hello_size);
}

static void shake_hands(struct client *client) {
    int done = SSL_connect(client->ssl);
    if (done == 1) {
        say_hello(client);
        return;
    }
    int wants = SSL_get_error(client->ssl, done);
    if (wants == SSL_ERROR_WANT_READ) watch(client, EPOLL_CTL_MOD, EPOLLIN);
    else if (wants == SSL_ERROR_WANT_WRITE) watch(client, EPOLL_CTL_MOD, EPOLLOUT);
    else client_close(client);
}

void client_ready(struct client *client, uint32_t events) {
    if (client->state == CONNECTING) {
        int error = 0;
        socklen_t size = sizeof error;
        getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error) {
            client_close(client);
        } else if (tls) {
            client->state = SHAKING_HANDS;
            client->ssl = SSL_new(tls);
            SSL_set_fd(client->ssl, client->fd);
            shake_hands(client);
        } else {
            say_hello(client);
        }
    } else if (client->state == SHAKING_HANDS) {
        shake_hands(client);
    } else if (client->state != CLOSED) {
        client_read(client, READ_BYTES);
    }
    (void)events;
}

/* The answer to the opening request; what comes after it are frames. Returns its size, 0 where it is incomplete. */
static size_t opened(struct client *client, const char *data, size_t size) {
    const char *end = memmem(data, size, "\r\n\r\n", 4);
    if (!end) return 0;
    if (memcmp(data, "HTTP/1.1 101", 12)) fail("handshake refused: %.*s", (int)(end - data), data);
    client->state = OPEN;
    client->group->shaken++;
    if (client->group->subscribes) client_write(client, client->requests, client->requests_size);
    return end + 4 - data;
}

static void digest(struct client *client, char *data, size_t size) {
    size_t at = 0;
    if (client->state == OPENING) at = opened(client, data, size);
    if (client->state == OPEN) at += frames_read(client, data + at, size - at, now_us());
    if (client->state == CLOSED) return;
    client->carry_size = size - at;
    if (!client->carry_size) return;
    client->carry = realloc(client->carry, client->carry_size);
    memcpy(client->carry, data + at, client->carry_size);
}

/* Read what there is, up to so many bytes. */
void client_read(struct client *client, size_t most) {
    static char buffer[MAX_CARRY + READ_BYTES];
    size_t taken = 0;
    while (client->state != CLOSED && taken < most) {
        size_t kept = client->carry_size, room = most - taken < READ_BYTES ? most - taken : READ_BYTES;
        if (kept > MAX_CARRY) fail("a frame is too long");
        memcpy(buffer, client->carry, kept);
        ssize_t size;
        if (client->ssl) {
            ERR_clear_error();
            size = SSL_read(client->ssl, buffer + kept, (int)room);
            if (size <= 0) {
                int error = SSL_get_error(client->ssl, (int)size);
                if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) client_close(client);
                return;
            }
        } else {
            size = recv(client->fd, buffer + kept, room, 0);
            if (size <= 0) {
                if (size == 0 || errno != EAGAIN) client_close(client);
                return;
            }
        }
        taken += size;
        client->group->counts.bytes += size;
        client->group->counts.reads++;
        client->carry_size = 0;
        digest(client, buffer, kept + size);
        if (!client->ssl) return; /* epoll says so if there is more */
    }
}

/* Requests are small: that the socket does not take one is waited for. */
void client_write(struct client *client, const char *data, size_t size) {
    while (size && client->state != CLOSED) {
        ssize_t sent = client->ssl ? SSL_write(client->ssl, data, (int)size) : send(client->fd, data, size, MSG_NOSIGNAL);
        if (sent > 0) {
            data += sent;
            size -= sent;
            continue;
        }
        struct pollfd wait = {.fd = client->fd, .events = POLLOUT};
        int again = client->ssl ? SSL_get_error(client->ssl, (int)sent) == SSL_ERROR_WANT_WRITE : errno == EAGAIN;
        if (!again || poll(&wait, 1, WRITE_MS) < 1) client_close(client);
    }
}

void client_watch(struct client *client, int on) {
    if (client->state == CLOSED || client->state == UNOPENED || client->away == !on) return;
    client->away = !on;
    watch(client, on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, EPOLLIN);
}

void client_close(struct client *client) {
    if (client->state == CLOSED) return;
    client->state = CLOSED;
    client->group->closed++;
    if (client->ssl) {
        SSL_shutdown(client->ssl); /* one close_notify; the answer is not waited for */
        SSL_free(client->ssl);
        client->ssl = NULL;
    }
    close(client->fd);
    free(client->carry);
    client->carry = NULL;
    client->carry_size = 0;
}
