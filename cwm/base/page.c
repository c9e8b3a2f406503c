/* SPDX-License-Identifier: MIT */
/* page.c -- see page.h. */
#include "cwm/base/page.h"

#include <stdio.h>

typedef unsigned long long ull;

static const char style[] =
    ":root{color-scheme:light dark;--ink:#1c2733;--soft:#64748b;"
    "--page:#f6f7f9;--card:#fff;--line:#dfe4ea;--bar:#3b76c4;--bar2:#d98032;"
    "--l0:#8a94a3;--l1:#3b76c4;--l2:#d98032;--l3:#3f9a63;--l4:#b8468f;"
    "--l5:#7a5cc7;--l6:#1f9aa5;--l7:#c4463b;--l8:#97852a;--l9:#5b6b2f;"
    "--l10:#2f5f8f;--l11:#8f5b2f}\n"
    "@media(prefers-color-scheme:dark){:root{--ink:#e4e9f0;--soft:#94a3b8;"
    "--page:#12171e;--card:#1b222c;--line:#303a47;--bar:#6ea3ea;"
    "--bar2:#e79a54;--l0:#9aa6b8;--l1:#6ea3ea;--l2:#e79a54;--l3:#63c48a;"
    "--l4:#e07abb;--l5:#a48cf0;--l6:#4cc7d2;--l7:#ee7a6f;--l8:#cdb850;"
    "--l9:#9db35a;--l10:#5f9fdf;--l11:#d0925a}}\n"
    "body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 "
    "system-ui,sans-serif}\n"
    "main{max-width:1060px;margin:0 auto;padding:28px 20px 40px}\n"
    "h1{font-size:24px;margin:0 0 2px;overflow-wrap:anywhere}h2{font-size:15px;margin:0 0 10px}\n"
    "p{margin:0;color:var(--soft)}code{font-size:13px}\n"
    ".facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,"
    "1fr));gap:12px;margin:22px 0}\n"
    ".facts div,.plot{background:var(--card);border:1px solid var(--line);"
    "border-radius:8px;padding:14px 16px}\n"
    ".facts b{display:block;font-size:22px;font-weight:600;"
    "font-variant-numeric:tabular-nums}\n"
    ".facts span,.plot p{color:var(--soft);font-size:13px}\n"
    ".plots{columns:2 420px;column-gap:14px}"
    ".plot{break-inside:avoid;margin-bottom:14px}\n"
    "svg{width:100%;height:auto;display:block}\n"
    "text{fill:var(--ink);font:12px system-ui,sans-serif}"
    ".n{fill:var(--soft);font-variant-numeric:tabular-nums}\n"
    ".narrow .n{font-size:9px}\n"
    "rect{fill:var(--bar)}.second rect{fill:var(--bar2)}"
    "line{stroke:var(--line)}\n"
    "polyline{fill:none;stroke-width:2;stroke-linejoin:round}"
    "polygon{fill-opacity:.13}\n"
    ".names{display:flex;flex-wrap:wrap;gap:2px 14px;font-size:13px;"
    "margin-top:6px}.names i{display:inline-block;width:14px;height:3px;"
    "border-radius:2px;margin-right:6px;vertical-align:middle}\n"
    "table{border-collapse:collapse;width:100%;font-size:13px;"
    "font-variant-numeric:tabular-nums}td,th{text-align:right;"
    "padding:3px 6px;border-bottom:1px solid var(--line);font-weight:400}"
    "th{color:var(--soft)}td:first-child,th:first-child{text-align:left}"
    "small{color:var(--soft);display:block;white-space:nowrap}"
    ".wide{overflow-x:auto}\n";

void page_text(struct cwm_buf *out, const char *text, size_t max)
{
    size_t n = 0;

    for (; *text && n < max; text++) {
        /* whole characters only */
        n += ((unsigned char)*text & 0xC0) != 0x80;
        switch (*text) {
        case '<':
            cwm_buf_adds(out, "&lt;");
            break;
        case '>':
            cwm_buf_adds(out, "&gt;");
            break;
        case '&':
            cwm_buf_adds(out, "&amp;");
            break;
        case '"':
            cwm_buf_adds(out, "&quot;");
            break;
        default:
            cwm_buf_addc(out, *text);
        }
    }
    while (*text && ((unsigned char)*text & 0xC0) == 0x80) {
        cwm_buf_addc(out, *text++);
    }
    if (*text) {
        cwm_buf_adds(out, "\xE2\x80\xA6");
    }
}

void page_grouped(struct cwm_buf *out, uint64_t n)
{
    char digits[32];
    size_t len = (size_t)snprintf(digits, sizeof digits, "%llu", (ull)n);

    for (size_t i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0) {
            cwm_buf_addc(out, ',');
        }
        cwm_buf_addc(out, digits[i]);
    }
}

void page_short(struct cwm_buf *out, double n)
{
    static const char *const units[] = {"", " k", " M", " G", " T"};
    size_t i = 0;

    while (n >= 999.5 && i < 4) {
        n /= 1000;
        i++;
    }
    cwm_buf_addf(out, i > 0 && n < 9.95 ? "%.1f%s" : "%.0f%s", n, units[i]);
}

void page_open(struct cwm_buf *out, const char *title)
{
    cwm_buf_adds(out, "<!doctype html>\n<html lang=\"en\"><head><meta "
                      "charset=\"utf-8\"><meta name=\"viewport\" "
                      "content=\"width=device-width,initial-scale=1\"><title>");
    page_text(out, title, 200);
    cwm_buf_addf(out, "</title><style>%s</style></head><body><main>\n<h1>",
                 style);
    page_text(out, title, 200);
    cwm_buf_adds(out, "</h1>");
}

void page_close(struct cwm_buf *out)
{
    cwm_buf_adds(out, "</main></body></html>\n");
}

void page_open_facts(struct cwm_buf *out)
{
    cwm_buf_adds(out, "<div class=\"facts\">");
}

void page_fact(struct cwm_buf *out, const char *name, uint64_t n)
{
    cwm_buf_adds(out, "<div><b>");
    page_grouped(out, n);
    cwm_buf_addf(out, "</b><span>%s</span></div>", name);
}

void page_close_facts(struct cwm_buf *out)
{
    cwm_buf_adds(out, "</div>\n");
}

void page_open_plots(struct cwm_buf *out)
{
    cwm_buf_adds(out, "<div class=\"plots\">\n");
}

void page_open_plot(struct cwm_buf *out, const char *title,
                    const char *subtitle, bool second)
{
    cwm_buf_addf(out, "<section class=\"plot%s\"><h2>%s</h2>",
                 second ? " second" : "", title);
    if (subtitle) {
        cwm_buf_addf(out, "<p>%s</p>", subtitle);
    }
}

void page_close_plot(struct cwm_buf *out)
{
    cwm_buf_adds(out, "</section>\n");
}

void page_close_plots(struct cwm_buf *out)
{
    cwm_buf_adds(out, "</div>");
}
