/* SPDX-License-Identifier: MIT */
/* matrix.c -- the matrix in memory. */
#include "eval/matrix.h"

#include <string.h>

#include "cwm/base/alloc.h"

const char *matrix_cell_text(enum matrix_cell cell)
{
    switch (cell) {
#define MATRIX_CELL_CASE(id, number, text)                                     \
    case MATRIX_##id:                                                          \
        return text;
        MATRIX_CELL_TABLE(MATRIX_CELL_CASE)
#undef MATRIX_CELL_CASE
    case MATRIX_N_CELLS:
        break;
    }
    return "cell without a name";
}

void matrix_release(struct matrix *m)
{
    for (size_t i = 0; m->tasks && i < m->n; i++) {
        struct matrix_task *t = &m->tasks[i];

        cwm_free(t->samples);
        cwm_free(t->programs);
        cwm_free(t->tests);
        cwm_free(t->n_times);
        cwm_free(t->own);
        cwm_free(t->own_cpu_us);
        cwm_free(t->cells);
        cwm_free(t->cpu_us);
        cwm_free(t->unsteady);
    }
    cwm_free(m->tasks);
    memset(m, 0, sizeof *m);
}
