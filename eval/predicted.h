/* SPDX-License-Identifier: MIT */
/*
 * predicted.h -- a trace as frames, from the text that a model wrote, or from
 * a true trace, in one form, so that the two can be compared.
 *
 * The text is docs/formats.md section 4's, special tokens as their names; the
 * head (up to the `<|frame_sep|>` behind the context) and `<|end_of_text|>`
 * may be there or not.  It is read by its grammar, not by searching for
 * tokens: a JSON text ends where JSON ends, a source line at its line break,
 * so that values and programs may hold the tokens' names.  What breaks the
 * grammar costs its frame only: reading goes on behind the next
 * `<|frame_sep|>`, and the parts of the broken frame that can be read are
 * kept.
 *
 * Trust: the text is hostile, may be cut anywhere, and is read in time linear
 * in its length.
 *
 * Threads: none shared.
 */
#ifndef EVAL_PREDICTED_H
#define EVAL_PREDICTED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/base/err.h"
#include "tracer/record.h"
#include "tracer/source.h"

/* Beyond enum trace_event: a frame that begins with no event's token. */
#define PREDICTED_NO_EVENT (-1)

struct predicted_text {
    const char *text; /* NULL: there is none */
    size_t len;
};

struct predicted_local {
    struct predicted_text name;
    struct predicted_text value; /* is_text: decoded; else JSON as it stands */
    bool is_text;
};

struct predicted_frame {
    int event;         /* enum trace_event, or PREDICTED_NO_EVENT */
    bool whole;        /* nothing in it breaks the format */
    bool has_locals;   /* an object is where the locals belong */
    bool source_ended; /* `source` was followed by its line break */
    size_t first_local, n_locals;
    struct predicted_text source; /* without its line break */
    struct predicted_text arg;    /* decoded */
    size_t at;                    /* where the frame begins in the text */
};

struct predicted {
    struct predicted_frame *frames;
    size_t n_frames;
    struct predicted_local *locals; /* of all frames */
    size_t n_locals;
    bool whole;       /* the whole text parses */
    bool is_finished; /* it ends in <|end_of_text|> */
    bool was_cut;     /* set by who knows that its author ran out of budget */
    size_t broken_at; /* not whole: where in the text, and why; static */
    const char *broken_why;
    void *storage; /* opaque */
};

/*
 * Read text[0..len), which is borrowed until predicted_release().  context:
 * the program with its marker, to tell where the head ends and which lines
 * there are; borrowed for the call; NULL where it is not known.  Fails:
 * CWM_NOMEM, CWM_LIMIT (over 1 GiB).
 */
enum cwm_rc predicted_parse(const char *text, size_t len, const char *context,
                            size_t context_len, struct predicted *ret,
                            struct cwm_err *err);

/*
 * The frames of a true trace.  Borrowed from reader and source until
 * predicted_release().  Fails: CWM_NOMEM.
 */
enum cwm_rc predicted_from_trace(struct trace_reader *reader,
                                 const struct source *source,
                                 struct predicted *ret, struct cwm_err *err);
void predicted_release(struct predicted *p); /* zeroed is fine */

static inline const struct predicted_local *predicted_locals(
    const struct predicted *p, const struct predicted_frame *f)
{
    return p->locals + f->first_local;
}

static inline bool predicted_same_text(const struct predicted_text *a,
                                       const struct predicted_text *b)
{
    return a->text && b->text && a->len == b->len &&
           __builtin_memcmp(a->text, b->text, a->len) == 0;
}

/*
 * How many scopes are open behind the last frame: calls less returns.  0 or
 * less once the entry has been left.
 */
int64_t predicted_open_scopes(const struct predicted *p);

#endif /* EVAL_PREDICTED_H */
