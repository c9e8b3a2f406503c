/* SPDX-License-Identifier: MIT */
/* opt_help.c -- an option table as --help and as the manual's list. */
#include "cwm/base/opt.h"

#include <string.h>

enum {
    HELP_INDENT = 30, /* column at which the explanations start */
    HELP_WIDTH = 79
};

static void add_spaces(struct cwm_buf *out, size_t n)
{
    while (n-- > 0) {
        cwm_buf_addc(out, ' ');
    }
}

/* "--name VALUE", "-o, --out FILE" */
static void add_names(const struct opt *o, struct cwm_buf *out)
{
    if (o->letter) {
        cwm_buf_addf(out, "-%c, ", o->letter);
    }
    cwm_buf_addf(out, "--%s", o->name);
    if (o->type == OPT_ENUM) {
        for (int i = 0; o->choices[i]; i++) {
            cwm_buf_addf(out, "%c%s", i == 0 ? ' ' : '|', o->choices[i]);
        }
    } else if (o->type != OPT_FLAG) {
        cwm_buf_addf(out, " %s", o->value);
    }
}

/* The help text with its default and range behind it. */
static void add_explanation(const struct opt *o, struct cwm_buf *out)
{
    cwm_buf_adds(out, o->help);
    if (o->type == OPT_LIST) {
        cwm_buf_adds(out, "; may be given several times");
    }
    if (o->fallback) {
        cwm_buf_addf(out, " (default %s", o->fallback);
        if (o->type == OPT_U64) {
            cwm_buf_addf(out, ", from %llu to %llu", (unsigned long long)o->min,
                         (unsigned long long)o->max);
        }
        cwm_buf_addc(out, ')');
    }
}

/* Words of `text` from column HELP_INDENT on, broken before HELP_WIDTH. */
static void add_wrapped(struct cwm_buf *out, const char *text)
{
    size_t at = HELP_INDENT;

    while (*text) {
        size_t word = strcspn(text, " ");

        if (at > HELP_INDENT && at + 1 + word > HELP_WIDTH) {
            cwm_buf_addc(out, '\n');
            add_spaces(out, HELP_INDENT);
            at = HELP_INDENT;
        } else if (at > HELP_INDENT) {
            cwm_buf_addc(out, ' ');
            at++;
        }
        cwm_buf_add(out, text, word);
        at += word;
        text += word + (text[word] == ' ');
    }
    cwm_buf_addc(out, '\n');
}

static void add_option(const struct opt *o, struct cwm_buf *out)
{
    struct cwm_buf text;
    size_t start = out->len;
    size_t used;

    add_spaces(out, o->letter ? 2 : 6);
    add_names(o, out);
    used = out->len - start;
    if (used + 2 > HELP_INDENT) {
        cwm_buf_addc(out, '\n');
        used = 0;
    }
    add_spaces(out, HELP_INDENT - used);
    cwm_buf_init(&text, 4096);
    add_explanation(o, &text);
    add_wrapped(out, text.data ? text.data : "");
    cwm_buf_release(&text);
}

static const struct opt help_option = {
    .letter = 'h', .name = "help", .type = OPT_FLAG, .help = "print this help"};

void opt_help(const struct opt_command *c, struct cwm_buf *out)
{
    const char *gap = c->name[0] ? " " : "";

    for (size_t i = 0; c->uses[i]; i++) {
        cwm_buf_addf(out, "%s cwm %s%s%s\n", i == 0 ? "usage:" : "      ",
                     c->name, gap, c->uses[i]);
    }
    cwm_buf_addf(out, "\n%s\n", c->summary);
    for (size_t i = 0; i < c->n_opts; i++) {
        if (c->opts[i].group || i == 0) {
            cwm_buf_addf(out, "\n%s:\n",
                         c->opts[i].group ? c->opts[i].group : "Options");
        }
        add_option(&c->opts[i], out);
    }
    cwm_buf_adds(out, "\nHelp:\n");
    add_option(&help_option, out);
    if (c->examples) {
        cwm_buf_adds(out, "\nExamples:\n");
        for (size_t i = 0; c->examples[i]; i++) {
            cwm_buf_addf(out, "  %s\n", c->examples[i]);
        }
    }
    if (c->notes) {
        cwm_buf_addf(out, "\n%s", c->notes);
    }
}

static void add_markdown(const struct opt *o, struct cwm_buf *out)
{
    cwm_buf_adds(out, "- `");
    add_names(o, out);
    cwm_buf_adds(out, "`: ");
    add_explanation(o, out);
    cwm_buf_addc(out, '\n');
}

void opt_markdown(const struct opt_command *c, struct cwm_buf *out)
{
    for (size_t i = 0; i < c->n_opts; i++) {
        if (c->opts[i].group) {
            cwm_buf_addf(out, "%s### %s\n\n", i == 0 ? "" : "\n",
                         c->opts[i].group);
        }
        add_markdown(&c->opts[i], out);
    }
    add_markdown(&help_option, out);
}
