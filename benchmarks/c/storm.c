/* A herd of phones as they really are: they do not wait for each other, they give up, and they try again at once.
 * Open loop: what is due is begun, on a connection that is idle or on a new one, whatever the server does. A request
 * that is not answered in TIMEOUT seconds is given up, its connection closed, and tried again immediately, up to
 * RETRIES times; so is one that is refused, unless OBEY is 1: then it comes again after its Retry-After.
 *
 * storm PORT TOKENS FIRST TIMEOUT_S OBEY RETRIES CONNECTIONS SHAPE PHASES
 *   SHAPE is what a request holds: 1 is one live reading, n > 1 a live one and n - 1 late ones, 0 a sign-in.
 *   PHASES is "SECONDS:RATE,SECONDS:RATE,...": first tries a second in each.
 * Writes one line of JSON for every second, and at the end one with the totals:
 *   offered: first tries that came due; tried: all tries; good: readings acknowledged, once each;
 *   refused, late (given up), broken; p50_ms and p99_ms of the good ones of that second, from when each was due. */
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
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { TOKEN_MAX = 2048, ANSWER_MAX = 4096, BODY_MAX = 65536, SAMPLES_MAX = 200000 };

/* One reading or sign-in on its way: whose, since when, how often tried. */
struct wish { long number; double due, again; int tries; struct wish *next; };
struct connection { int fd, length, sent, got, connecting, watched; double since; struct wish *wish; char *out, in[ANSWER_MAX]; struct connection *next; };

static int port, shape, obey, retries_max, connections_max, token_count, open_count, epoll_fd;
static long first;
static double timeout_s;
static char **tokens;
static struct connection *idle_list, *all;
static struct wish *spare, *ready_head, *ready_tail;
/* Wishes that wait for the second they were told: a ring of seconds. */
static struct wish *later[512];
static long waiting, beginning;

static struct { long offered, tried, good, refused, late, broken, lost, again_min, again_max; } now_second, total;
static float samples[SAMPLES_MAX];
static int sample_count;

static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec + t.tv_nsec * 1e-9; }
static double wall_ms(void) { struct timespec t; clock_gettime(CLOCK_REALTIME, &t); return t.tv_sec * 1e3 + t.tv_nsec * 1e-6; }
static int by_size(const void *a, const void *b) { float x = *(const float *)a, y = *(const float *)b; return x < y ? -1 : x > y; }
static unsigned mix(unsigned long long x) { x ^= x >> 33; x *= 0xff51afd7ed558ccdULL; x ^= x >> 33; return (unsigned)x; }
static void fail(const char *why) { perror(why); exit(1); }

static void put_ready(struct wish *w, double t)
{
    w->again = t;
    w->next = NULL;
    if (ready_tail) ready_tail->next = w; else ready_head = w;
    ready_tail = w;
    waiting++;
}

static void give_back(struct wish *w) { w->next = spare; spare = w; }

static struct wish *new_wish(long number, double due)
{
    struct wish *w = spare;
    if (w) spare = w->next; else w = malloc(sizeof *w);
    *w = (struct wish){.number = number, .due = due};
    return w;
}

/* It did not work: again at once, or when it was told to, or never. */
static void once_more(struct wish *w, double t, int after_s)
{
    if (w->tries > retries_max) { now_second.lost++; give_back(w); return; }
    if (!(obey && after_s > 0)) { put_ready(w, t); return; }
    w->again = t + after_s;
    long place = (long)w->again % 512;
    w->next = later[place];
    later[place] = w;
}

static void come_due(double t)
{
    struct wish **at = &later[(long)t % 512];
    while (*at) {
        struct wish *w = *at;
        if (w->again > t) { at = &w->next; continue; }
        *at = w->next;
        put_ready(w, t);
    }
}

static int body_of(char *at, long n, double due)
{
    char *start = at;
    long long here = wall_ms(), measured = here - (long long)((now() - due) * 1e3);
    unsigned who = (first + n) % token_count;
    if (shape == 0) return sprintf(at, "{\"name\":\"somebody %u\",\"password\":\"a wrong one\",\"device\":\"storm\"}", who);
    at += sprintf(at, "{\"readings\":[");
    for (int i = 0; i < shape; i++) {
        int level = 90 + mix((unsigned long long)who * 31 + i) % 90;
        long long late = i ? 1200000LL + 300000LL * i + 7919LL * (n / token_count) : 0;
        at += sprintf(at, "%s{\"measured_at\":%lld,\"glucose_mgdl\":%d,\"trend\":\"Flat\"}", i ? "," : "", measured - late, level);
    }
    at += sprintf(at, "],\"sent_at\":%lld}", here);
    return at - start;
}

static void make_request(struct connection *c)
{
    static char body[BODY_MAX];
    int length = body_of(body, c->wish->number, c->wish->due);
    c->length = shape
        ? sprintf(c->out, "POST /v1/readings HTTP/1.1\r\nHost: storm\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n",
                  tokens[(first + c->wish->number) % token_count], length)
        : sprintf(c->out, "POST /v1/sign-in HTTP/1.1\r\nHost: storm\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", length);
    memcpy(c->out + c->length, body, length);
    c->length += length;
    c->sent = c->got = 0;
}

static void shut(struct connection *c) { close(c->fd); c->fd = -1; open_count--; }

static void watch(struct connection *c, int operation)
{
    struct epoll_event e = {.events = EPOLLIN | (c->connecting || c->sent < c->length ? EPOLLOUT : 0), .data.ptr = c};
    /* What a herd costs is taken from what is measured: no call that changes nothing. */
    if (operation == EPOLL_CTL_MOD && c->watched == (int)e.events) return;
    c->watched = e.events;
    epoll_ctl(epoll_fd, operation, c->fd, &e);
}

static int connect_one(struct connection *c)
{
    int one = 1;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (c->fd < 0) return 0;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    open_count++;
    if (connect(c->fd, (struct sockaddr *)&to, sizeof to) && errno != EINPROGRESS) { shut(c); return 0; }
    c->connecting = 1;
    return 1;
}

static void push(struct connection *c)
{
    int wrote = write(c->fd, c->out + c->sent, c->length - c->sent);
    if (wrote > 0) c->sent += wrote;
    watch(c, EPOLL_CTL_MOD);
}

/* Begin what is due while there are connections to begin it on. A phone that got none gives up as well. */
static void begin_all(double t)
{
    while (ready_head && t - ready_head->again > timeout_s) {
        struct wish *w = ready_head;
        ready_head = w->next;
        if (!ready_head) ready_tail = NULL;
        waiting--;
        now_second.late++;
        now_second.lost++;
        give_back(w);
    }
    while (ready_head && idle_list) {
        struct connection *c = idle_list;
        struct wish *w = ready_head;
        int fresh = c->fd < 0;
        if (fresh && !connect_one(c)) break;
        idle_list = c->next;
        ready_head = w->next;
        if (!ready_head) ready_tail = NULL;
        waiting--;
        c->wish = w;
        c->since = t;
        w->tries++;
        now_second.tried++;
        beginning++;
        make_request(c);
        if (fresh) watch(c, EPOLL_CTL_ADD); else push(c);
    }
}

static void rest(struct connection *c) { c->wish = NULL; c->next = idle_list; idle_list = c; beginning--; }

/* Status of a whole answer, 0 while it is not whole yet. */
static int whole_answer(struct connection *c)
{
    c->in[c->got] = 0;
    char *end = strstr(c->in, "\r\n\r\n");
    if (!end) return 0;
    char *length = strcasestr(c->in, "content-length:");
    if (length && length < end && c->got < ANSWER_MAX - 1 && c->got < end + 4 - c->in + atoi(length + 15)) return 0;
    return atoi(c->in + 9);
}

static void broke(struct connection *c, double t)
{
    struct wish *w = c->wish;
    shut(c);
    if (w) { now_second.broken++; rest(c); once_more(w, t, 0); }
}

static void hear(struct connection *c, double t)
{
    int got = read(c->fd, c->in + c->got, ANSWER_MAX - 1 - c->got);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) { broke(c, t); return; }
    c->got += got;
    int status = c->wish ? whole_answer(c) : 0;
    if (!status) return;
    struct wish *w = c->wish;
    rest(c);
    if (status == 200 || (shape == 0 && status == 401)) {
        now_second.good++;
        if (sample_count < SAMPLES_MAX) samples[sample_count++] = (t - w->due) * 1e3;
        give_back(w);
        return;
    }
    if (status == 503 || status == 429 || status == 500) {
        char *after = strcasestr(c->in, "retry-after:");
        int seconds = after ? atoi(after + 12) : 0;
        now_second.refused++;
        if (seconds && (!now_second.again_min || seconds < now_second.again_min)) now_second.again_min = seconds;
        if (seconds > now_second.again_max) now_second.again_max = seconds;
        once_more(w, t, seconds);
        return;
    }
    now_second.broken++;
    if (total.broken + now_second.broken < 4) fprintf(stderr, "%.300s\n", c->in);
    give_back(w);
}

static void give_up_late(double t)
{
    for (int i = 0; i < connections_max; i++) {
        struct connection *c = &all[i];
        if (!c->wish || t - c->since < timeout_s) continue;
        struct wish *w = c->wish;
        now_second.late++;
        shut(c);
        rest(c);
        once_more(w, t, 0);
    }
}

static void tell_second(long second, double rate)
{
    qsort(samples, sample_count, sizeof *samples, by_size);
#define AT(share) (sample_count ? samples[(int)((sample_count - 1) * (share))] : 0.0)
    printf("{\"second\":%ld,\"at_ms\":%.0f,\"rate\":%.0f,\"offered\":%ld,\"tried\":%ld,\"good\":%ld,\"refused\":%ld,\"late\":%ld,\"broken\":%ld,"
           "\"lost\":%ld,\"open\":%d,\"waiting\":%ld,\"again_min_s\":%ld,\"again_max_s\":%ld,\"p50_ms\":%.1f,\"p99_ms\":%.1f}\n",
           second, wall_ms(), rate, now_second.offered, now_second.tried, now_second.good, now_second.refused, now_second.late, now_second.broken,
           now_second.lost, open_count, waiting + beginning, now_second.again_min, now_second.again_max, AT(.5), AT(.99));
    fflush(stdout);
    total.broken += now_second.broken;
    memset(&now_second, 0, sizeof now_second);
    sample_count = 0;
}

static void read_tokens(const char *path)
{
    FILE *file = fopen(path, "r");
    if (!file) fail(path);
    char line[TOKEN_MAX];
    for (int room = 0; fgets(line, sizeof line, file); token_count++) {
        if (token_count == room) tokens = realloc(tokens, (room = room ? 2 * room : 1024) * sizeof *tokens);
        size_t end = strcspn(line, "\n");
        if (!line[end]) { fprintf(stderr, "a token is too long\n"); exit(1); }
        line[end] = 0;
        tokens[token_count] = strdup(line);
    }
    fclose(file);
}

static void make_connections(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    all = calloc(connections_max, sizeof *all);
    for (int i = connections_max - 1; i >= 0; i--) {
        all[i].fd = -1;
        all[i].out = malloc(TOKEN_MAX + 1024 + 96 * (shape + 1));
        all[i].next = idle_list;
        idle_list = &all[i];
    }
}

int main(int argc, char **argv)
{
    if (argc < 10) { fprintf(stderr, "usage: storm PORT TOKENS FIRST TIMEOUT_S OBEY RETRIES CONNECTIONS SHAPE PHASES\n"); return 2; }
    port = atoi(argv[1]);
    read_tokens(argv[2]);
    first = atol(argv[3]);
    timeout_s = atof(argv[4]);
    obey = atoi(argv[5]);
    retries_max = atoi(argv[6]);
    connections_max = atoi(argv[7]);
    shape = atoi(argv[8]);
    signal(SIGPIPE, SIG_IGN);
    make_connections();
    epoll_fd = epoll_create1(0);
    double start = now(), phase_from = start, looked = start;
    long number = 0, second = 0;
    char *phase = argv[9];
    struct epoll_event events[1024];
    while (phase) {
        double seconds = atof(phase), rate = atof(strchr(phase, ':') + 1), phase_end = phase_from + seconds;
        long sent = 0;
        double t;
        while ((t = now()) < phase_end) {
            for (; rate > 0 && phase_from + sent / rate <= t; sent++) {
                put_ready(new_wish(number++, phase_from + sent / rate), phase_from + sent / rate);
                now_second.offered++;
            }
            come_due(t);
            begin_all(t);
            if (t - looked > 0.1) { give_up_late(t); looked = t; }
            if (t >= start + second + 1) tell_second(second++, rate);
            /* A millisecond at least: who spins here takes a core from what is measured. */
            int ready = epoll_wait(epoll_fd, events, 1024, 1);
            t = now();
            for (int i = 0; i < ready; i++) {
                struct connection *c = events[i].data.ptr;
                if (c->fd < 0) continue;
                if (events[i].events & EPOLLERR && c->connecting) { c->connecting = 0; broke(c, t); continue; }
                if (events[i].events & EPOLLOUT) { c->connecting = 0; if (c->sent < c->length) push(c); }
                if (events[i].events & (EPOLLIN | EPOLLHUP)) hear(c, t);
            }
        }
        phase_from = phase_end;
        phase = strchr(phase, ',');
        if (phase) phase++;
    }
    tell_second(second, 0);
    return 0;
}
