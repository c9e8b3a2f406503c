/* SPDX-License-Identifier: MIT */
/* test_safetensors.c -- files that are right, and all ways to be wrong. */
#include "cwm/model/safetensors.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cwm/base/alloc.h"

enum { LENGTH_BYTES = 8 };

/* A file of this header and n bytes 0, 1, 2, ... behind it; free() it. */
static uint8_t *make(const char *header, size_t n, size_t *ret_len)
{
    size_t n_header = strlen(header);
    uint8_t *file = malloc(LENGTH_BYTES + n_header + n);
    size_t i;

    assert_non_null(file);
    for (i = 0; i < LENGTH_BYTES; i++) {
        file[i] = (uint8_t)((uint64_t)n_header >> 8 * i);
    }
    memcpy(file + LENGTH_BYTES, header, n_header);
    for (i = 0; i < n; i++) {
        file[LENGTH_BYTES + n_header + i] = (uint8_t)i;
    }
    *ret_len = LENGTH_BYTES + n_header + n;
    return file;
}

static void refuse(const char *header, size_t n, const char *want)
{
    struct safetensors *f = NULL;
    struct cwm_err err = {.message = "nothing"};
    size_t len;
    uint8_t *file = make(header, n, &len);

    assert_int_equal(safetensors_parse(file, len, &f, &err), CWM_FORMAT);
    assert_null(f);
    assert_string_equal(err.message, want);
    free(file);
}

#define ENTRY(name, dtype, shape, offsets)                                     \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape                   \
    ",\"data_offsets\":" offsets "}"

static void safetensors__finds_tensors_in_the_files_order(void **state)
{
    struct safetensors *f = NULL;
    const struct tensor *t;
    size_t len;
    uint8_t *file = make(
        "{\"__metadata__\":{\"format\":\"pt\"}," ENTRY(
            "b", "F32", "[2,1]",
            "[6,14]") "," ENTRY("none", "F32", "[0,7]",
                                "[6,6]") "," ENTRY("a", "BF16", "[3]",
                                                   "[0,6]") "," ENTRY("scalar",
                                                                      "F16",
                                                                      "[]",
                                                                      "[14,16]") "}",
        16, &len);

    (void)state;
    assert_int_equal(safetensors_parse(file, len, &f, NULL), CWM_OK);
    assert_int_equal(safetensors_n(f), 4);
    assert_string_equal(safetensors_at(f, 0)->name, "a");
    assert_string_equal(safetensors_at(f, 1)->name, "none");
    assert_string_equal(safetensors_at(f, 2)->name, "b");
    t = safetensors_find(f, "b");
    assert_int_equal(t->n_dims, 2);
    assert_int_equal(t->dims[0], 2);
    assert_int_equal(t->dims[1], 1);
    assert_int_equal(t->n_bytes, 8);
    assert_int_equal(t->data[0], 6);
    assert_int_equal(safetensors_find(f, "scalar")->n_values, 1);
    assert_int_equal(safetensors_find(f, "none")->n_values, 0);
    assert_null(safetensors_find(f, "__metadata__"));
    safetensors_close(f);
    free(file);
}

static void safetensors__refuses_what_does_not_fit(void **state)
{
    (void)state;
    refuse("{" ENTRY("x", "F32", "[2]", "[0,8]") "}", 7,
           "cannot use the tensor 'x': it ends behind the file; was the file "
           "cut?");
    refuse("{" ENTRY("x", "F32", "[3]", "[0,8]") "}", 8,
           "cannot use the tensor 'x': its shape does not fit its "
           "data_offsets");
    refuse("{" ENTRY("x", "F32", "[1]", "[0,4]") "," ENTRY("y", "F32", "[1]",
                                                           "[3,7]") "}",
           8, "cannot use the tensor 'y': it lies in another one's place");
    refuse("{" ENTRY("x", "F32", "[1]", "[0,4]") "," ENTRY("y", "F32", "[1]",
                                                           "[5,9]") "}",
           9, "cannot use the tensor 'y': the bytes before it are no tensor's");
    refuse("{" ENTRY("x", "F32", "[1]", "[4,8]") "}", 8,
           "cannot use the tensor 'x': the bytes before it are no tensor's");
    refuse("{" ENTRY("x", "F32", "[1]", "[0,4]") "}", 7,
           "cannot use the safetensors file: its last 3 bytes are no tensor's");
    refuse("{" ENTRY("x", "F32", "[4294967296,4294967296]", "[0,0]") "}", 8,
           "cannot use the tensor 'x': its shape is none");
    refuse("{" ENTRY("x", "F32", "[4611686018427387904]", "[0,0]") "}", 8,
           "cannot use the tensor 'x': its shape is none");
    refuse("{" ENTRY("x", "F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]") "}", 8,
           "cannot use the tensor 'x': its shape is none");
    refuse("{" ENTRY("x", "F32", "[-1]", "[0,4]") "}", 8,
           "cannot use the tensor 'x': its shape is none");
    refuse("{" ENTRY("x", "F32", "[1]", "[4,0]") "}", 8,
           "cannot use the tensor 'x': its data_offsets are none");
    refuse("{" ENTRY("x", "F32", "[1]", "[-4,0]") "}", 8,
           "cannot use the tensor 'x': its data_offsets are none");
    refuse("{" ENTRY("x", "F32", "[1]", "[0]") "}", 8,
           "cannot use the tensor 'x': its data_offsets are none");
    refuse(
        "{" ENTRY("x", "Q4", "[1]", "[0,4]") "}", 8,
        "cannot use the tensor 'x': its dtype is none of F32, F16, BF16, I8");
    refuse(
        "{\"x\":7}", 8,
        "cannot use the tensor 'x': its dtype is none of F32, F16, BF16, I8");
    refuse("[]", 0, "cannot use the safetensors file: its header is no object");
}

static void safetensors__refuses_a_header_that_is_none(void **state)
{
    struct safetensors *f = NULL;
    struct cwm_err err;
    uint8_t file[] = {3, 0, 0, 0, 0, 0, 0, 0, '{', '}'};
    size_t len;

    (void)state;
    for (len = 0; len <= sizeof file; len++) {
        assert_int_equal(safetensors_parse(file, len, &f, &err), CWM_FORMAT);
    }
    assert_string_equal(err.message,
                        "cannot use the safetensors file: its header has 3 "
                        "bytes, the file 10");
    memset(file, 0xFF, LENGTH_BYTES);
    assert_int_equal(safetensors_parse(file, sizeof file, &f, &err),
                     CWM_FORMAT);
    refuse("{" ENTRY("x", "F32", "[0]", "[0,0]") "," ENTRY("x", "F32", "[0]",
                                                           "[0,0]") "}",
           0, "cannot use the tensor 'x': it is there twice");
    refuse("{\"x\\u0000y\":{}}", 0,
           "cannot use the safetensors file: a tensor's name holds a zero");
    refuse("{\"x\":[1,]}", 0,
           "could not read the safetensors file's header: it breaks JSON's "
           "grammar at byte 8");
}

static void safetensors__gives_every_kind_as_fp32(void **state)
{
    static const uint16_t halves[] = {0x3C00, 0xC000, 0x7BFF, 0x0001,
                                      0x8000, 0x03FF, 0x0400, 0x3555};
    static const float want[] = {1.0f,  -2.0f,      65504.0f, 0x1p-24f,
                                 -0.0f, 0x3FFp-24f, 0x1p-14f, 0x1.554p-2f};
    static const uint16_t bf16[] = {0x3F80, 0xC2F7, 0x0001};
    static const float want_bf16[] = {1.0f, -123.5f, 0x1p-133f};
    struct tensor t = {.type = TENSOR_F16, .n_values = 8, .n_bytes = 16};
    uint8_t odd[17]; /* at an odd address, as in a file */
    float got[8];

    (void)state;
    memcpy(odd + 1, halves, sizeof halves);
    t.data = odd + 1;
    tensor_to_f32(&t, got);
    assert_memory_equal(got, want, sizeof want);
    memcpy(odd + 1, bf16, sizeof bf16);
    t.type = TENSOR_BF16;
    t.n_values = 3;
    tensor_to_f32(&t, got);
    assert_memory_equal(got, want_bf16, sizeof want_bf16);
    memcpy(odd + 1, want, 3 * sizeof *want);
    t.type = TENSOR_F32;
    t.n_bytes = 12;
    tensor_to_f32(&t, got);
    assert_memory_equal(got, want, 3 * sizeof *want);
}

static void safetensors__tells_the_first_value_that_is_not_finite(void **state)
{
    static const struct {
        const char *header;
        size_t n_bytes; /* of a value */
        uint64_t largest, endless;
    } kinds[] = {
        {"{" ENTRY("x", "F32", "[5000]", "[0,20000]") "}", 4, 0x7F7FFFFF,
         0x7F800000},
        {"{" ENTRY("x", "F16", "[5000]", "[0,10000]") "}", 2, 0x7BFF, 0xFC01},
        {"{" ENTRY("x", "BF16", "[5000]", "[0,10000]") "}", 2, 0x7F7F, 0xFF80},
    };

    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t n = kinds[i].n_bytes;
        struct safetensors *f = NULL;
        struct cwm_err err;
        float part[2];
        size_t len;
        uint8_t *file = make(kinds[i].header, 5000 * n, &len);
        uint8_t *values = file + len - 5000 * n;

        memset(values, 0, 5000 * n);
        memcpy(values + 4999 * n, &kinds[i].largest, n);
        assert_int_equal(safetensors_parse(file, len, &f, NULL), CWM_OK);
        assert_int_equal(tensor_check_finite(safetensors_at(f, 0), &err),
                         CWM_OK);
        tensor_part_to_f32(safetensors_at(f, 0), 4998, 2, part);
        assert_true(part[0] == 0.0f && (double)part[1] > 6e4);
        memcpy(values + 4998 * n, &kinds[i].endless, n);
        assert_int_equal(tensor_check_finite(safetensors_at(f, 0), &err),
                         CWM_FORMAT);
        assert_string_equal(err.message, "cannot use the tensor 'x': value "
                                         "4998 is not finite");
        safetensors_close(f);
        free(file);
    }
}

static void safetensors__opens_a_file_and_says_what_it_cannot(void **state)
{
    char path[] = "/tmp/test_safetensors.XXXXXX";
    int fd = mkstemp(path);
    struct safetensors *f = NULL;
    struct cwm_err err;
    size_t len;
    uint8_t *file = make("{" ENTRY("x", "BF16", "[1]", "[0,2]") "}", 2, &len);
    char want[200];

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, file, len), len);
    assert_int_equal(safetensors_open(path, &f, &err), CWM_OK);
    assert_int_equal(safetensors_find(f, "x")->data[1], 1);
    safetensors_close(f);
    f = NULL;
    assert_int_equal(ftruncate(fd, (off_t)len - 1), 0);
    assert_int_equal(safetensors_open(path, &f, &err), CWM_FORMAT);
    snprintf(want, sizeof want,
             "%s: cannot use the tensor 'x': it ends behind the file; was the "
             "file cut?",
             path);
    assert_string_equal(err.message, want);
    assert_int_equal(ftruncate(fd, 3), 0);
    assert_int_equal(safetensors_open(path, &f, &err), CWM_FORMAT);
    assert_int_equal(safetensors_open("/", &f, &err), CWM_FORMAT);
    close(fd);
    unlink(path);
    assert_int_equal(safetensors_open(path, &f, &err), CWM_IO);
    assert_int_equal(mkfifo(path, 0600), 0); /* nobody writes there */
    assert_int_equal(safetensors_open(path, &f, &err), CWM_FORMAT);
    unlink(path);
    assert_null(f);
    free(file);
}

/* Names that must be escaped, no dimensions, nothing inside, odd sizes. */
static void safetensors__writes_what_it_reads(void **state)
{
    static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    const struct tensor tensors[] = {
        {"z\"\\\xC3\xA9", TENSOR_BF16, 1, {3}, bytes, 3, 6},
        {"empty", TENSOR_F32, 2, {0, 5}, bytes, 0, 0},
        {"scalar", TENSOR_F16, 0, {0}, bytes + 6, 1, 2},
        {"a", TENSOR_F32, 2, {1, 1}, bytes + 8, 1, 4},
    };
    char path[] = "/tmp/test_safetensors.XXXXXX";
    int fd = mkstemp(path);
    struct safetensors *f = NULL;
    struct cwm_err err;
    size_t i;

    (void)state;
    assert_true(fd >= 0);
    close(fd);
    if (safetensors_write(path, tensors, 4, &err) != CWM_OK ||
        safetensors_open(path, &f, &err) != CWM_OK) {
        fail_msg("%s", err.message);
    }
    assert_int_equal(safetensors_n(f), 4);
    for (i = 0; i < 4; i++) {
        const struct tensor *t = safetensors_find(f, tensors[i].name);

        assert_non_null(t);
        assert_int_equal(t->type, tensors[i].type);
        assert_int_equal(t->n_dims, tensors[i].n_dims);
        assert_memory_equal(t->dims, tensors[i].dims, sizeof t->dims);
        assert_int_equal(t->n_bytes, tensors[i].n_bytes);
        assert_memory_equal(t->data, tensors[i].data, t->n_bytes);
    }
    assert_int_equal((uintptr_t)safetensors_at(f, 0)->data % 8, 0);
    safetensors_close(f);
    unlink(path);
    assert_int_equal(
        safetensors_write("/nowhere/model.safetensors", tensors, 4, &err),
        CWM_IO);
    assert_string_equal(err.message,
                        "could not open '/nowhere/model.safetensors' for "
                        "writing: No such file or directory");
}

/* A disk without room: the error is told, what was there is still there. */
static void safetensors__keeps_the_old_file_when_there_is_no_room(void **state)
{
    static const uint8_t bytes[1 << 16];
    const struct tensor t = {.name = "x",
                             .n_dims = 1,
                             .dims = {1 << 14},
                             .data = bytes,
                             .n_values = 1 << 14,
                             .n_bytes = sizeof bytes};
    char folder[] = "/tmp/test_safetensors.XXXXXX";
    struct rlimit old;
    struct rlimit small;
    struct cwm_err err;
    struct stat st;
    char path[64];

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/m", folder);
    assert_int_equal(safetensors_write(path, &t, 0, &err), CWM_OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 4096;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_int_equal(safetensors_write(path, &t, 1, &err), CWM_IO);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_non_null(strstr(err.message, "could not write"));
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_size < 100);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0); /* nothing else was left */
}

static void safetensors__no_memory_is_an_ordinary_error(void **state)
{
    struct safetensors *f = NULL;
    uint64_t nth;
    size_t len;
    uint8_t *file = make("{" ENTRY("x", "BF16", "[1]", "[0,2]") "}", 2, &len);

    (void)state;
    for (nth = 1; nth <= 4; nth++) {
        cwm_alloc_fail_nth(nth, 0);
        assert_int_equal(safetensors_parse(file, len, &f, NULL), CWM_NOMEM);
        cwm_alloc_fail_nth(0, 0);
        assert_null(f);
    }
    free(file);
}

/* In front of the bytes 8, 9, ... lie the scales. */
static void safetensors__reads_bytes_with_a_scale_for_each_row(void **state)
{
    static const float scales[2] = {0.5F, -2.0F};
    struct safetensors *f = NULL;
    float values[6];
    size_t len;
    uint8_t *file = make("{" ENTRY("w", "I8", "[2,3]", "[8,14]") "," ENTRY(
                             "w_scale", "F32", "[2]", "[0,8]") "}",
                         14, &len);

    (void)state;
    memcpy(file + len - 14, scales, sizeof scales);
    file[len - 1] = 0xFD; /* -3 */
    assert_int_equal(safetensors_parse(file, len, &f, NULL), CWM_OK);
    tensor_to_f32(safetensors_find(f, "w"), values);
    assert_true(values[0] > 3.9F && values[0] < 4.1F);     /* 8 * 0.5 */
    assert_true(values[3] > -22.1F && values[3] < -21.9F); /* 11 * -2 */
    assert_true(values[5] > 5.9F && values[5] < 6.1F);     /* -3 * -2 */
    tensor_part_to_f32(safetensors_find(f, "w"), 3, 1, values);
    assert_true(values[0] > -22.1F && values[0] < -21.9F);
    assert_int_equal(tensor_check_finite(safetensors_find(f, "w"), NULL),
                     CWM_OK);
    memset(file + len - 14, 0xFF, 4);
    assert_int_equal(tensor_check_finite(safetensors_find(f, "w"), NULL),
                     CWM_FORMAT);
    safetensors_close(f);
    free(file);
}

static void safetensors__refuses_bytes_without_scales(void **state)
{
    static const char want[] =
        "cannot use the tensor 'w': it is of 8 bits, and there is no fitting "
        "tensor of that name and '_scale'";

    (void)state;
    refuse("{" ENTRY("w", "I8", "[2,3]", "[0,6]") "}", 6, want);
    refuse("{" ENTRY("w", "I8", "[2,3]",
                     "[0,6]") "," ENTRY("w_scale", "F32", "[3]", "[6,18]") "}",
           18, want);
    refuse("{" ENTRY("w", "I8", "[6]", "[0,6]") "," ENTRY("w_scale", "F32",
                                                          "[6]", "[6,30]") "}",
           30, want);
}

int main(void)
{
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(safetensors__finds_tensors_in_the_files_order),
        cmocka_unit_test(safetensors__refuses_what_does_not_fit),
        cmocka_unit_test(safetensors__refuses_a_header_that_is_none),
        cmocka_unit_test(safetensors__gives_every_kind_as_fp32),
        cmocka_unit_test(safetensors__tells_the_first_value_that_is_not_finite),
        cmocka_unit_test(safetensors__opens_a_file_and_says_what_it_cannot),
        cmocka_unit_test(safetensors__writes_what_it_reads),
        cmocka_unit_test(safetensors__keeps_the_old_file_when_there_is_no_room),
        cmocka_unit_test(safetensors__no_memory_is_an_ordinary_error),
        cmocka_unit_test(safetensors__reads_bytes_with_a_scale_for_each_row),
        cmocka_unit_test(safetensors__refuses_bytes_without_scales),
    };

    sigaction(SIGXFSZ, &ignore, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
