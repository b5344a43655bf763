/* The load generator: many WebSocket clients on one thread, which read all they are sent and check it.
 *
 * main.c       commands on standard input, answers on standard output
 * commands.c   what the commands do
 * loop.c       what is due by the clock, and reading
 * plan.c       who the clients are, as load.py wrote it
 * client.c     one connection: opening, TLS, reading, writing
 * frames.c     WebSocket frames, NATS' lines inside them
 * ticks.c      a tick's bytes, checked against what the feed sends
 * ages.c       histograms
 */
#ifndef LOAD_H
#define LOAD_H

#include <openssl/ssl.h>
#include <stddef.h>
#include <stdint.h>

enum { MAX_SYMBOLS = 64, MAX_GROUPS = 8, READ_BYTES = 256 * 1024, MAX_CARRY = 4 << 20 };

enum kind { KIND_JSON, KIND_PROTOBUF, KIND_NATS };

/* Log-linear: 64 bins an octave of microseconds, so a bin is at most 1.6 % wide. */
enum { BINS_PER_OCTAVE = 64, BINS = 64 * 40 };

struct ages {
    uint64_t count, max_us;
    uint32_t bins[BINS];
};

void ages_add(struct ages *ages, uint64_t age_us);
void ages_merge(struct ages *into, struct ages *from); /* empties from */
double ages_ms(const struct ages *ages, double share);

/* One tick as it was sent. */
struct tick {
    int symbol;       /* from 0 */
    uint64_t stamp_us; /* the feed's clock when it was sent */
    int number;       /* the feed's count of this symbol's ticks, modulo NUMBERS */
    uint64_t conflated; /* ticks that were merged into this one, as the server says */
};

enum { NUMBERS = 900 }; /* the spread in points, less one: see feed.py */

/* Whether this is a well-formed tick; *tick is filled in. 0: another message. -1: a tick with wrong contents. */
int tick_parse(enum kind kind, const char *data, size_t size, struct tick *tick);

/* Where one client stands in one symbol. */
struct place {
    uint64_t stamp_us; /* of its last tick; 0: none yet */
    int number;
};

enum state { UNOPENED, CONNECTING, SHAKING_HANDS, OPENING, OPEN, CLOSED };

struct client {
    int fd;
    SSL *ssl;
    enum state state;
    struct group *group;
    uint64_t wanted;     /* one bit a symbol */
    uint32_t period_us;  /* 1 / maxRate; 0: every tick */
    char *requests;
    uint32_t requests_size;
    struct place *places; /* one a wanted symbol */
    char *carry;         /* an incomplete frame */
    uint32_t carry_size;
    char *line;          /* NATS: an incomplete line */
    uint32_t line_size;
    char subscribed;     /* the answer to its requests came */
    char apart;          /* stuck or slow: not among those whose ages are measured */
    char away;           /* out of the epoll */
    uint64_t began_us;   /* its opening */
    /* since it reads again after having been stuck */
    uint64_t stale_bytes, fresh_us, stale_after_fresh;
};

struct change {
    uint32_t client, size;
    char *request;
};

struct counts {
    uint64_t ticks, bytes, reads;
    uint64_t malformed, unasked, disordered, repeated;
    uint64_t missing, conflated; /* ticks that never came: without a word of it, and with */
    uint64_t apart_ticks;
};

struct group {
    int number;
    struct client *clients;
    int size, opened, shaken, subscribed, closed;
    enum kind kind;
    char *hello, *ready, *ping;
    uint32_t hello_size, ready_size, ping_size;
    struct change *changes; /* requests that change the clients' lists, made one after the other, again and again */
    uint32_t changes_size, changed;
    double change_due_us, change_gap_us;
    int pinged;
    struct counts counts;
    struct ages all, window, quiet, joins;
    /* being opened at a pace */
    double due_us, gap_us;
    char subscribes; /* each as soon as it is open */
};

extern char *symbol_names[MAX_SYMBOLS];
extern uint32_t symbol_sizes[MAX_SYMBOLS];
extern int symbols;
extern int port;
extern SSL_CTX *tls;
extern int epoll;
extern struct group groups[MAX_GROUPS];

uint64_t now_us(void);
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

void plan_read(const char *path, struct group *group);

void client_open(struct client *client, int index);
void client_ready(struct client *client, uint32_t events); /* epoll says so */
void client_read(struct client *client, size_t most);
void client_write(struct client *client, const char *data, size_t size);
void client_close(struct client *client);
void client_watch(struct client *client, int on);

/* All whole frames of data; returns how many bytes they were. */
size_t frames_read(struct client *client, char *data, size_t size, uint64_t now);

/* Read what came within so many seconds at most; returns after a few clients. */
void turn(double seconds);

extern struct group probes; /* the one client that asks for pongs */
extern uint64_t probe_gap_us, longest_turn_us;
extern int slow_bytes;

void connect_all(struct group *group);
void request_all(struct group *group);
void subscribe_all(struct group *group);
void join(struct group *group, double per_s);
void joined(struct group *group);
void probe_from_now(double gap_ms);
void set_apart(int clients, int bytes_s);
void awake(double seconds);
void measure(double seconds, double window_ms);
void count_ticks(struct group *group);

#endif
