/* SPDX-License-Identifier: MIT */
/* device.h -- --device: where a command computes. */
#ifndef CWM_CLI_DEVICE_H
#define CWM_CLI_DEVICE_H

#include "cwm/model/ops_cuda.h"
#include "cwm/model/train.h"

enum device { DEVICE_AUTO, DEVICE_CPU, DEVICE_CUDA };

extern const char *const device_names[]; /* for OPT_ENUM; by enum device */

#define DEVICE_HELP                                                            \
    "where it is computed: cuda is an NVIDIA GPU of compute capability 9.0 "   \
    "(H100, H200), auto is that where there is one, else the CPU"

struct device_options {
    int device; /* enum device */
    enum ops_type type;
    unsigned n_threads;    /* of a CPU; 0: as many as there are */
    bool is_deterministic; /* on a GPU; a CPU always is */
    bool is_narrow;        /* products of 8 bits, on a GPU only */
    int gpu;               /* which, where it comes to one */
};

/* Does `device` come to a GPU here? */
bool device_is_cuda(int device);

/* Fails: as ops_cpu_new() or ops_cuda_new(), and CWM_USAGE where a CPU is
 * asked for products of 8 bits. */
enum cwm_rc device_open(const struct device_options *options,
                        struct ops **ret_ops, struct cwm_err *err);

/* Is there room to train on the table's device, as one of `world` ranks? Fails:
 * CWM_NOMEM (the message says how much is needed, and what batch would do). */
enum cwm_rc device_check_room(struct ops *o, const struct model_config *c,
                              const struct train_settings *s, unsigned world,
                              struct cwm_err *err);

#endif /* CWM_CLI_DEVICE_H */
