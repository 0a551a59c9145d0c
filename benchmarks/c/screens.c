/* Screens: many open event streams at once, each with a key of its own, and how old a reading is when it arrives.
 *
 * screens PORT COUNT KEYS SECONDS
 *   KEYS is a file with one bearer key a line; stream n uses line n, from the first again when there are no more.
 *   Streams come from several addresses, 127.0.0.1 and on: one has 28,000 ports.
 * Says "open N" once every stream has had its first event; then, for SECONDS, takes the time from `measured_ms`
 * (the load client writes the scheduled instant of its request there) to the arrival of each "reading" event.
 * Readings measured before all were open do not count. Prints one line of JSON. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { KEY_MAX = 2048, FROM_ONE_ADDRESS = 10000, ROOM_FIRST = 4096, ROOM_MAX = 1 << 20, TOOK_MAX = 20000000, AT_ONCE = 50 };

struct screen { int fd, opened; size_t got, room; char *in; };

static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec + t.tv_nsec * 1e-9; }
static double wall_ms(void) { struct timespec t; clock_gettime(CLOCK_REALTIME, &t); return t.tv_sec * 1e3 + t.tv_nsec * 1e-6; }
static int by_size(const void *a, const void *b) { float x = *(const float *)a, y = *(const float *)b; return x < y ? -1 : x > y; }
static void fail(const char *why) { perror(why); exit(1); }

static float *took;
static long taken, opened, closed, events, refused;
static double open_since_ms = 1e18;

static void open_one(struct screen *s, int number, int port, const char *key, int ep)
{
    char ask[KEY_MAX + 200];
    int one = 1;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    s->fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in from = {.sin_family = AF_INET};
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + number / FROM_ONE_ADDRESS);
    setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(s->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (bind(s->fd, (struct sockaddr *)&from, sizeof from)) fail("bind");
    if (connect(s->fd, (struct sockaddr *)&to, sizeof to)) fail("connect");
    int length = sprintf(ask, "GET /v1/stream HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\nAccept: text/event-stream\r\n\r\n", key);
    if (write(s->fd, ask, length) != length) fail("ask");
    fcntl(s->fd, F_SETFL, O_NONBLOCK);
    s->in = malloc(s->room = ROOM_FIRST);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = s};
    epoll_ctl(ep, EPOLL_CTL_ADD, s->fd, &e);
}

/* One whole event, without the empty line that ends it. */
static void hear(struct screen *s, const char *event, double at_ms)
{
    events++;
    if (!s->opened && strstr(event, "event: snapshot")) { s->opened = 1; opened++; }
    if (!s->opened && strstr(event, "HTTP/1.1 ") && !strstr(event, "HTTP/1.1 200")) refused++;
    if (!strstr(event, "event: reading")) return;
    const char *measured = strstr(event, "\"measured_ms\":");
    if (!measured) return;
    double from_ms = atof(measured + 14);
    if (from_ms >= open_since_ms && taken < TOOK_MAX) took[taken++] = at_ms - from_ms;
}

static void take(struct screen *s, int ep)
{
    for (;;) {
        if (s->got + 1 >= s->room) {
            if (s->room >= ROOM_MAX) { s->got = 0; continue; }
            s->in = realloc(s->in, s->room *= 2);
        }
        long got = read(s->fd, s->in + s->got, s->room - 1 - s->got);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (got <= 0) { closed++; epoll_ctl(ep, EPOLL_CTL_DEL, s->fd, 0); close(s->fd); return; }
        double at_ms = wall_ms();
        s->got += got;
        s->in[s->got] = 0;
        char *from = s->in, *end;
        while ((end = strstr(from, "\n\n"))) { *end = 0; hear(s, from, at_ms); from = end + 2; }
        s->got -= from - s->in;
        memmove(s->in, from, s->got);
    }
}

static void listen_for(int ep, int wait_ms)
{
    struct epoll_event ready[512];
    int count = epoll_wait(ep, ready, 512, wait_ms);
    for (int i = 0; i < count; i++) take(ready[i].data.ptr, ep);
}

int main(int argc, char **argv)
{
    if (argc < 5) { fprintf(stderr, "usage: screens PORT COUNT KEYS SECONDS\n"); return 2; }
    int count = atoi(argv[2]), ep = epoll_create1(0);
    FILE *keys = fopen(argv[3], "r");
    if (!keys) fail(argv[3]);
    struct screen *all = calloc(count, sizeof *all);
    took = malloc(sizeof *took * TOOK_MAX);
    signal(SIGPIPE, SIG_IGN);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    char key[KEY_MAX];
    double give_up = now() + 60 + count / 50;
    for (int i = 0; i < count; i++) {
        if (!fgets(key, sizeof key, keys)) {
            rewind(keys);
            if (!fgets(key, sizeof key, keys)) { fprintf(stderr, "no keys\n"); return 2; }
        }
        key[strcspn(key, "\n")] = 0;
        open_one(&all[i], i, atoi(argv[1]), key, ep);
        while (i + 1 - opened > AT_ONCE && now() < give_up) listen_for(ep, 10);
    }
    while (opened < count && now() < give_up) listen_for(ep, 10);
    open_since_ms = wall_ms();
    printf("open %ld\n", opened - closed);
    fflush(stdout);
    double end = now() + atof(argv[4]);
    while (now() < end) listen_for(ep, 20);
    qsort(took, taken, sizeof *took, by_size);
#define AT(share) (taken ? took[(long)((taken - 1) * (share))] : 0.0)
    printf("{\"open\":%ld,\"closed\":%ld,\"refused\":%ld,\"events\":%ld,\"readings\":%ld,\"p50_ms\":%.2f,\"p99_ms\":%.2f,"
           "\"p999_ms\":%.2f,\"max_ms\":%.1f}\n", opened, closed, refused, events, taken, AT(.5), AT(.99), AT(.999), AT(1.0));
    return 0;
}
