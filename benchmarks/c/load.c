/* Open-loop HTTP/1.1 load: requests leave on schedule whatever the server does, and a latency counts from the
 * scheduled time, so a slow server cannot hide. Every request is another sharer's; every sharer's times move on.
 *
 * load PORT CONNECTIONS RATE SECONDS READINGS_PER_REQUEST TOKENS FIRST [now]
 *   RATE 0 is as fast as the connections allow (closed loop, for saturation).
 *   TOKENS is a file with one bearer token a line; request n uses line (FIRST + n) mod lines.
 * A reading per request is measured 13 min ago in a sharer's first turn, 2.5 min later in each turn that follows,
 * until it is measured now: all live, and far enough apart to count. With "now" it is measured at the scheduled
 * instant of its request, so that whoever receives it knows how long it took.
 * Each sharer's level is steady but for a few mg/dL; one reading in 88 is an urgent low, which opens an alarm: 37 a
 * second at 3,333 readings a second. Several readings per request are a backlog, 5 min apart, two days and more old.
 * Whoever is turned away (503, 429) puts its upload aside, as a phone does until its Retry-After is over; its
 * connection rests for REST_S and then offers the next sharer's: others come as long as there is a backlog.
 * Prints one line of JSON. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { TOKEN_MAX = 2048, ANSWER_MAX = 16384, READING_MAX = 96 };
#define REST_S 0.25

struct connection { int fd; double due, rests_until; char *out; int length, sent; char in[ANSWER_MAX]; int got; };

static int port, readings, token_count, as_scheduled;
static long first;
static char **tokens;

static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec + t.tv_nsec * 1e-9; }
static double wall_ms(void) { struct timespec t; clock_gettime(CLOCK_REALTIME, &t); return t.tv_sec * 1e3 + t.tv_nsec * 1e-6; }
static int by_size(const void *a, const void *b) { float x = *(const float *)a, y = *(const float *)b; return x < y ? -1 : x > y; }
static unsigned mix(unsigned long long x) { x ^= x >> 33; x *= 0xff51afd7ed558ccdULL; x ^= x >> 33; return (unsigned)x; }

static void fail(const char *why) { perror(why); exit(1); }

/* A number's digits; several times faster than sprintf, of which a backlog would need hundreds a request. */
static char *put_number(char *at, long long value)
{
    char digits[24];
    int count = 0;
    do digits[count++] = '0' + value % 10; while (value /= 10);
    while (count) *at++ = digits[--count];
    return at;
}

static char *put(char *at, const char *text, size_t length) { memcpy(at, text, length); return at + length; }
#define PUT(at, text) put(at, text, sizeof text - 1)

static int open_one(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(fd, (struct sockaddr *)&to, sizeof to)) fail("connect");
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static int body_of(char *at, long n, double late_ms)
{
    char *start = at;
    double here = wall_ms();
    long long base = here, scheduled = here - late_ms;
    long turn = (first + n) / token_count;
    at += sprintf(at, "{\"readings\":[");
    for (int i = 0; i < readings; i++) {
        unsigned r = mix((unsigned long long)(first + n) * 1000003ULL + i);
        int level = 100 + mix((first + n) % token_count) % 60 + r / 88 % 7;
        if (r % 88 == 0) level = 45 + r / 88 % 10;
        long long measured;
        if (as_scheduled) measured = scheduled;
        else if (readings == 1) measured = base - (turn < 5 ? 780000 - turn * 150000 : 0);
        else { measured = base - 86400000LL * (2 + turn) - 300000LL * i; level = 90 + r % 120; }
        if (i) *at++ = ',';
        at = put_number(PUT(at, "{\"measured_at\":"), measured);
        at = put_number(PUT(at, ",\"glucose_mgdl\":"), level);
        at = PUT(at, ",\"trend\":\"Flat\"}");
    }
    at += sprintf(at, "],\"sent_at\":%lld}", base);
    return at - start;
}

static void make_request(struct connection *c, long n)
{
    static char body[1 << 20];
    int length = body_of(body, n, (now() - c->due) * 1e3);
    c->length = sprintf(c->out,
        "POST /v1/readings HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n",
        tokens[(first + n) % token_count], length);
    memcpy(c->out + c->length, body, length);
    c->length += length;
    c->sent = c->got = 0;
}

static void push(int ep, struct connection *c)
{
    int wrote = write(c->fd, c->out + c->sent, c->length - c->sent);
    if (wrote > 0) c->sent += wrote;
    struct epoll_event e = {.events = EPOLLIN | (c->sent < c->length ? EPOLLOUT : 0), .data.ptr = c};
    epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e);
}

/* Status of a whole answer, 0 while it is not whole yet. */
static int whole_answer(struct connection *c)
{
    c->in[c->got] = 0;
    char *end = strstr(c->in, "\r\n\r\n");
    if (!end) return 0;
    char *length = strcasestr(c->in, "content-length:");
    if (length && length < end && c->got < end + 4 - c->in + atoi(length + 15)) return 0;
    return atoi(c->in + 9);
}

int main(int argc, char **argv)
{
    if (argc < 8) { fprintf(stderr, "usage: load PORT CONNECTIONS RATE SECONDS READINGS TOKENS FIRST [now]\n"); return 2; }
    port = atoi(argv[1]);
    int connections = atoi(argv[2]);
    double rate = atof(argv[3]), seconds = atof(argv[4]);
    readings = atoi(argv[5]);
    first = atol(argv[7]);
    as_scheduled = argc > 8 && !strcmp(argv[8], "now");
    signal(SIGPIPE, SIG_IGN);
    FILE *file = fopen(argv[6], "r");
    if (!file) fail(argv[6]);
    char line[TOKEN_MAX];
    for (int room = 0; fgets(line, sizeof line, file); token_count++) {
        if (token_count == room) tokens = realloc(tokens, (room = room ? 2 * room : 1024) * sizeof *tokens);
        line[strcspn(line, "\n")] = 0;
        tokens[token_count] = strdup(line);
    }
    struct connection *all = calloc(connections, sizeof *all), **idle = malloc(connections * sizeof *idle);
    struct connection **resting = malloc(connections * sizeof *resting);
    int idle_count = 0, resting_count = 0, ep = epoll_create1(0);
    for (int i = 0; i < connections; i++) {
        all[i].fd = open_one();
        all[i].out = malloc(TOKEN_MAX + 1024 + READING_MAX * readings);
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = &all[i]};
        epoll_ctl(ep, EPOLL_CTL_ADD, all[i].fd, &e);
        idle[idle_count++] = &all[i];
    }
    long room = rate > 0 ? (long)(rate * seconds) + 1 : 4000000, sent = 0, good = 0, refused = 0, bad = 0, known = 0;
    float *took_ms = malloc(sizeof(float) * room);
    double start = now(), end = start + seconds;
    struct epoll_event events[512];
    while (good + refused + bad < sent || now() < end) {
        double t = now();
        if (t > end + 10) break;
        for (int i = 0; i < resting_count; i++)
            if (resting[i]->rests_until <= t) {
                idle[idle_count++] = resting[i];
                resting[i--] = resting[--resting_count];
            }
        while (idle_count && t < end && sent < room && (rate <= 0 || start + sent / rate <= t)) {
            struct connection *c = idle[--idle_count];
            c->due = rate > 0 ? start + sent / rate : t;
            make_request(c, sent++);
            push(ep, c);
        }
        double next = rate > 0 ? start + sent / rate - now() : 0;
        /* A millisecond at least: who spins here takes a core from what is measured. A late request counts as late. */
        int wait = idle_count && now() < end && rate > 0 ? (next > 0 ? (int)(next * 1000) + 1 : 0) : 5;
        int ready = epoll_wait(ep, events, 512, wait);
        for (int i = 0; i < ready; i++) {
            struct connection *c = events[i].data.ptr;
            if (events[i].events & EPOLLOUT && c->sent < c->length) push(ep, c);
            if (!(events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))) continue;
            int got = read(c->fd, c->in + c->got, ANSWER_MAX - 1 - c->got);
            if (got < 0 && errno == EAGAIN) continue;
            if (got <= 0) {
                bad++;
                close(c->fd);
                c->fd = open_one();
                struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
                epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &e);
                idle[idle_count++] = c;
                continue;
            }
            c->got += got;
            int status = whole_answer(c);
            if (!status) continue;
            if (status == 200) {
                took_ms[good++] = (now() - c->due) * 1e3;
                char *duplicates = strstr(c->in, "\"duplicates\":");
                if (duplicates) known += atoi(duplicates + 13);
            }
            else if (status == 503 || status == 429) {
                refused++;
                if (rate <= 0) { c->rests_until = now() + REST_S; resting[resting_count++] = c; continue; }
            }
            else if (bad++ < 3) fprintf(stderr, "%.300s\n", c->in);
            idle[idle_count++] = c;
        }
    }
    double took = now() - start;
    qsort(took_ms, good, sizeof *took_ms, by_size);
#define AT(share) (good ? took_ms[(long)((good - 1) * (share))] : 0.0)
    printf("{\"offered_per_s\":%.0f,\"sent\":%ld,\"good\":%ld,\"refused\":%ld,\"bad\":%ld,\"duplicates\":%ld,\"seconds\":%.3f,"
           "\"requests_per_s\":%.0f,\"readings_per_s\":%.0f,\"p50_ms\":%.2f,\"p99_ms\":%.2f,\"p999_ms\":%.2f,\"max_ms\":%.1f}\n",
           rate, sent, good, refused, bad, known, took, good / took, (good * readings - known) / took, AT(.5), AT(.99), AT(.999), AT(1.0));
    return 0;
}
