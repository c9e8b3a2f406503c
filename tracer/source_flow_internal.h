/* SPDX-License-Identifier: MIT */
/*
 * source_flow_internal.h -- the graph: places, and joints between them.
 *
 * A joint has no lines: it is passed through.  So is a place that may go by
 * without an event (FLOW_SILENT): `pass`, a constant condition, what begins on
 * the line where the last one ended.
 */
#ifndef TRACER_SOURCE_FLOW_INTERNAL_H
#define TRACER_SOURCE_FLOW_INTERNAL_H

#include "tracer/source_flow.h"

#define FLOW_NONE UINT32_MAX

enum flow_trait {
    FLOW_SILENT = 1u << 0,
    FLOW_BEGINS = 1u << 1,  /* a scope: a `call` is here */
    FLOW_RESUMES = 1u << 2, /* yields or awaits: a `call` may be here */
    FLOW_CATCHES = 1u << 3, /* an end of an iterator is seen, and met here */
    FLOW_ENDS = 1u << 4     /* the joint where a scope is left */
};

struct flow_node {
    uint32_t first, last; /* lines; 0: a joint.  Of one that ends a scope: of
                             its last statement, where it may seem to end */
    /* The whole `try` or `with` around it: what goes on unwinding behind a
     * `finally` is again where it came from. */
    uint32_t around_first, around_last;
    uint32_t raise;      /* where its exceptions go, or FLOW_NONE: out */
    uint32_t first_edge; /* or FLOW_NONE */
    uint32_t traits;
};

struct flow_edge {
    uint32_t to;
    uint32_t next; /* of the same node, or FLOW_NONE */
};

struct source_flow {
    struct flow_node *nodes; /* owned */
    size_t n_nodes, nodes_capacity;
    struct flow_edge *edges; /* owned */
    size_t n_edges, edges_capacity;
    uint32_t script; /* the module's beginning */
};

#endif /* TRACER_SOURCE_FLOW_INTERNAL_H */
