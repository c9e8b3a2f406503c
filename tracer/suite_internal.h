/* SPDX-License-Identifier: MIT */
/* suite_internal.h -- what suite*.c share. */
#ifndef TRACER_SUITE_INTERNAL_H
#define TRACER_SUITE_INTERNAL_H

#include "tracer/suite.h"

/* A number as records have it. */
void suite__put_number(struct cwm_buf *out, uint64_t number);
/* The header at `start` says what is behind it: all of that is committed. */
void suite__put_header(struct cwm_buf *out, size_t start);

#endif /* TRACER_SUITE_INTERNAL_H */
