/* SPDX-License-Identifier: MIT */
/*
 * source_codec.c -- Python's names for encodings, decoded by iconv.
 *
 * Only encodings in which ASCII bytes stand for themselves are here: a cookie
 * can name no others.  Where the C library's table and Python's differ, the
 * row says how, so that a string literal never silently changes: the fixes
 * below were read off a comparison of every one- and two-byte sequence, which
 * tests/unit/test_source_codec.c repeats.
 */
#include "tracer/source_internal.h"

#include <errno.h>
#include <iconv.h>
#include <string.h>

#include "cwm/base/alloc.h"
#include "cwm/base/utf8.h"

/* Names are compared without case, '-', '_' and '.'; this is the longest. */
#define MAX_NAME_BYTES 24

struct fix {
    uint16_t from; /* what the C library gives */
    uint16_t to;   /* what Python gives; both 0: the end */
};

struct source__codec {
    const char *name;  /* lower case, letters and digits only */
    const char *iconv; /* NULL: UTF-8 */
    const struct fix *fixes;
    bool refuses_private; /* the C library fills gaps with private-use
                             characters where Python has others or none */
};

/* JIS X 0201 has the yen and the overline where Python has ASCII. */
static const struct fix sjis_fixes[] = {{0x00A5, '\\'}, {0x203E, '~'}, {0, 0}};
static const struct fix big5_fixes[] = {
    {0x2027, 0x2022}, {0xFE51, 0xFF64}, {0x00AF, 0x203E}, {0xFF5E, 0x223C},
    {0x2295, 0x2641}, {0x2299, 0x2609}, {0x2215, 0xFF0F}, {0xFE68, 0xFF3C},
    {0xFFE5, 0x00A5}, {0xFFE0, 0x00A2}, {0xFFE1, 0x00A3}, {0, 0}};
static const struct fix macroman_fixes[] = {
    {0x0394, 0x2206}, {0xE01E, 0xF8FF}, {0, 0}};

static const struct source__codec codecs[] = {
    {"utf8", NULL},
    {"u8", NULL},
    {"utf", NULL},
    {"utf8ucs2", NULL},
    {"utf8ucs4", NULL},
    {"cp65001", NULL},
    {"ascii", "ASCII"},
    {"usascii", "ASCII"},
    {"us", "ASCII"},
    {"646", "ASCII"},
    {"iso646us", "ASCII"},
    {"ansix341968", "ASCII"},
    {"latin1", "ISO-8859-1"},
    {"latin", "ISO-8859-1"},
    {"l1", "ISO-8859-1"},
    {"iso88591", "ISO-8859-1"},
    {"isolatin1", "ISO-8859-1"},
    {"8859", "ISO-8859-1"},
    {"cp819", "ISO-8859-1"},
    {"iso88592", "ISO-8859-2"},
    {"latin2", "ISO-8859-2"},
    {"l2", "ISO-8859-2"},
    {"iso88593", "ISO-8859-3"},
    {"latin3", "ISO-8859-3"},
    {"l3", "ISO-8859-3"},
    {"iso88594", "ISO-8859-4"},
    {"latin4", "ISO-8859-4"},
    {"l4", "ISO-8859-4"},
    {"iso88595", "ISO-8859-5"},
    {"cyrillic", "ISO-8859-5"},
    {"iso88596", "ISO-8859-6"},
    {"arabic", "ISO-8859-6"},
    {"iso88597", "ISO-8859-7"},
    {"greek", "ISO-8859-7"},
    {"iso88598", "ISO-8859-8"},
    {"hebrew", "ISO-8859-8"},
    {"iso88599", "ISO-8859-9"},
    {"latin5", "ISO-8859-9"},
    {"l5", "ISO-8859-9"},
    {"iso885910", "ISO-8859-10"},
    {"latin6", "ISO-8859-10"},
    {"l6", "ISO-8859-10"},
    {"iso885911", "ISO-8859-11"},
    {"thai", "ISO-8859-11"},
    {"iso885913", "ISO-8859-13"},
    {"latin7", "ISO-8859-13"},
    {"l7", "ISO-8859-13"},
    {"iso885914", "ISO-8859-14"},
    {"latin8", "ISO-8859-14"},
    {"l8", "ISO-8859-14"},
    {"iso885915", "ISO-8859-15"},
    {"latin9", "ISO-8859-15"},
    {"l9", "ISO-8859-15"},
    {"iso885916", "ISO-8859-16"},
    {"latin10", "ISO-8859-16"},
    {"l10", "ISO-8859-16"},
    {"cp1250", "CP1250"},
    {"windows1250", "CP1250"},
    {"cp1251", "CP1251"},
    {"windows1251", "CP1251"},
    {"cp1252", "CP1252"},
    {"windows1252", "CP1252"},
    {"cp1253", "CP1253"},
    {"windows1253", "CP1253"},
    {"cp1254", "CP1254"},
    {"windows1254", "CP1254"},
    {"cp1255", "CP1255"},
    {"windows1255", "CP1255"},
    {"cp1256", "CP1256"},
    {"windows1256", "CP1256"},
    {"cp1257", "CP1257"},
    {"windows1257", "CP1257"},
    {"cp1258", "CP1258"},
    {"windows1258", "CP1258"},
    {"cp437", "CP437"},
    {"cp775", "CP775"},
    {"cp850", "CP850"},
    {"cp852", "CP852"},
    {"cp855", "CP855"},
    {"cp857", "CP857"},
    {"cp858", "CP858"},
    {"cp860", "CP860"},
    {"cp861", "CP861"},
    {"cp862", "CP862"},
    {"cp863", "CP863"},
    {"cp865", "CP865"},
    {"cp866", "CP866"},
    {"ibm866", "CP866"},
    {"cp869", "CP869"},
    {"koi8r", "KOI8-R"},
    {"cskoi8r", "KOI8-R"},
    {"koi8u", "KOI8-U"},
    {"koi8t", "KOI8-T"},
    {"macroman", "MACINTOSH", macroman_fixes},
    {"macintosh", "MACINTOSH", macroman_fixes},
    {"shiftjis", "SJIS", sjis_fixes},
    {"sjis", "SJIS", sjis_fixes},
    {"csshiftjis", "SJIS", sjis_fixes},
    {"cp932", "CP932"},
    {"932", "CP932"},
    {"ms932", "CP932"},
    {"mskanji", "CP932"},
    {"windows31j", "CP932"},
    {"eucjp", "EUC-JP"},
    {"ujis", "EUC-JP"},
    {"euckr", "EUC-KR"},
    {"korean", "EUC-KR"},
    {"ksc5601", "EUC-KR"},
    {"cp949", "UHC"},
    {"949", "UHC"},
    {"uhc", "UHC"},
    {"gb2312", "EUC-CN"},
    {"euccn", "EUC-CN"},
    {"chinese", "EUC-CN"},
    {"gbk", "GBK"},
    {"cp936", "GBK"},
    {"936", "GBK"},
    {"ms936", "GBK"},
    {"big5", "BIG5", big5_fixes, true},
    {"big5tw", "BIG5", big5_fixes, true},
    {"csbig5", "BIG5", big5_fixes, true},
    {"cp950", "CP950", NULL, true},
    {"950", "CP950", NULL, true},
    {"ms950", "CP950", NULL, true},
    {"big5hkscs", "BIG5-HKSCS"},
    {"hkscs", "BIG5-HKSCS"},
};

const struct source__codec *source__codec_find(const char *name, size_t len)
{
    char bare[MAX_NAME_BYTES];
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        char c = name[i];

        if (c == '-' || c == '_' || c == '.') {
            continue;
        }
        if (n == sizeof bare - 1) {
            return NULL;
        }
        bare[n++] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
    }
    bare[n] = '\0';
    for (size_t i = 0; i < sizeof codecs / sizeof codecs[0]; i++) {
        if (strcmp(bare, codecs[i].name) == 0) {
            return &codecs[i];
        }
    }
    return NULL;
}

bool source__codec_is_utf8(const struct source__codec *codec)
{
    return codec->iconv == NULL;
}

/* Append one converted piece; false: a character that Python would not give.
 */
static bool add_fixed(const struct source__codec *codec, const char *piece,
                      size_t len, struct cwm_buf *out)
{
    size_t at = 0;

    while (at < len) {
        uint32_t code;
        char text[4];
        size_t n = cwm_utf8_decode(piece + at, len - at, &code);

        for (const struct fix *f = codec->fixes; f && f->from; f++) {
            if (f->from == code) {
                code = f->to;
                break;
            }
        }
        if (codec->refuses_private && code >= 0xE000 && code < 0xF900) {
            return false;
        }
        cwm_buf_add(out, text, cwm_utf8_encode(code, text));
        at += n;
    }
    return true;
}

/*
 * Convert piece by piece; *ret_bad is the first byte that cannot be.  Where
 * characters are looked at, a piece is three bytes: a refused one (they take
 * three) is then alone in its piece and its place is known.
 */
static bool convert(iconv_t handle, const struct source__codec *codec,
                    char *data, size_t len, struct cwm_buf *out,
                    size_t *ret_bad)
{
    bool looks = codec->fixes || codec->refuses_private;
    char *in = data;
    size_t left = len;

    while (left > 0 && out->failed == CWM_OK) {
        char piece[4096];
        char *to = piece;
        size_t room = looks ? 3 : sizeof piece;
        char *from = in;
        size_t n = iconv(handle, &in, &left, &to, &room);
        int code = errno;
        size_t got = (size_t)(to - piece);

        if (looks) {
            if (!add_fixed(codec, piece, got, out)) {
                *ret_bad = (size_t)(from - data);
                return false;
            }
        } else {
            cwm_buf_add(out, piece, got);
        }
        if (n == (size_t)-1 && (code != E2BIG || in == from)) {
            *ret_bad = (size_t)(in - data);
            return false;
        }
    }
    return true;
}

enum cwm_rc source__codec_decode(const struct source__codec *codec,
                                 const char *data, size_t len,
                                 struct cwm_buf *out, size_t *ret_bad,
                                 struct cwm_err *err)
{
    iconv_t handle = iconv_open("UTF-8", codec->iconv);
    char *copy = NULL; /* owned; iconv's input is not const */
    enum cwm_rc rc = CWM_OK;

    if (handle == (iconv_t)-1) {
        return CWM_FAIL(err, CWM_MISSING,
                        "this system's C library cannot decode '%s'",
                        codec->iconv);
    }
    copy = cwm_strndup(data, len);
    if (!copy) {
        rc = CWM_FAIL(err, CWM_NOMEM, "could not allocate %zu bytes", len);
        goto out;
    }
    if (!convert(handle, codec, copy, len, out, ret_bad)) {
        rc = CWM_FORMAT;
        goto out;
    }
    /* Some encodings hold back a character to see what follows it. */
    {
        char piece[64];
        char *to = piece;
        size_t room = sizeof piece;

        iconv(handle, NULL, NULL, &to, &room);
        cwm_buf_add(out, piece, sizeof piece - room);
    }
    rc = cwm_buf_check(out, "the decoded text", err);
out:
    cwm_free(copy);
    iconv_close(handle);
    return rc;
}
