/* Does nothing as fast as it can: answers every HTTP request with the same 200. It shows the generator's ceiling.
 * answer: listens on a free port of 127.0.0.1, prints it, serves until killed. A request may come in
 * pieces; only its end is a digit and a brace (`"sent_at":1}`). */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

int main(void)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncache-control: no-store\r\ncontent-length: 42\r\n\r\n{\"accepted\":1,\"duplicates\":0,\"refused\":[]}";
    static char in[1 << 20];
    int door = socket(AF_INET, SOCK_STREAM, 0), ep = epoll_create1(0), one = 1;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    if (bind(door, (struct sockaddr *)&at, size) || listen(door, 4096)) return 1;
    getsockname(door, (struct sockaddr *)&at, &size);
    printf("%d\n", ntohs(at.sin_port));
    fflush(stdout);
    struct epoll_event e = {.events = EPOLLIN, .data.fd = door}, events[512];
    epoll_ctl(ep, EPOLL_CTL_ADD, door, &e);
    for (;;) {
        int ready = epoll_wait(ep, events, 512, -1);
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            if (fd == door) {
                e.data.fd = accept4(door, 0, 0, SOCK_NONBLOCK);
                setsockopt(e.data.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                epoll_ctl(ep, EPOLL_CTL_ADD, e.data.fd, &e);
                continue;
            }
            int got = read(fd, in, sizeof in);
            if (got == 0) close(fd);
            else if (got > 1 && in[got - 1] == '}' && in[got - 2] >= '0' && in[got - 2] <= '9' && write(fd, answer, sizeof answer - 1) < 0) close(fd);
        }
    }
}
