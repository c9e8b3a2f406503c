/* SPDX-License-Identifier: MIT */
/*
 * comm_join.c -- how ranks find each other.
 *
 *     rank 0                              rank r
 *     listens at MASTER_ADDR:MASTER_PORT
 *                         <- hello talk   listens at the address by which it
 *                         <- hello watch  reached rank 0, at any port
 *     waits for all
 *     welcome: where rank r+1 listens ->
 *     connects to rank 1                  connects to rank r+1
 *                         <- hello ring   takes rank r-1's connection
 *
 * A hello is one struct of fixed size, in the byte order of this kind of
 * machine, and is answered only where its token is right.  Whoever connects
 * and says nothing does not come out of accept().
 */
#include "cwm/model/comm_internal.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "cwm/base/cancel.h"

enum hello_kind { HELLO_TALK = 1, HELLO_WATCH, HELLO_RING };

enum {
    HELLO_HOST_BYTES = 64,
    TURN_MS = 200,     /* between two looks at the clock and at *cancel */
    RETRY_MS = 50,     /* rank 0 may come later */
    HELLO_SECONDS = 2, /* a hello comes at once, in one piece */
    /* a machine that vanished is noticed after 5 + 3 * 3 seconds */
    PROBE_AFTER_SECONDS = 5,
    PROBE_EVERY_SECONDS = 3,
    N_PROBES = 3
};

static const char magic[8] = {'c', 'w', 'm', 'r', 'a', 'n', 'k', '1'};

struct hello {
    char magic[8];
    uint32_t kind, rank, world, process;
    uint32_t port; /* where this rank listens for the one before it */
    char host[HELLO_HOST_BYTES];
    char token[COMM_TOKEN_BYTES];
};

struct welcome {
    uint32_t is_refused;
    char why[COMM_WHY_BYTES];
    uint32_t process;  /* rank 0's */
    uint32_t next_len; /* 0: the next one is rank 0 */
    struct sockaddr_storage next;
};

/* While ranks meet. */
struct join {
    struct comm *c;
    double deadline; /* by now() */
    const volatile int *cancel;
    int listener;                   /* owned */
    struct sockaddr_storage master; /* where rank 0 was found */
    socklen_t master_len;
    uint32_t ports[COMM_MAX_WORLD]; /* rank 0: where the others listen */
    unsigned n_turned_away;
};

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- bytes ----------------------------------------------------------------
 */

bool comm__send(int fd, const void *data, size_t n_bytes)
{
    const char *at = data;

    while (n_bytes > 0) {
        ssize_t n = send(fd, at, n_bytes, MSG_NOSIGNAL);

        if (n > 0) {
            at += n;
            n_bytes -= (size_t)n;
        } else if (n == 0 || errno != EINTR) {
            return false;
        }
    }
    return true;
}

bool comm__receive(int fd, void *data, size_t n_bytes)
{
    char *at = data;

    while (n_bytes > 0) {
        ssize_t n = recv(fd, at, n_bytes, 0);

        if (n > 0) {
            at += n;
            n_bytes -= (size_t)n;
        } else if (n == 0 || errno != EINTR) {
            return false;
        }
    }
    return true;
}

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

/* ---- sockets --------------------------------------------------------------
 */

static void set(int fd, int level, int name, int value)
{
    setsockopt(fd, level, name, &value, sizeof value);
}

/* Small messages go at once; who is silent is asked whether he is there.  No
 * TCP_USER_TIMEOUT: it would also end a connection whose other end is slow to
 * read, as that of a rank is that computes longer than others. */
static void make_lively(int fd)
{
    set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set(fd, IPPROTO_TCP, TCP_KEEPIDLE, PROBE_AFTER_SECONDS);
    set(fd, IPPROTO_TCP, TCP_KEEPINTVL, PROBE_EVERY_SECONDS);
    set(fd, IPPROTO_TCP, TCP_KEEPCNT, N_PROBES);
}

static void receive_within(int fd, int seconds)
{
    struct timeval t = {.tv_sec = seconds};

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
}

static enum cwm_rc still_time(const struct join *j, struct cwm_err *err)
{
    if (cwm_is_cancelled(j->cancel)) {
        return CWM_FAIL(err, CWM_CANCELLED,
                        "stopped while the ranks were looking for each other");
    }
    return now() < j->deadline ? CWM_OK : CWM_SYSTEM;
}

/* -1 with errno set. */
static int listen_at(const struct sockaddr *address, socklen_t len)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int failed;

    if (fd < 0) {
        return -1;
    }
    set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    set(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, HELLO_SECONDS);
    if (bind(fd, address, len) == 0 && listen(fd, 2 * COMM_MAX_WORLD) == 0) {
        return fd;
    }
    failed = errno;
    close(fd);
    errno = failed;
    return -1;
}

/* -1 with errno set; an address that does not answer takes TURN_MS. */
static int connect_to(const struct sockaddr *address, socklen_t len)
{
    int fd = socket(address->sa_family,
                    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    int failed = 0;
    socklen_t size = sizeof failed;

    if (fd < 0) {
        return -1;
    }
    if (connect(fd, address, len) != 0) {
        failed = errno;
        if (failed == EINPROGRESS) {
            failed = ETIMEDOUT;
            if (poll(&p, 1, 5 * TURN_MS) > 0) {
                getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &size);
            }
        }
    }
    if (failed != 0) {
        close(fd);
        errno = failed;
        return -1;
    }
    /* blocking from here on */
    {
        int off = 0;

        ioctl(fd, FIONBIO, &off);
    }
    make_lively(fd);
    return fd;
}

/* ---- hellos ---------------------------------------------------------------
 */

static bool say_hello(const struct join *j, int fd, enum hello_kind kind,
                      uint32_t port)
{
    const struct comm_place *p = &j->c->place;
    struct hello h = {.kind = (uint32_t)kind,
                      .rank = p->rank,
                      .world = p->world,
                      .process = (uint32_t)getpid(),
                      .port = port};

    memcpy(h.magic, magic, sizeof h.magic);
    gethostname(h.host, sizeof h.host - 1);
    memcpy(h.token, p->token, sizeof h.token);
    return comm__send(fd, &h, sizeof h);
}

/* In a time that does not tell how much of it was right. */
static bool is_token(const struct comm *c, const struct hello *h)
{
    unsigned differs = 0;

    for (size_t i = 0; i < sizeof h->token; i++) {
        differs |= (unsigned char)(h->token[i] ^ c->place.token[i]);
    }
    return differs == 0;
}

static void refuse(int fd, const char *why)
{
    struct welcome w = {.is_refused = 1};

    snprintf(w.why, sizeof w.why, "%.*s", COMM_WHY_BYTES - 1, why);
    comm__send(fd, &w, sizeof w);
}

/* What a host calls itself is another's text. */
static void name_peer(char name[COMM_NAME_BYTES], const struct hello *h)
{
    size_t i;

    snprintf(name, COMM_NAME_BYTES, "%.*s, process %u",
             (int)strnlen(h->host, sizeof h->host), h->host, h->process);
    for (i = 0; name[i]; i++) {
        if (name[i] < ' ' || name[i] > '~') {
            name[i] = '?';
        }
    }
}

/*
 * The next one who connects and knows the token; *ret_fd -1: nobody did for a
 * moment.  Others are turned away.
 */
static void take_hello(struct join *j, struct hello *h, int *ret_fd)
{
    struct pollfd p = {.fd = j->listener, .events = POLLIN};
    int fd;

    *ret_fd = -1;
    if (poll(&p, 1, TURN_MS) <= 0) {
        return;
    }
    fd = accept4(j->listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) {
        return;
    }
    make_lively(fd);
    receive_within(fd, HELLO_SECONDS);
    if (!comm__receive(fd, h, sizeof *h) ||
        memcmp(h->magic, magic, sizeof magic) != 0) {
        j->n_turned_away++;
        close(fd);
        return;
    }
    h->host[sizeof h->host - 1] = '\0';
    if (!is_token(j->c, h)) {
        j->n_turned_away++;
        refuse(fd, "its token is another one: CWM_RANKS_TOKEN must be the "
                   "same for all ranks");
        close(fd);
        return;
    }
    receive_within(fd, 0);
    *ret_fd = fd;
}

/* Addresses of rank 0's machine, owned by the caller; else what getaddrinfo()
 * says.  "localhost" is this machine also where no file names it. */
static int find_addresses(const struct comm_place *p, struct addrinfo **ret_all)
{
    const struct addrinfo wanted = {.ai_family = AF_UNSPEC,
                                    .ai_socktype = SOCK_STREAM};
    char port[8];
    int failed;

    snprintf(port, sizeof port, "%u", p->port);
    failed = getaddrinfo(p->host, port, &wanted, ret_all);
    if (failed != 0 && strcmp(p->host, "localhost") == 0) {
        failed = getaddrinfo("127.0.0.1", port, &wanted, ret_all);
    }
    return failed;
}

/* ---- rank 0 ---------------------------------------------------------------
 */

static enum cwm_rc listen_as_master(struct join *j, struct cwm_err *err)
{
    const struct comm_place *p = &j->c->place;
    struct addrinfo *all = NULL; /* owned */
    int failed = find_addresses(p, &all);

    if (failed != 0) {
        return CWM_FAIL(err, CWM_SYSTEM,
                        "could not find the address of '%s': "
                        "%s",
                        p->host, gai_strerror(failed));
    }
    for (const struct addrinfo *a = all; a && j->listener < 0; a = a->ai_next) {
        j->listener = listen_at(a->ai_addr, a->ai_addrlen);
    }
    failed = errno;
    freeaddrinfo(all);
    if (j->listener < 0) {
        return CWM_FAIL(err, CWM_SYSTEM,
                        "could not wait for the other ranks at %s, port %u: "
                        "%s\nMASTER_ADDR is an address of the machine that "
                        "rank 0 is on, MASTER_PORT a port that is free there",
                        p->host, p->port, strerror(failed));
    }
    return CWM_OK;
}

/* Keep the connection, or say why this cannot be. */
static enum cwm_rc keep_peer(struct join *j, const struct hello *h, int fd,
                             struct cwm_err *err)
{
    const struct comm_place *p = &j->c->place;
    struct comm_peer *peer;
    int *place;

    if (h->world != p->world || h->rank == 0 || h->rank >= p->world) {
        return CWM_FAIL(err, CWM_SYSTEM,
                        "cannot train together: rank %u of %u came to rank 0 "
                        "of %u\nanother run may be using this MASTER_PORT",
                        h->rank, h->world, p->world);
    }
    peer = &j->c->peers[h->rank];
    place = h->kind == HELLO_TALK ? &peer->talk : &peer->watch;
    if (h->kind == HELLO_RING || *place >= 0) {
        return CWM_FAIL(err, CWM_SYSTEM,
                        "cannot train together: rank %u of %u came twice",
                        h->rank, p->world);
    }
    *place = fd;
    name_peer(peer->name, h);
    if (h->kind == HELLO_TALK) {
        j->ports[h->rank] = h->port;
    }
    return CWM_OK;
}

static enum cwm_rc not_all(const struct join *j, struct cwm_err *err)
{
    const struct comm *c = j->c;
    char missing[64] = "";
    size_t len = 0;

    for (unsigned r = 1; r < c->place.world && len + 8 < sizeof missing; r++) {
        if (c->peers[r].talk < 0 || c->peers[r].watch < 0) {
            len += (size_t)snprintf(missing + len, sizeof missing - len, "%s%u",
                                    len > 0 ? ", " : "", r);
        }
    }
    return CWM_FAIL(err, CWM_SYSTEM,
                    "could not start: of %u ranks these did not come to %s, "
                    "port %u, within %u s: %s (%u connections were turned "
                    "away)\nMASTER_ADDR, MASTER_PORT and CWM_RANKS_TOKEN are "
                    "the same for all ranks of a run",
                    c->place.world, c->place.host, c->place.port,
                    j->c->place.wait_s, missing, j->n_turned_away);
}

static enum cwm_rc wait_for_all(struct join *j, struct cwm_err *err)
{
    unsigned n_wanted = 2 * (j->c->place.world - 1);
    enum cwm_rc rc = CWM_OK;
    unsigned n = 0;

    while (n < n_wanted && rc == CWM_OK) {
        struct hello h;
        int fd = -1;

        rc = still_time(j, err);
        if (rc == CWM_SYSTEM) {
            rc = not_all(j, err);
        }
        if (rc == CWM_OK) {
            take_hello(j, &h, &fd);
        }
        if (fd < 0) {
            continue;
        }
        rc = keep_peer(j, &h, fd, err);
        if (rc != CWM_OK) {
            refuse(fd, err ? err->message : "there is one already");
            close(fd);
        }
        n++;
    }
    return rc;
}

/* The port stands at the same place in IPv4's addresses and in IPv6's. */
static void set_port(struct sockaddr_storage *address, uint32_t port)
{
    struct sockaddr_in in;

    memcpy(&in, address, sizeof in);
    in.sin_port = htons((uint16_t)port);
    memcpy(address, &in, sizeof in);
}

static uint32_t port_of(const struct sockaddr_storage *address)
{
    struct sockaddr_in in;

    memcpy(&in, address, sizeof in);
    return ntohs(in.sin_port);
}

/* Where rank r listens, as rank 0 sees its machine. */
static socklen_t address_of(const struct join *j, unsigned r,
                            struct sockaddr_storage *ret)
{
    socklen_t len = sizeof *ret;

    if (getpeername(j->c->peers[r].talk, (struct sockaddr *)ret, &len) != 0) {
        return 0;
    }
    set_port(ret, j->ports[r]);
    return len;
}

static void welcome_all(const struct join *j, const char *why_not)
{
    unsigned world = j->c->place.world;

    for (unsigned r = 1; r < world; r++) {
        struct welcome w = {.process = (uint32_t)getpid()};

        if (j->c->peers[r].talk < 0) {
            continue;
        }
        if (why_not) {
            refuse(j->c->peers[r].talk, why_not);
            continue;
        }
        if (r + 1 < world) {
            w.next_len = (uint32_t)address_of(j, r + 1, &w.next);
        }
        comm__send(j->c->peers[r].talk, &w, sizeof w);
    }
}

/* ---- the others -----------------------------------------------------------
 */

/* Rank 0's machine may come later, and so may its name. */
static int look_for_master(struct join *j, int *ret_failed)
{
    struct addrinfo *all = NULL; /* owned */
    int fd = -1;

    if (find_addresses(&j->c->place, &all) != 0) {
        *ret_failed = EHOSTUNREACH;
        return -1;
    }
    for (const struct addrinfo *a = all; a && fd < 0; a = a->ai_next) {
        fd = connect_to(a->ai_addr, a->ai_addrlen);
        *ret_failed = errno;
        if (fd >= 0) {
            memcpy(&j->master, a->ai_addr, a->ai_addrlen);
            j->master_len = a->ai_addrlen;
        }
    }
    freeaddrinfo(all);
    return fd;
}

static enum cwm_rc find_master(struct join *j, int *ret_fd, struct cwm_err *err)
{
    const struct timespec pause = {.tv_nsec = RETRY_MS * 1000000L};
    const struct comm_place *p = &j->c->place;
    int failed = 0;

    for (;;) {
        enum cwm_rc rc;

        *ret_fd = look_for_master(j, &failed);
        if (*ret_fd >= 0) {
            return CWM_OK;
        }
        rc = still_time(j, err);
        if (rc == CWM_SYSTEM) {
            return CWM_FAIL(err, CWM_SYSTEM,
                            "could not reach rank 0 at %s, port %u, within %u "
                            "s: %s\nMASTER_ADDR and MASTER_PORT are the same "
                            "for all ranks of a run",
                            p->host, p->port, j->c->place.wait_s,
                            strerror(failed));
        }
        if (rc != CWM_OK) {
            return rc;
        }
        nanosleep(&pause, NULL);
    }
}

/* Where the rank before this one comes to; its port. */
static enum cwm_rc listen_for_previous(struct join *j, int talk,
                                       uint32_t *ret_port, struct cwm_err *err)
{
    struct sockaddr_storage own = {.ss_family = AF_UNSPEC};
    socklen_t len = sizeof own;

    if (getsockname(talk, (struct sockaddr *)&own, &len) == 0) {
        set_port(&own, 0);
        j->listener = listen_at((struct sockaddr *)&own, len);
    }
    len = sizeof own;
    if (j->listener < 0 ||
        getsockname(j->listener, (struct sockaddr *)&own, &len) != 0) {
        return CWM_FAIL(err, CWM_SYSTEM,
                        "could not wait for the rank before this one: %s",
                        strerror(errno));
    }
    *ret_port = port_of(&own);
    return CWM_OK;
}

static enum cwm_rc await_welcome(struct join *j, struct welcome *w,
                                 struct cwm_err *err)
{
    struct comm_peer *master = &j->c->peers[0];
    struct pollfd p = {.fd = master->talk, .events = POLLIN};

    while (poll(&p, 1, TURN_MS) <= 0) {
        enum cwm_rc rc = still_time(j, err);

        if (rc == CWM_SYSTEM) {
            return CWM_FAIL(err, CWM_SYSTEM,
                            "could not start: rank 0 did not have all ranks "
                            "within %u s",
                            j->c->place.wait_s);
        }
        if (rc != CWM_OK) {
            return rc;
        }
    }
    receive_within(master->talk, HELLO_SECONDS);
    if (!comm__receive(master->talk, w, sizeof *w)) {
        return CWM_FAIL(err, CWM_SYSTEM,
                        "could not start: what listens at %s, port %u, is no "
                        "rank 0, or it has ended",
                        j->c->place.host, j->c->place.port);
    }
    receive_within(master->talk, 0);
    w->why[sizeof w->why - 1] = '\0';
    if (w->is_refused || w->next_len > sizeof w->next) {
        return CWM_FAIL(err, CWM_SYSTEM, "rank 0 does not let rank %u in: %s",
                        j->c->place.rank, w->why);
    }
    return CWM_OK;
}

static enum cwm_rc join_master(struct join *j, struct welcome *w,
                               struct cwm_err *err)
{
    struct comm_peer *master = &j->c->peers[0];
    uint32_t port = 0;
    enum cwm_rc rc = find_master(j, &master->talk, err);

    if (rc == CWM_OK) {
        rc = listen_for_previous(j, master->talk, &port, err);
    }
    if (rc != CWM_OK) {
        return rc;
    }
    master->watch = connect_to((struct sockaddr *)&j->master, j->master_len);
    if (master->watch < 0 || !say_hello(j, master->talk, HELLO_TALK, port) ||
        !say_hello(j, master->watch, HELLO_WATCH, port)) {
        return CWM_FAIL(err, CWM_SYSTEM, "could not speak to rank 0 at %s: %s",
                        j->c->place.host, strerror(errno));
    }
    rc = await_welcome(j, w, err);
    snprintf(master->name, sizeof master->name, "%.60s, process %u",
             j->c->place.host, w->process);
    return rc;
}

/* ---- the ring -------------------------------------------------------------
 */

static enum cwm_rc close_ring(struct join *j, const struct sockaddr *next,
                              socklen_t next_len, struct cwm_err *err)
{
    struct comm *c = j->c;
    unsigned world = c->place.world;
    unsigned before = (c->place.rank + world - 1) % world;

    c->next = connect_to(next, next_len);
    if (c->next < 0 || !say_hello(j, c->next, HELLO_RING, 0)) {
        return CWM_FAIL(err, CWM_SYSTEM, "could not reach rank %u: %s",
                        (c->place.rank + 1) % world, strerror(errno));
    }
    while (c->previous < 0) {
        struct hello h;
        int fd = -1;
        enum cwm_rc rc = still_time(j, err);

        if (rc == CWM_OK) {
            take_hello(j, &h, &fd);
        } else if (rc == CWM_SYSTEM) {
            return CWM_FAIL(err, CWM_SYSTEM,
                            "could not start: rank %u did not come within %u s",
                            before, j->c->place.wait_s);
        } else {
            return rc;
        }
        if (fd >= 0 && h.kind == HELLO_RING && h.rank == before &&
            h.world == world) {
            c->previous = fd;
        } else {
            close_fd(&fd);
        }
    }
    return CWM_OK;
}

static enum cwm_rc join_as_master(struct join *j, struct cwm_err *err)
{
    struct sockaddr_storage next = {.ss_family = AF_UNSPEC};
    struct cwm_err own;
    enum cwm_rc rc = listen_as_master(j, &own);

    if (rc == CWM_OK) {
        rc = wait_for_all(j, &own);
    }
    welcome_all(j, rc == CWM_OK ? NULL : own.message);
    if (rc == CWM_OK) {
        socklen_t len = address_of(j, 1, &next);

        return close_ring(j, (struct sockaddr *)&next, len, err);
    }
    if (err) {
        *err = own;
    }
    return rc;
}

enum cwm_rc comm__join(struct comm *c, const volatile int *cancel,
                       struct cwm_err *err)
{
    struct join j = {.c = c,
                     .deadline = now() + c->place.wait_s,
                     .cancel = cancel,
                     .listener = -1};
    struct welcome w = {.is_refused = 0};
    enum cwm_rc rc;

    if (c->place.world < 2) {
        return CWM_OK;
    }
    if (c->place.rank == 0) {
        rc = join_as_master(&j, err);
    } else {
        rc = join_master(&j, &w, err);
        if (rc == CWM_OK && w.next_len > 0) {
            rc = close_ring(&j, (struct sockaddr *)&w.next, w.next_len, err);
        } else if (rc == CWM_OK) {
            rc =
                close_ring(&j, (struct sockaddr *)&j.master, j.master_len, err);
        }
    }
    close_fd(&j.listener);
    return rc;
}
