/* SPDX-License-Identifier: MIT */
/*
 * test_sandbox_protocol.c -- messages and policies between host and worker,
 * whole, cut and forged; the names of the walls.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cwm/base/alloc.h"
#include "sandbox/protocol.h"

struct pair {
    int fds[2];
};

static void open_pair(struct pair *p)
{
    assert_int_equal(
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, p->fds), 0);
}

static void close_pair(struct pair *p)
{
    close(p->fds[0]);
    close(p->fds[1]);
}

static void message__arrives_as_it_was_sent(void **state)
{
    struct message sent;
    struct message got;
    struct pair p;

    (void)state;
    open_pair(&p);
    protocol_message_init(&sent, MESSAGE_HELLO, "a text");
    sent.run_id = 77;
    assert_int_equal(protocol_send(p.fds[0], &sent, NULL, 0, NULL), CWM_OK);
    assert_int_equal(protocol_receive(p.fds[1], &got, NULL, NULL), CWM_OK);
    assert_int_equal(got.type, MESSAGE_HELLO);
    assert_int_equal(got.run_id, 77);
    assert_string_equal(got.text, "a text");
    close_pair(&p);
}

static void message__is_cut_when_its_text_is_too_long(void **state)
{
    static char text[PROTOCOL_TEXT_BYTES * 2];
    struct message m;

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    protocol_message_init(&m, MESSAGE_HELLO, text);
    assert_int_equal(m.text_len, PROTOCOL_TEXT_BYTES - 1);
    assert_int_equal(strlen(m.text), PROTOCOL_TEXT_BYTES - 1);
}

static void message__is_refused_when_it_is_short_or_forged(void **state)
{
    struct message m;
    struct message got;
    struct pair p;

    (void)state;
    open_pair(&p);
    protocol_message_init(&m, MESSAGE_GO, NULL);
    for (size_t len = 1; len < offsetof(struct message, text) + 1; len++) {
        assert_int_equal(send(p.fds[0], &m, len, 0), len);
        assert_int_equal(protocol_receive(p.fds[1], &got, NULL, NULL),
                         CWM_FORMAT);
    }
    m.magic++;
    assert_int_equal(protocol_send(p.fds[0], &m, NULL, 0, NULL), CWM_OK);
    assert_int_equal(protocol_receive(p.fds[1], &got, NULL, NULL), CWM_FORMAT);
    m.magic--;
    m.text_len = UINT32_MAX;
    assert_int_equal(send(p.fds[0], &m, 200, 0), 200);
    assert_int_equal(protocol_receive(p.fds[1], &got, NULL, NULL), CWM_FORMAT);
    close_pair(&p);
}

static void message__carries_the_descriptors_of_a_run(void **state)
{
    int fds[RUN_N_FDS];
    int got_fds[RUN_N_FDS];
    struct message m;
    struct message got;
    struct pair p;

    (void)state;
    open_pair(&p);
    for (int i = 0; i < RUN_N_FDS; i++) {
        fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        assert_true(fds[i] >= 0);
    }
    protocol_message_init(&m, MESSAGE_RUN, NULL);
    assert_int_equal(protocol_send(p.fds[0], &m, fds, RUN_N_FDS, NULL), CWM_OK);
    assert_int_equal(protocol_receive(p.fds[1], &got, got_fds, NULL), CWM_OK);
    for (int i = 0; i < RUN_N_FDS; i++) {
        assert_int_equal(fcntl(got_fds[i], F_GETFD), FD_CLOEXEC);
        close(got_fds[i]);
    }
    /* Too few, or none, are a mistake, and leak nothing. */
    assert_int_equal(protocol_send(p.fds[0], &m, fds, 2, NULL), CWM_OK);
    assert_int_equal(protocol_receive(p.fds[1], &got, got_fds, NULL),
                     CWM_FORMAT);
    assert_int_equal(fcntl(got_fds[0], F_GETFD), -1);
    assert_int_equal(protocol_send(p.fds[0], &m, NULL, 0, NULL), CWM_OK);
    assert_int_equal(protocol_receive(p.fds[1], &got, got_fds, NULL),
                     CWM_FORMAT);
    for (int i = 0; i < RUN_N_FDS; i++) {
        close(fds[i]);
    }
    close_pair(&p);
}

static void message__says_when_the_other_side_is_gone(void **state)
{
    struct message got;
    struct pair p;

    (void)state;
    open_pair(&p);
    close(p.fds[0]);
    assert_int_equal(protocol_receive(p.fds[1], &got, NULL, NULL),
                     CWM_CANCELLED);
    close(p.fds[1]);
}

static void policy__is_read_as_it_was_written(void **state)
{
    const char *const paths[] = {"/usr", "/lib", NULL};
    const struct sandbox_policy policy = {
        .read_paths = paths, .shared_bytes = 123456, .allow_missing = 5};
    struct protocol_policy got;
    int fd = memfd_create("policy", MFD_CLOEXEC);

    (void)state;
    assert_int_equal(protocol_policy_write(fd, &policy, NULL), CWM_OK);
    assert_int_equal(protocol_policy_read(fd, &got, NULL), CWM_OK);
    assert_int_equal(got.shared_bytes, 123456);
    assert_int_equal(got.allow_missing, 5);
    assert_string_equal(got.read_paths[0], "/usr");
    assert_string_equal(got.read_paths[1], "/lib");
    assert_null(got.read_paths[2]);
    protocol_policy_release(&got);
    for (uint64_t nth = 1; nth <= 2; nth++) {
        (void)cwm_alloc_fail_nth(nth, 0);
        assert_int_equal(protocol_policy_read(fd, &got, NULL), CWM_NOMEM);
    }
    (void)cwm_alloc_fail_nth(0, 0);
    /* Cut anywhere, it is refused or holds fewer paths, and no more. */
    for (off_t len = lseek(fd, 0, SEEK_END); len >= 0; len--) {
        assert_int_equal(ftruncate(fd, len), 0);
        if (protocol_policy_read(fd, &got, NULL) == CWM_OK) {
            for (int i = 0; got.read_paths[i]; i++) {
                assert_true(i < 2);
            }
            protocol_policy_release(&got);
        }
    }
    close(fd);
}

static void walls__are_found_by_their_names(void **state)
{
    (void)state;
    for (int i = 0; i < SANDBOX_N_WALLS; i++) {
        assert_int_equal(
            sandbox_wall_find(sandbox_wall_name((enum sandbox_wall)i)), i);
        assert_true(strlen(sandbox_wall_what((enum sandbox_wall)i)) > 10);
    }
    assert_int_equal(sandbox_wall_find("no-wall"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(message__arrives_as_it_was_sent),
        cmocka_unit_test(message__is_cut_when_its_text_is_too_long),
        cmocka_unit_test(message__is_refused_when_it_is_short_or_forged),
        cmocka_unit_test(message__carries_the_descriptors_of_a_run),
        cmocka_unit_test(message__says_when_the_other_side_is_gone),
        cmocka_unit_test(policy__is_read_as_it_was_written),
        cmocka_unit_test(walls__are_found_by_their_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
